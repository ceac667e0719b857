/* HDF5 files: `images` and optionally `labels`, see store/h5images.h. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/driver.h"
#include "store/h5images.h"

typedef struct Stack {
    pthread_mutex_t lock; /* libhdf5 reads one at a time */
    bool has_lock;
    MaeH5Images *images;
    size_t height, width, channels;
    MaePixel type;
    char name[128];
} Stack;

/* The signature may follow a user block of 512, 1024, 2048 ... bytes. */
static bool probe(const MaeDatasetPath *path, const MaeDatasetOptions *opt)
{
    static const unsigned char signature[8] = {0x89, 'H',  'D',  'F',
                                               '\r', '\n', 0x1a, '\n'};
    unsigned char head[8];
    bool found = false;
    int fd;

    (void)opt;
    if (path->is_folder)
        return false;
    if (memcmp(path->head, signature, sizeof signature) == 0)
        return true;
    fd = open(path->text, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    for (off_t at = 512; fd >= 0 && !found && at <= 65536; at *= 2)
        found = pread(fd, head, sizeof head, at) == (ssize_t)sizeof head &&
                memcmp(head, signature, sizeof signature) == 0;
    if (fd >= 0)
        close(fd);
    return found;
}

static MaeStatus take_names(MaeDatasetContent *content, const MaeH5Images *images,
                            const char *path, MaeError *err)
{
    const size_t classes = content->info.classes;

    if (mae_h5images_class(images, 0) == NULL)
        return MAE_OK;
    content->classes = calloc(classes, sizeof *content->classes);
    for (size_t i = 0; content->classes != NULL && i < classes; i++) {
        content->classes[i] = strdup(mae_h5images_class(images, i));
        if (content->classes[i] == NULL)
            MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': out of memory for its classes",
                     path);
    }
    if (content->classes == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': out of memory for its classes", path);
    return MAE_OK;
}

static MaeStatus take_labels(MaeDatasetContent *content, const MaeH5Images *images,
                             const char *path, MaeError *err)
{
    const size_t count = content->info.count;

    content->labels = malloc(count * sizeof *content->labels);
    if (content->labels == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': out of memory for %zu labels", path,
                 count);
    for (size_t i = 0; i < count; i++)
        content->labels[i] = mae_h5images_label(images, i);
    content->info.classes = mae_h5images_classes(images);
    return take_names(content, images, path, err);
}

static MaeStatus open_stack(void *ctx, MaeDatasetContent *content,
                            const MaeDatasetPath *path, const MaeDatasetOptions *opt,
                            MaeError *err)
{
    static const MaePixel types[] = {MAE_PIXEL_U8, MAE_PIXEL_U16, MAE_PIXEL_F32};
    const char *slash = strrchr(path->text, '/');
    Stack *stack = ctx;
    int pixel = 0;

    stack->has_lock = pthread_mutex_init(&stack->lock, NULL) == 0;
    if (!stack->has_lock)
        MAE_FAIL(err, MAE_ERR_NOMEM, "dataset '%s': no lock to be had", path->text);
    snprintf(stack->name, sizeof stack->name, "%s",
             slash == NULL ? path->text : slash + 1);
    MAE_TRY(mae_h5images_open(&stack->images, path->text, err));
    mae_h5images_shape(stack->images, &content->info.count, &stack->height, &stack->width,
                       &stack->channels, &pixel);
    stack->type = types[pixel];
    content->info.height = stack->height;
    content->info.width = stack->width;
    content->info.channels = stack->channels;
    content->info.serial = !mae_h5images_parallel(stack->images);
    if (opt->unlabelled || !mae_h5images_has_labels(stack->images))
        return MAE_OK;
    return take_labels(content, stack->images, path->text, err);
}

static MaeStatus read_stack(void *ctx, size_t index, MaeImage *img, MaeError *err)
{
    Stack *stack = ctx;
    MaeStatus status;

    MAE_TRY(mae_image_reshape(img, stack->height, stack->width, stack->channels,
                              stack->type, err));
    if (mae_h5images_parallel(stack->images))
        return mae_h5images_read(stack->images, index, img->data, err);
    pthread_mutex_lock(&stack->lock);
    status = mae_h5images_read(stack->images, index, img->data, err);
    pthread_mutex_unlock(&stack->lock);
    return status;
}

static void describe(const void *ctx, size_t index, char *text, size_t size)
{
    snprintf(text, size, "%s[%zu]", ((const Stack *)ctx)->name, index);
}

static void close_stack(void *ctx)
{
    Stack *stack = ctx;

    mae_h5images_close(stack->images);
    if (stack->has_lock)
        pthread_mutex_destroy(&stack->lock);
    *stack = (Stack){0};
}

const MaeDatasetDriver mae_ds_hdf5 = {
    .name = "hdf5",
    .ctx_size = sizeof(Stack),
    .probe = probe,
    .open = open_stack,
    .read = read_stack,
    .describe = describe,
    .close = close_stack,
};
