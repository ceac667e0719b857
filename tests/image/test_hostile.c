/* What every file of hostile.c decodes to, or why not, and what that costs. */
#include <stdlib.h>
#include <string.h>

#include "hostile.h"
#include "image/image.h"
#include "support/cost.h"
#include "support/test.h"

/** A file in memory and what becomes of it. */
typedef struct Case {
    const HostileFile *file;
    uint8_t *bytes;
    size_t size;
} Case;

static void decode(void *ctx)
{
    const Case *c = ctx;
    MaeImage img = {0};
    MaeError err = {0};

    (void)mae_image_orientation(c->bytes, c->size);
    if (c->file->message == NULL)
        ck_assert_ok(mae_image_decode(&img, c->bytes, c->size, NULL, &err));
    else
        ck_assert_fails(mae_image_decode(&img, c->bytes, c->size, NULL, &err),
                        MAE_ERR_FORMAT, c->file->message);
    mae_image_done(&img);
}

/* A second, and memory far below what the files claim. */
START_TEST(costs_little)
{
    size_t count;
    Case c = {.file = &hostile_files(&count)[_i]};

    c.bytes = hostile_make(c.file, &c.size);
    test_costs_less(64, 1.0, decode, &c);
    free(c.bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_hostile");
    TCase *tc = tcase_create("unit");
    size_t count;

    (void)hostile_files(&count);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, costs_little, 0, (int)count);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
