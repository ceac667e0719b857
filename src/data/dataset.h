/**
 * @file dataset.h
 * Samples by index, whatever holds them: image folders, tar, IDX and HDF5 files.
 *
 * The kind is detected from the path, files by content and never by name:
 *   folders  a folder that holds only sub-folders: each is a class, in byte order of the
 *            names; content of a class may be nested; a class without images is an error
 *   flat     a folder with images in it, nested folders included: unlabelled
 *   idx      MNIST family, gzipped or not: "DIR" (the file *train-images-idx3-ubyte[.gz]
 *            in it), "DIR:test" (*t10k- or *test-images-...) or the file of images
 *            itself; "images-idx3" becomes "labels-idx1" in the name of the labels, and
 *            without such a file the images are unlabelled. A folder with several files
 *            of one kind (EMNIST) is an ARG error: name the file
 *   hdf5     a file with a data set `images`, see store/h5images.h
 *   tar      a tar archive of images in WebDataset's naming, see tar_index.h, or a folder
 *            of such files "*.tar" (in byte order) without images and folders beside them
 * In image folders hidden files are skipped and symbolic links are followed; a folder
 * reached again within one class (a loop) is left out with a warning. A file is a sample
 * if its name ends as JPEG or PNG files do or if its first bytes are those of one; what
 * it really is shows when it is read.
 *
 * Shapes   Every read of a dataset yields the same number of channels, info->channels.
 * Memory   Folders and archives keep the names of files, gzipped IDX files their unpacked
 *          content (at most 4 GiB); raw IDX, HDF5 and archives stay on disk.
 * Errors   open: IO (unreadable), FORMAT (nothing usable, damaged), ARG (a path that does
 *          not exist or is neither file nor folder, channels that cannot be had). read:
 *          FORMAT, SHAPE, IO, NUMERIC mean that this sample is bad; NOMEM that the
 *          machine is short of memory or file descriptors.
 * Threads  An open dataset is read-only: any number of threads may read, each with its
 *          own image and buffer. HDF5 files that are compressed or chunked are read one
 *          image at a time (info->serial).
 */
#ifndef MAE_DATA_DATASET_H
#define MAE_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "image/image.h"

typedef struct MaeDataset MaeDataset;

typedef struct MaeDatasetOptions {
    size_t in_chans;       /* channels to deliver; 0: as the data has them */
    bool unlabelled;       /* labels are not wanted: folders need not be classes */
    bool exif;             /* turn JPEGs as their EXIF orientation says */
    MaeImageLimits limits; /* of JPEG and PNG files; zero in a field: its default */
    const MaeLog *log;     /* NULL: silent; used during open only */
} MaeDatasetOptions;

/** Filled by open, constant afterwards. */
typedef struct MaeDatasetInfo {
    const char *kind;     /* "folders", "flat", "idx", "hdf5", "tar", "files", "joined" */
    size_t count;         /* samples, at least 1 */
    size_t classes;       /* 0 if unlabelled */
    size_t channels;      /* of every image read, at least 1 */
    size_t height, width; /* 0 if they vary */
    bool labelled;
    bool serial;  /* reads do not run in parallel */
    bool encoded; /* samples are JPEG or PNG files, decoded by each read */
} MaeDatasetInfo;

/** Bytes of a file on their way to the decoder; zero-initialise, one per thread. */
typedef struct MaeReadBuffer {
    unsigned char *data;
    size_t capacity;
} MaeReadBuffer;

/**
 * Open the dataset at @p path. With in_chans 0 up to 16 samples are decoded: all grey
 * gives 1 channel, otherwise 3; IDX has 1, HDF5 what its shape says.
 * @param[out] ds owned by the caller; untouched on failure.
 * @param opt NULL: all zero.
 */
MaeStatus mae_dataset_open(MaeDataset **ds, const char *path,
                           const MaeDatasetOptions *opt, MaeError *err);

/**
 * The same for single JPEG and PNG files: an unlabelled data set of kind "files".
 * @param paths [count] at least one; kept as the samples' names.
 */
MaeStatus mae_dataset_open_files(MaeDataset **ds, const char *const *paths, size_t count,
                                 const MaeDatasetOptions *opt, MaeError *err);

/** Does the file at @p path count as an image? By its name or its first bytes. */
bool mae_dataset_is_image(const char *path);

/** Accepts NULL; no read may be running. */
void mae_dataset_close(MaeDataset *ds);

/** Lives as long as the dataset. */
const MaeDatasetInfo *mae_dataset_info(const MaeDataset *ds);

/** Class of sample @p index, 0 .. classes-1; -1 if unlabelled. */
int64_t mae_dataset_label(const MaeDataset *ds, size_t index);

/** Name of class @p label < classes (folder name, or the number as text). */
const char *mae_dataset_class(const MaeDataset *ds, size_t label);

/** Classes of something; borrowed. */
typedef struct MaeClasses {
    const char *what, *path; /* to the user: "data.train", "/data/cats" */
    size_t count;
    const char *const *names; /* [count]; NULL: those of ds */
    const MaeDataset *ds;     /* NULL if there is none; without names any name fits */
} MaeClasses;

/** Classes of a data set. */
MaeClasses mae_dataset_classes(const MaeDataset *ds, const char *what, const char *path);

/** Name of class @p i < count; NULL if any name fits. */
const char *mae_classes_name(const MaeClasses *classes, size_t i);

/**
 * ARG unless both are the same in number, name and order: how many names only one of them
 * has, and the first of these, or the first that stands elsewhere. NOMEM.
 */
MaeStatus mae_classes_expect_same(const MaeClasses *a, const MaeClasses *b,
                                  MaeError *err);

/** Write what to call a sample in messages: "cat/1.jpg", "images.gz[7]"; cut to fit. */
void mae_dataset_name(const MaeDataset *ds, size_t index, char *text, size_t size);

/**
 * Decode one sample.
 * @param[out] img info->channels channels, pixel type as stored; finite.
 * @param buffer grown as needed.
 */
MaeStatus mae_dataset_read(const MaeDataset *ds, size_t index, MaeImage *img,
                           MaeReadBuffer *buffer, MaeError *err);

/**
 * Bring in the JPEG or PNG file that a sample is stored as, undecoded.
 * @param[out] size bytes in @p buffer.
 * @return ARG unless info->encoded; IO, FORMAT (empty, or larger than an image may be).
 */
MaeStatus mae_dataset_load(const MaeDataset *ds, size_t index, MaeReadBuffer *buffer,
                           size_t *size, MaeError *err);

/**
 * As mae_dataset_read, but only what @p chooser needs of it has to be there;
 * img->picture says what is. A JPEG's damage behind that part may go unnoticed, the same
 * in every run. @param chooser NULL: all. An image that is turned comes whole.
 */
MaeStatus mae_dataset_read_part(const MaeDataset *ds, size_t index,
                                const MaeChooser *chooser, MaeImage *img,
                                MaeReadBuffer *buffer, MaeError *err);

/**
 * The same for its size, img->picture.height and width, its pixel type and channels:
 * a JPEG's pixels are hardly decoded.
 */
MaeStatus mae_dataset_peek(const MaeDataset *ds, size_t index, MaeImage *img,
                           MaeReadBuffer *buffer, MaeError *err);

/** Release the bytes; accepts a zeroed buffer. */
void mae_read_buffer_done(MaeReadBuffer *buffer);

#endif /* MAE_DATA_DATASET_H */
