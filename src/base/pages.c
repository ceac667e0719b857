#define _DEFAULT_SOURCE /* madvise */

#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define ALIGN 64

void *mae_pages_alloc(size_t size)
{
    const size_t align = size >= 2 * HUGE_PAGE ? HUGE_PAGE : ALIGN;
    void *block;

    if (size > SIZE_MAX - align)
        return NULL;
    block = aligned_alloc(align, (size + align - 1) / align * align);
#ifdef MADV_HUGEPAGE
    if (block != NULL && align == HUGE_PAGE)
        (void)madvise(block, size / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return block;
}
