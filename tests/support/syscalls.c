#include "support/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __real_pwrite64(int fd, const void *bytes, size_t size, off_t offset);
int __real_ftruncate64(int fd, off_t size);
int __real_rename(const char *from, const char *to);
int __real_link(const char *from, const char *to);
int __real_close(int fd);
int __real_mkdir(const char *path, mode_t mode);
int __real_unlink(const char *path);
int __real_open64(const char *path, int flags, ...);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off_t offset);
int __wrap_ftruncate64(int fd, off_t size);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);
int __wrap_close(int fd);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_unlink(const char *path);
int __wrap_open64(const char *path, int flags, ...);

static TestFault plan; /* no calls: nothing is counted */
static size_t seen, fail_at;
static const char *failed = "none";
static unsigned char calls[8192]; /* the first of them */

void test_syscalls_begin(const TestFault *fault, size_t n)
{
    plan = *fault;
    seen = 0;
    fail_at = n;
    failed = "none";
}

size_t test_syscalls_end(void)
{
    plan.calls = 0;
    return seen;
}

TestCall test_syscalls_call(size_t n)
{
    return n <= sizeof calls ? (TestCall)calls[n - 1] : TEST_CALLS;
}

const char *test_syscalls_failed(void)
{
    return failed;
}

/* Count a call. @return true if it is to fail; errno is set. */
static bool fails(TestCall call)
{
    static const char *const NAMES[TEST_CALLS] = {
        "write", "pwrite", "ftruncate", "fsync",  "rename",
        "link",  "close",  "mkdir",     "unlink", "open"};

    if ((plan.calls & 1u << call) == 0)
        return false;
    if (seen < sizeof calls)
        calls[seen] = (unsigned char)call;
    seen++;
    if (fail_at == 0 || (plan.lasting ? seen < fail_at : seen != fail_at))
        return false;
    failed = NAMES[call];
    errno = plan.error;
    return true;
}

/* What goes to another process does not get onto a disk. */
static bool is_pipe(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* Half of it is written by the one that fails. */
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    if (is_pipe(fd) || !fails(TEST_WRITE))
        return __real_write(fd, bytes, size);
    if (plan.error == EINTR || plan.error == 0 || size < 2)
        return plan.error != 0 ? -1 : __real_write(fd, bytes, (size + 1) / 2);
    (void)!__real_write(fd, bytes, size / 2);
    errno = plan.error;
    return -1;
}

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off_t offset)
{
    if (!fails(TEST_PWRITE))
        return __real_pwrite64(fd, bytes, size, offset);
    return plan.error != 0 ? -1 : __real_pwrite64(fd, bytes, (size + 1) / 2, offset);
}

int __wrap_ftruncate64(int fd, off_t size)
{
    return fails(TEST_FTRUNCATE) ? -1 : __real_ftruncate64(fd, size);
}

int __wrap_fsync(int fd)
{
    (void)fd;
    return fails(TEST_FSYNC) ? -1 : 0;
}

int __wrap_rename(const char *from, const char *to)
{
    return fails(TEST_RENAME) ? -1 : __real_rename(from, to);
}

int __wrap_link(const char *from, const char *to)
{
    return fails(TEST_LINK) ? -1 : __real_link(from, to);
}

/* Linux closes in any case. A file that was only read loses nothing. */
int __wrap_close(int fd)
{
    const int flags = fcntl(fd, F_GETFL);
    const bool failing =
        flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && fails(TEST_CLOSE);
    const int number = errno, result = __real_close(fd);

    if (failing)
        errno = number;
    return failing ? -1 : result;
}

/* What is there, or is not, would be answered as ever. */
int __wrap_mkdir(const char *path, mode_t mode)
{
    return access(path, F_OK) != 0 && fails(TEST_MKDIR) ? -1 : __real_mkdir(path, mode);
}

int __wrap_unlink(const char *path)
{
    return access(path, F_OK) == 0 && fails(TEST_UNLINK) ? -1 : __real_unlink(path);
}

int __wrap_open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list list;

    if ((flags & O_CREAT) != 0) {
        va_start(list, flags);
        mode = va_arg(list, mode_t);
        va_end(list);
        if (fails(TEST_CREATE))
            return -1;
    }
    return __real_open64(path, flags, mode);
}
