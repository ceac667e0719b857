#include <hdf5.h>
#include <stdlib.h>

#include "store/h5set.h"

#define OBJECTS_MAX 65536
#define DEPTH_MAX 8

/** How far a trial has come. */
typedef struct Trial {
    const MaeH5In *in;
    size_t objects, depth;
} Trial;

/* As every kind that somebody may take it for. */
static herr_t try_attribute(hid_t object, const char *name, const H5A_info_t *info,
                            void *ctx)
{
    const MaeH5In *in = ((const Trial *)ctx)->in;
    char *text = NULL, **texts = NULL;
    double real, *reals = NULL;
    int64_t integer;
    size_t n = 0;

    (void)object;
    (void)info;
    (void)mae_h5in_int(in, name, &integer, NULL);
    (void)mae_h5in_real(in, name, &real, NULL);
    (void)mae_h5in_reals(in, name, &reals, &n, NULL);
    (void)mae_h5in_text(in, name, &text, NULL);
    (void)mae_h5in_texts(in, name, &texts, &n, NULL);
    free(reals);
    free(text);
    free(texts);
    return 0;
}

static herr_t try_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
    const MaeH5Source *source = mae_h5in_source(((const Trial *)ctx)->in);
    Trial *trial = ctx;
    MaeH5Set set;
    hid_t id;

    if (++trial->objects > OBJECTS_MAX)
        return 1; /* enough */
    id = info->type == H5L_TYPE_HARD ? H5Oopen(group, name, H5P_DEFAULT) : -1;
    if (id < 0)
        return 0;
    if (H5Iget_type(id) != H5I_GROUP) {
        if (mae_h5set_adopt(&set, source, name, id, NULL) == MAE_OK) {
            (void)H5Dget_storage_size(set.id); /* walks over all chunks */
            mae_h5set_close(&set);
        }
        return 0;
    }
    if (trial->depth++ < DEPTH_MAX)
        (void)H5Literate(id, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, try_link, trial);
    trial->depth--;
    (void)H5Oclose(id);
    return 0;
}

void mae_h5in_try(const MaeH5In *in)
{
    const hid_t file = mae_h5in_source(in)->file;
    Trial trial = {.in = in};

    (void)H5Aiterate2(file, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, try_attribute, &trial);
    (void)H5Literate(file, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, try_link, &trial);
}
