/* The files beside tensors, and key=value: taken over in range, or refused. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "model/card.h"

static void check_list(const MaeCardList *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!isfinite(list->values[i]))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[512], *text = fuzz_text(data, size);
    MaeCard card = {0};
    MaeError err = {0};

    fuzz_put("config.json", data, size);
    fuzz_put("preprocessor_config.json", data, size);
    (void)snprintf(path, sizeof path, "%s/model.safetensors", fuzz_folder());
    (void)mae_card_read(&card, path, NULL, &err);
    (void)mae_card_override(&card, text, &err);
    check_list(&card.mean);
    check_list(&card.std);
    for (size_t i = 0; i < card.class_count; i++) {
        if (card.class_names[i] == NULL)
            abort();
    }
    mae_card_done(&card);
    free(text);
    return 0;
}
