/*
 * TensorBoard files of an earlier run: cut back, and cutting again changes nothing.
 * Checksums of records are mended, to get behind them.
 */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz.h"
#include "store/bytes.h"
#include "store/crc32c.h"
#include "store/events.h"

#define FRAME ((size_t)16) /* length, its checksum, that of the data */

static void put_checksum(uint8_t *at, const uint8_t *bytes, size_t size)
{
    const uint32_t crc = mae_crc32c(0, bytes, size);

    mae_put_u32(at, (crc >> 15 | crc << 17) + 0xa282ead8u);
}

static void mend(uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size && size - at >= FRAME;) {
        const uint64_t length = mae_get_u64(bytes + at);

        if (length > size - at - FRAME)
            return;
        put_checksum(bytes + at + 8, bytes + at, 8);
        put_checksum(bytes + at + 12 + length, bytes + at + 12, (size_t)length);
        at += FRAME + (size_t)length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(data, size);
    MaeError err = {0};

    mend(copy, size);
    fuzz_put("events.out.tfevents.1", copy, size);
    if (mae_events_cut(fuzz_folder(), 3, &err) != MAE_OK ||
        mae_events_cut(fuzz_folder(), -1, &err) != MAE_OK)
        abort();
    free(copy);
    return 0;
}
