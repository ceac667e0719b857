#define _DEFAULT_SOURCE /* d_type */
#include "data/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/driver.h"
#include "image/image.h"

/* Never wait for the other end of a FIFO that has the name of an image. */
#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_CLOEXEC)
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

typedef enum EntryKind { ENTRY_FILE, ENTRY_FOLDER, ENTRY_OTHER } EntryKind;

typedef struct Entry {
    char *name;
    EntryKind kind;
} Entry;

/* Content of one folder, sorted. */
typedef struct Entries {
    Entry *items;
    size_t count, capacity;
} Entries;

typedef struct FolderId {
    dev_t device;
    ino_t inode;
} FolderId;

/* One walk: the folders it has entered, as an open-addressed hash set. */
typedef struct Walk {
    MaeFiles *files;
    FolderId *seen;
    size_t count, capacity; /* capacity a power of two or 0 */
} Walk;

static MaeStatus out_of_memory(const char *folder, MaeError *err)
{
    MAE_FAIL(err, MAE_ERR_NOMEM, "folder '%s': out of memory for its file names", folder);
}

/* A shortage of the machine must not pass for a fault of the file. */
static MaeStatus status_of(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOMEM ? MAE_ERR_NOMEM
                                                              : MAE_ERR_IO;
}

/* Links that lead nowhere count as files: whoever reads them gets the error. */
static EntryKind kind_of(int folder, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type == DT_REG)
        return ENTRY_FILE;
    if (entry->d_type == DT_DIR)
        return ENTRY_FOLDER;
    if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
        return ENTRY_OTHER;
    if (fstatat(folder, entry->d_name, &st, 0) != 0 || S_ISREG(st.st_mode))
        return ENTRY_FILE;
    return S_ISDIR(st.st_mode) ? ENTRY_FOLDER : ENTRY_OTHER;
}

static bool has_image_name(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png"};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot != NULL && i < sizeof endings / sizeof *endings; i++) {
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    }
    return false;
}

static bool is_image(int folder, const char *path)
{
    unsigned char head[16];
    struct stat st;
    ssize_t got = 0;
    int fd;

    if (has_image_name(path))
        return true;
    fd = openat(folder, path, READ_FLAGS);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        got = read(fd, head, sizeof head);
    close(fd);
    return got > 0 && mae_image_sniff(head, (size_t)got) != MAE_IMAGE_UNKNOWN;
}

static void entries_done(Entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->items[i].name);
    free(entries->items);
    *entries = (Entries){0};
}

static bool entries_add(Entries *entries, const char *name, EntryKind kind)
{
    if (entries->count == entries->capacity) {
        const size_t capacity = entries->capacity == 0 ? 64 : 2 * entries->capacity;
        Entry *items = realloc(entries->items, capacity * sizeof *items);

        if (items == NULL)
            return false;
        entries->items = items;
        entries->capacity = capacity;
    }
    entries->items[entries->count] = (Entry){strdup(name), kind};
    if (entries->items[entries->count].name == NULL)
        return false;
    entries->count++;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const Entry *)a)->name, ((const Entry *)b)->name);
}

/* Takes over @p fd. On failure @p entries is empty. */
static MaeStatus list(Entries *entries, int fd, const char *folder, MaeError *err)
{
    DIR *dir = fdopendir(fd);
    const struct dirent *entry;
    MaeStatus status = MAE_OK;

    *entries = (Entries){0};
    if (dir == NULL) {
        close(fd);
        return out_of_memory(folder, err);
    }
    while (errno = 0, status == MAE_OK && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.' &&
            !entries_add(entries, entry->d_name, kind_of(dirfd(dir), entry)))
            status = out_of_memory(folder, err);
    }
    if (status == MAE_OK && errno != 0)
        status =
            mae_error_set(err, MAE_ERR_IO, __FILE__, __LINE__,
                          "folder '%s': cannot be read: %s", folder, strerror(errno));
    closedir(dir);
    if (status != MAE_OK)
        entries_done(entries);
    else if (entries->count > 0)
        qsort(entries->items, entries->count, sizeof *entries->items, by_name);
    return status;
}

/* The slot that holds @p id, or the empty one (inode 0) where it belongs. */
static FolderId *seen_slot(FolderId *seen, size_t capacity, FolderId id)
{
    const uint64_t hash =
        ((uint64_t)id.inode ^ (uint64_t)id.device << 40) * 0x9E3779B97F4A7C15u;
    size_t slot = (size_t)(hash >> 32) & (capacity - 1);

    while (seen[slot].inode != 0 &&
           (seen[slot].inode != id.inode || seen[slot].device != id.device))
        slot = (slot + 1) & (capacity - 1);
    return &seen[slot];
}

