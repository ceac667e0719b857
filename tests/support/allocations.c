#include "support/allocations.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
static atomic_size_t everywhere;       /* allocations of all threads */
static size_t fail_at;                 /* the one that fails, from 1; 0: none */
static _Thread_local size_t of_thread; /* allocations of this one */

static bool refused(void)
{
    of_thread++;
    return atomic_fetch_add(&everywhere, 1) + 1 == fail_at;
}

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return refused() ? NULL : __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return refused() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return refused() ? NULL : __real_strdup(text);
}

void test_allocations_fail(size_t n)
{
    atomic_store(&everywhere, 0);
    fail_at = n;
}

size_t test_allocations(void)
{
    return atomic_load(&everywhere);
}

size_t test_allocations_of_thread(void)
{
    return of_thread;
}
