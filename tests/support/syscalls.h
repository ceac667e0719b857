/**
 * @file syscalls.h
 * System calls that write, and fail as a test plans: for programs that are linked with
 * --wrap for each of them (tests/train/meson.build).
 *
 * Only calls that change something count: a close of what was written, an unlink or mkdir
 * that finds something to do. fsync is counted and does nothing: no disk is waited for.
 *
 * Threads  One thread writes.
 */
#ifndef MAE_TESTS_SUPPORT_SYSCALLS_H
#define MAE_TESTS_SUPPORT_SYSCALLS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum TestCall {
    TEST_WRITE,
    TEST_PWRITE,
    TEST_FTRUNCATE,
    TEST_FSYNC,
    TEST_RENAME,
    TEST_LINK,
    TEST_CLOSE,
    TEST_MKDIR,
    TEST_UNLINK,
    TEST_CREATE, /* open with O_CREAT */
    TEST_CALLS
} TestCall;

/** Which call fails, and how. */
typedef struct TestFault {
    int error;      /* errno; 0: a write is cut short, which is legal */
    unsigned calls; /* 1 << TestCall: those that count */
    bool lasting;   /* all that follow fail too */
} TestFault;

/** Call @p n from now, counted from 1, fails (0: none, they are only counted). */
void test_syscalls_begin(const TestFault *fault, size_t n);

/** Nothing fails any more. @return calls that were counted */
size_t test_syscalls_end(void);

/** Which call the n-th was that was counted last, from 1. */
TestCall test_syscalls_call(size_t n);

/** Name of the call that failed last, "none" if none did since test_syscalls_begin. */
const char *test_syscalls_failed(void);

#endif /* MAE_TESTS_SUPPORT_SYSCALLS_H */