static bool seen_grow(Walk *walk)
{
    const size_t capacity = walk->capacity == 0 ? 64 : 2 * walk->capacity;
    FolderId *seen = calloc(capacity, sizeof *seen);

    if (seen == NULL)
        return false;
    for (size_t i = 0; i < walk->capacity; i++) {
        if (walk->seen[i].inode != 0)
            *seen_slot(seen, capacity, walk->seen[i]) = walk->seen[i];
    }
    free(walk->seen);
    walk->seen = seen;
    walk->capacity = capacity;
    return true;
}

/* Enter a folder. @param[out] again it had been entered before. */
static MaeStatus seen_add(Walk *walk, int fd, const char *folder, bool *again,
                          MaeError *err)
{
    struct stat st;
    FolderId *slot;

    if (fstat(fd, &st) != 0)
        MAE_FAIL(err, MAE_ERR_IO, "folder '%s': %s", folder, strerror(errno));
    if (2 * walk->count >= walk->capacity && !seen_grow(walk))
        return out_of_memory(folder, err);
    slot = seen_slot(walk->seen, walk->capacity, (FolderId){st.st_dev, st.st_ino});
    *again = slot->inode != 0;
    if (!*again) {
        *slot = (FolderId){st.st_dev, st.st_ino};
        walk->count++;
    }
    return MAE_OK;
}

static bool text_reserve(MaeFiles *files, size_t more)
{
    if (more > files->text_capacity - files->text_size) {
        const size_t capacity = 2 * files->text_capacity + more + 4096;
        char *text = realloc(files->text, capacity);

        if (text == NULL)
            return false;
        files->text = text;
        files->text_capacity = capacity;
    }
    if (files->count == files->capacity) {
        const size_t capacity = 2 * files->capacity + 64;
        size_t *offset = realloc(files->offset, capacity * sizeof *offset);

        if (offset == NULL)
            return false;
        files->offset = offset;
        files->capacity = capacity;
    }
    return true;
}

static bool append(MaeFiles *files, const char *path)
{
    const size_t size = strlen(path) + 1;

    if (!text_reserve(files, size))
        return false;
    files->offset[files->count++] = files->text_size;
    memcpy(files->text + files->text_size, path, size);
    files->text_size += size;
    return true;
}

static bool add_file(MaeFiles *files, const char *path)
{
    if (is_image(files->root, path))
        return append(files, path);
    if (files->ignored++ == 0)
        snprintf(files->first_ignored, sizeof files->first_ignored, "%s", path);
    return true;
}

static MaeStatus walk_folder(Walk *walk, const char *folder, MaeError *err);

static MaeStatus walk_entry(Walk *walk, const char *folder, const Entry *entry,
                            MaeError *err)
{
    const size_t size = strlen(folder) + strlen(entry->name) + 2;
    char *path;
    MaeStatus status = MAE_OK;

    if (entry->kind == ENTRY_OTHER)
        return MAE_OK;
    path = malloc(size);
    if (path == NULL)
        return out_of_memory(folder, err);
    snprintf(path, size, "%s%s%s", folder, folder[0] == '\0' ? "" : "/", entry->name);
    if (entry->kind == ENTRY_FOLDER)
        status = walk_folder(walk, path, err);
    else if (!add_file(walk->files, path))
        status = out_of_memory(folder, err);
    free(path);
    return status;
}

static MaeStatus walk_folder(Walk *walk, const char *folder, MaeError *err)
{
    MaeFiles *files = walk->files;
    const int fd = openat(files->root, folder[0] == '\0' ? "." : folder, FOLDER_FLAGS);
    Entries entries = {0};
    bool again = false;
    MaeStatus status;

    if (fd < 0)
        MAE_FAIL(err, status_of(errno), "folder '%s': cannot be opened: %s", folder,
                 strerror(errno));
    status = seen_add(walk, fd, folder, &again, err);
    if (status != MAE_OK || again) {
        if (again && files->repeated++ == 0)
            snprintf(files->first_repeated, sizeof files->first_repeated, "%s", folder);
        close(fd);
        return status;
    }
    status = list(&entries, fd, folder, err);
    for (size_t i = 0; status == MAE_OK && i < entries.count; i++)
        status = walk_entry(walk, folder, &entries.items[i], err);
    entries_done(&entries);
    return status;
}

MaeStatus mae_files_open(MaeFiles *files, const char *path, MaeError *err)
{
    int fd = open(path, FOLDER_FLAGS);

    *files = (MaeFiles){0};
    if (fd == 0) { /* stdin is closed; 0 means no root */
        fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
        close(0);
    }
    if (fd < 0)
        MAE_FAIL(err, status_of(errno), "folder '%s': cannot be opened: %s", path,
                 strerror(errno));
    files->root = fd;
    return MAE_OK;
}

