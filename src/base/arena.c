#include "base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/available.h"
#include "base/pages.h"

#if defined(__SANITIZE_ADDRESS__)
#define MAE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAE_ASAN 1
#endif
#endif

#ifdef MAE_ASAN
#include <sanitizer/asan_interface.h>
#define RED_ZONE ((size_t)MAE_ALIGN)
#define POISON(p, n) __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define RED_ZONE ((size_t)0)
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

/* Bytes requested and used, before padding: far from where sums wrap around. */
#define LARGEST (SIZE_MAX / 4)

/* Below this a request is not worth asking the system. */
#define SMALL ((size_t)64 << 20)

MaeArena mae_arena_measure(void)
{
    return (MaeArena){.base = NULL};
}

MaeStatus mae_arena_open(MaeArena *arena, const MaeArena *measured, const char *what,
                         MaeError *err)
{
    const size_t size = measured->used > 0 ? measured->used : MAE_ALIGN;
    unsigned char *base;

    if (measured->failed)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: sizes overflow the address space", what);
    if (size > SMALL && size > mae_available_memory())
        MAE_FAIL(
            err, MAE_ERR_NOMEM,
            "%s: %.1f MB are needed, %.1f MB of memory are free; a smaller batch, image "
            "or model needs less",
            what, (double)size / 1e6, (double)mae_available_memory() / 1e6);
    base = mae_pages_alloc(size);
    if (base == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: cannot allocate %.1f MB", what,
                 (double)size / 1e6);
    POISON(base, size);
    *arena = (MaeArena){.base = base, .size = size};
    return MAE_OK;
}

void mae_arena_close(MaeArena *arena)
{
    if (arena == NULL || arena->base == NULL)
        return;
    UNPOISON(arena->base, arena->size);
    mae_pages_free(arena->base, arena->size);
    *arena = (MaeArena){.base = NULL};
}

void *mae_arena_bytes(MaeArena *arena, size_t count, size_t size)
{
    const size_t room = LARGEST - arena->used;
    size_t bytes, step;
    void *p = NULL;

    assert(size > 0);
    if (arena->failed || arena->used > LARGEST || count > room / size) {
        arena->failed = true;
        return NULL;
    }
    bytes = count * size;
    step = (bytes + MAE_ALIGN - 1) / MAE_ALIGN * MAE_ALIGN + RED_ZONE;
    if (arena->size > 0) {
        if (step > arena->size - arena->used) {
            arena->failed = true;
            return NULL;
        }
        p = arena->base + arena->used;
        UNPOISON(p, bytes);
    }
    arena->used += step;
    return p;
}

float *mae_arena_floats(MaeArena *arena, size_t count)
{
    return mae_arena_bytes(arena, count, sizeof(float));
}

size_t mae_arena_mark(const MaeArena *arena)
{
    return arena->used;
}

void mae_arena_reset(MaeArena *arena, size_t mark)
{
    assert(mark <= arena->used);
    if (arena->base != NULL)
        POISON(arena->base + mark, arena->used - mark);
    arena->used = mark;
}

MaeStatus mae_arena_check(const MaeArena *arena, const char *what, MaeError *err)
{
    if (arena->failed)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: planned memory does not suffice", what);
    return MAE_OK;
}
