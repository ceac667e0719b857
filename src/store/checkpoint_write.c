#include <stdio.h>
#include <sys/stat.h>

#include "store/checkpoint.h"
#include "store/ckptblock.h"
#include "store/file.h"
#include "store/h5out.h"

MaeStatus mae_ckpt_create_faulty(MaeCkptWriter **w, const char *path, MaeFaults *faults,
                                 MaeError *err)
{
    return mae_h5out_create_with(w, path, MAE_CKPT_BLOCK, faults, err);
}

MaeStatus mae_ckpt_create(MaeCkptWriter **w, const char *path, MaeError *err)
{
    return mae_ckpt_create_faulty(w, path, NULL, err);
}

void mae_ckpt_put_text(MaeCkptWriter *w, const char *name, const char *text)
{
    mae_h5out_text(w, name, text);
}

void mae_ckpt_put_int(MaeCkptWriter *w, const char *name, int64_t value)
{
    mae_h5out_int(w, name, value);
}

void mae_ckpt_put_real(MaeCkptWriter *w, const char *name, double value)
{
    mae_h5out_real(w, name, value);
}

void mae_ckpt_put_reals(MaeCkptWriter *w, const char *name, const double *values,
                        size_t n)
{
    mae_h5out_reals(w, name, values, n);
}

void mae_ckpt_put_texts(MaeCkptWriter *w, const char *name, const char *const *texts,
                        size_t n)
{
    mae_h5out_texts(w, name, texts, n);
}

void mae_ckpt_put_tensor(MaeCkptWriter *w, const char *name, const float *data,
                         const size_t *shape, size_t ndim)
{
    mae_h5out_floats(w, name, data, shape, ndim);
}

void mae_ckpt_put_table(MaeCkptWriter *w, const char *group, const MaeParamTable *table,
                        const float *flat)
{
    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *entry = &table->entries[i];
        char name[MAE_PARAM_NAME + 256];

        (void)snprintf(name, sizeof name, "%s/%s", group, entry->name);
        mae_ckpt_put_tensor(w, name, flat + entry->at.off, entry->shape, entry->ndim);
    }
}

/** Write the user block; the payload is complete. */
static MaeStatus write_block(MaeOutput *file, MaeError *err)
{
    unsigned char block[MAE_CKPT_BLOCK];
    struct stat st;
    uint32_t crc;

    if (fstat(file->fd, &st) != 0 || (uint64_t)st.st_size <= sizeof block)
        MAE_FAIL(err, MAE_ERR_IO, "%s: has lost its content while being written",
                 file->temp);
    MAE_TRY(mae_ckptblock_sum(&crc, file->fd, file->temp, (uint64_t)st.st_size, err));
    mae_ckptblock_make(block, (uint64_t)st.st_size - sizeof block, crc);
    mae_output_write(file, block, sizeof block, 0);
    return mae_output_check(file, err);
}

MaeStatus mae_ckpt_commit(MaeCkptWriter *w, MaeError *err)
{
    MaeOutput *file;
    MaeStatus status = mae_h5out_seal(w, &file, err);

    if (status == MAE_OK)
        status = write_block(file, err);
    if (status == MAE_OK)
        return mae_h5out_commit(w, err);
    mae_h5out_abort(w);
    return status;
}

void mae_ckpt_abort(MaeCkptWriter *w)
{
    mae_h5out_abort(w);
}
