/**
 * @file events.h
 * TensorBoard event files: scalars over steps.
 *
 * A file is a sequence of TFRecords: u64 length | u32 masked CRC32C of it | data | u32
 * masked CRC32C of the data, with mask(c) = ((c >> 15) | (c << 17)) + 0xa282ead8. The
 * data are a protobuf Event {1: double wall_time, 2: int64 step, 3: string file_version |
 * 5: Summary {1: Value {1: string tag, 2: float simple_value}}}.
 *
 * Source   tensorflow/core: util/event.proto, framework/summary.proto,
 *          lib/io/record_writer.cc.
 * Errors   IO.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_STORE_EVENTS_H
#define MAE_STORE_EVENTS_H

#include <stdint.h>

#include "base/status.h"

typedef struct MaeEvents MaeEvents;

/** Start "events.out.tfevents.<seconds>.<host>.<pid>.<n>" in an existing folder. */
MaeStatus mae_events_open(MaeEvents **events, const char *folder, MaeError *err);

/** NULL is fine. */
void mae_events_close(MaeEvents *events);

/**
 * Append one value, stamped with the wall time.
 * @param tag at most 255 bytes, e.g. "train/loss".
 */
MaeStatus mae_events_scalar(MaeEvents *events, const char *tag, int64_t step, float value,
                            MaeError *err);

/**
 * Cut all event files of a folder back for resuming: drop records of steps above @p last
 * and everything from the first torn record on. Each file is replaced atomically, and
 * only if something is dropped. Call it before mae_events_open.
 */
MaeStatus mae_events_cut(const char *folder, int64_t last, MaeError *err);

#endif /* MAE_STORE_EVENTS_H */
