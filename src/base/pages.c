#define _DEFAULT_SOURCE /* madvise, MAP_ANONYMOUS */

#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define ALIGN 64

static bool is_large(size_t size)
{
    return size >= 2 * HUGE_PAGE;
}

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* Huge pages are aligned: what is mapped around the block for that goes back at once. */
static void *map(size_t size)
{
    char *all = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;

    if (all == MAP_FAILED)
        return NULL;
    before = (HUGE_PAGE - (uintptr_t)all % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0)
        (void)munmap(all, before);
    if (before < HUGE_PAGE)
        (void)munmap(all + before + size, HUGE_PAGE - before);
#ifdef MADV_HUGEPAGE
    (void)madvise(all + before, size, MADV_HUGEPAGE);
#endif
    return all + before;
}

void *mae_pages_alloc(size_t size)
{
    void *block;

    if (size > SIZE_MAX - 2 * HUGE_PAGE)
        return NULL;
    if (is_large(size))
        return map(round_up(size, HUGE_PAGE));
    block = aligned_alloc(ALIGN, round_up(size, ALIGN));
    if (block != NULL)
        memset(block, 0, size);
    return block;
}

void mae_pages_free(void *block, size_t size)
{
    if (block != NULL && is_large(size))
        (void)munmap(block, round_up(size, HUGE_PAGE));
    else
        free(block);
}

bool mae_pages_fit(size_t size)
{
    void *block = mae_pages_alloc(size);

    mae_pages_free(block, size);
    return block != NULL;
}
