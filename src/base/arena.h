/**
 * @file arena.h
 * Planned memory: count first, then carve the same requests from one block.
 *
 * A reserve() function is written once and run twice: on a measuring arena, which has no
 * memory and only adds up bytes, and on a carving arena of exactly that size. Sizes
 * therefore cannot drift from pointers.
 *
 * Shapes   Every request is aligned to 64 bytes; sizes are checked for overflow.
 * Memory   One block per arena, owned by it; pointers live until close (or reset).
 *          Under AddressSanitizer requests are separated by red zones and memory given
 *          back by reset is poisoned.
 * Errors   A request that fails returns NULL and sets a sticky flag, read once after
 *          carving with mae_arena_check().
 * Threads  An arena belongs to one thread at a time.
 */
#ifndef MAE_BASE_ARENA_H
#define MAE_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define MAE_ALIGN 64

/** Zero-initialised is closed. */
typedef struct MaeArena {
    unsigned char *base; /* NULL while measuring */
    size_t size;         /* bytes of the block */
    size_t used;         /* bytes handed out, padding included */
    bool failed;         /* overflow, or the block was too small */
} MaeArena;

/** A measuring arena: requests return NULL and only count. */
MaeArena mae_arena_measure(void);

/**
 * Allocate a zero-filled block for what @p measured counted.
 * @param[out] arena untouched on failure.
 * @param what names the arena in the error, e.g. "activations".
 * Errors: NOMEM, also for more than the memory that is free now: the system would hand it
 * out and kill the process later.
 */
MaeStatus mae_arena_open(MaeArena *arena, const MaeArena *measured, const char *what,
                         MaeError *err);

/** Release the block; accepts a zeroed or closed arena. */
void mae_arena_close(MaeArena *arena);

/** @return count * size bytes, aligned; NULL while measuring or on failure. */
void *mae_arena_bytes(MaeArena *arena, size_t count, size_t size);

/** @return @p count floats, aligned; NULL while measuring or on failure. */
float *mae_arena_floats(MaeArena *arena, size_t count);

/** Position to return to with mae_arena_reset. */
size_t mae_arena_mark(const MaeArena *arena);

/** Give back everything carved since @p mark. */
void mae_arena_reset(MaeArena *arena, size_t mark);

/** MAE_ERR_NOMEM if any request failed. @param what names the arena in the error. */
MaeStatus mae_arena_check(const MaeArena *arena, const char *what, MaeError *err);

#endif /* MAE_BASE_ARENA_H */