void mae_files_close(MaeFiles *files)
{
    if (files->root > 0)
        close(files->root);
    free(files->offset);
    free(files->text);
    *files = (MaeFiles){0};
}

MaeStatus mae_files_walk(MaeFiles *files, const char *folder, MaeError *err)
{
    Walk walk = {.files = files};
    bool again;
    MaeStatus status = MAE_OK;

    if (folder[0] != '\0') /* a link to the root would draw every class into this one */
        status = seen_add(&walk, files->root, ".", &again, err);
    if (status == MAE_OK)
        status = walk_folder(&walk, folder, err);
    free(walk.seen);
    return status;
}

MaeStatus mae_files_add(MaeFiles *files, const char *path, MaeError *err)
{
    return append(files, path) ? MAE_OK : out_of_memory(path, err);
}

bool mae_dataset_is_image(const char *path)
{
    return is_image(AT_FDCWD, path);
}

const char *mae_files_name(const MaeFiles *files, size_t index)
{
    return files->text + files->offset[index];
}

static MaeStatus read_all(int fd, MaeReadBuffer *buffer, size_t *size, size_t max_size,
                          MaeError *err)
{
    struct stat st;
    size_t want, done = 0;

    if (fstat(fd, &st) != 0)
        MAE_FAIL(err, MAE_ERR_IO, "cannot be examined: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        MAE_FAIL(err, MAE_ERR_FORMAT, "not a regular file");
    if (st.st_size == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "the file is empty");
    if ((uintmax_t)st.st_size > max_size)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%ju bytes exceed the limit of %zu for an image",
                 (uintmax_t)st.st_size, max_size);
    want = (size_t)st.st_size;
    MAE_TRY(mae_read_buffer_reserve(buffer, want, err));
    while (done < want) {
        const ssize_t got = read(fd, buffer->data + done, want - done);

        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        if (got > 0)
            done += (size_t)got;
    }
    if (done < want)
        MAE_FAIL(err, MAE_ERR_IO, "only %zu of %zu bytes could be read", done, want);
    *size = want;
    return MAE_OK;
}

MaeStatus mae_files_load(const MaeFiles *files, size_t index, MaeReadBuffer *buffer,
                         size_t *size, size_t max_size, MaeError *err)
{
    const int fd = openat(files->root, mae_files_name(files, index), READ_FLAGS);
    MaeStatus status;

    if (fd < 0)
        MAE_FAIL(err, status_of(errno), "cannot be opened: %s", strerror(errno));
    status = read_all(fd, buffer, size, max_size, err);
    close(fd);
    return status;
}

void mae_files_report(const MaeFiles *files, const char *path, const MaeLog *log)
{
    if (files->ignored > 0)
        mae_log(log, MAE_LOG_WARN, "dataset '%s': %zu files are no images, first '%s'",
                path, files->ignored, files->first_ignored);
    if (files->repeated > 0)
        mae_log(log, MAE_LOG_WARN,
                "dataset '%s': %zu links to folders met before left out, first '%s'",
                path, files->repeated, files->first_repeated);
}

MaeStatus mae_folders_list(MaeFolders *folders, const char *path, MaeError *err)
{
    const int fd = open(path, FOLDER_FLAGS);
    Entries entries;
    size_t kept = 0;

    if (fd < 0)
        MAE_FAIL(err, status_of(errno), "folder '%s': cannot be opened: %s", path,
                 strerror(errno));
    MAE_TRY(list(&entries, fd, path, err));
    folders->names = calloc(entries.count + 1, sizeof *folders->names);
    if (folders->names == NULL) {
        entries_done(&entries);
        return out_of_memory(path, err);
    }
    for (size_t i = 0; i < entries.count; i++) {
        if (entries.items[i].kind == ENTRY_FOLDER) {
            folders->names[kept++] = entries.items[i].name;
            entries.items[i].name = NULL;
        }
    }
    folders->count = kept;
    entries_done(&entries);
    return MAE_OK;
}

void mae_folders_done(MaeFolders *folders)
{
    for (size_t i = 0; i < folders->count; i++)
        free(folders->names[i]);
    free(folders->names);
    *folders = (MaeFolders){0};
}

void mae_folder_scan(const char *path, bool *has_images, bool *has_folders)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    *has_images = *has_folders = false;
    while (dir != NULL && !*has_images && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        switch (kind_of(dirfd(dir), entry)) {
        case ENTRY_FILE:
            *has_images = is_image(dirfd(dir), entry->d_name);
            break;
        case ENTRY_FOLDER:
            *has_folders = true;
            break;
        case ENTRY_OTHER:
            break;
        }
    }
    if (dir != NULL)
        closedir(dir);
}
