/* Logs read back: each record prints on one line, and cutting leaves no later step. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "store/jsonl.h"

enum { LAST = 3 };

static MaeStatus print(void *ctx, const MaeJson *record, MaeError *err)
{
    char *text = mae_json_dump(record, 0);

    (void)ctx;
    (void)err;
    if (text == NULL || strchr(text, '\n') != NULL)
        abort();
    free(text);
    return MAE_OK;
}

static MaeStatus expect_kept(void *ctx, const MaeJson *record, MaeError *err)
{
    int64_t step;

    (void)ctx;
    (void)err;
    if (mae_json_get_int(record, "step", &step) && step > LAST)
        abort();
    return MAE_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[512];
    MaeError err = {0};

    fuzz_put("steps.jsonl", data, size);
    (void)snprintf(path, sizeof path, "%s/steps.jsonl", fuzz_folder());
    (void)mae_jsonl_each(path, print, NULL, &err);
    if (mae_jsonl_cut(path, "step", LAST, &err) == MAE_OK &&
        mae_jsonl_each(path, expect_kept, NULL, &err) != MAE_OK)
        abort();
    return 0;
}
