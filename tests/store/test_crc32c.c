#include <stdlib.h>
#include <string.h>

#include "store/crc32c.h"
#include "support/test.h"

/* RFC 3720 B.4, and the check value of the CRC catalogue. */
START_TEST(known_answers)
{
    unsigned char zeros[32] = {0}, ones[32], up[32], down[32];

    memset(ones, 0xff, sizeof ones);
    for (unsigned char i = 0; i < 32; i++) {
        up[i] = i;
        down[i] = (unsigned char)(31 - i);
    }
    ck_assert_uint_eq(mae_crc32c(0, zeros, 32), 0x8a9136aau);
    ck_assert_uint_eq(mae_crc32c(0, ones, 32), 0x62a8ab43u);
    ck_assert_uint_eq(mae_crc32c(0, up, 32), 0x46dd794eu);
    ck_assert_uint_eq(mae_crc32c(0, down, 32), 0x113fdb5cu);
    ck_assert_uint_eq(mae_crc32c(0, "123456789", 9), 0xe3069283u);
    ck_assert_uint_eq(mae_crc32c(0, NULL, 0), 0);
}
END_TEST

/* Any length and alignment: both versions agree, and pieces add up. */
START_TEST(versions_and_pieces_agree)
{
    float *noise = mae_test_normal(256, 7, 1);
    const unsigned char *bytes = (const unsigned char *)noise;

    for (size_t size = 0; size < 300; size++) {
        const size_t at = size % 9, cut = size / 3;
        const uint32_t whole = mae_crc32c(0, bytes + at, size);

        ck_assert_uint_eq(whole, mae_crc32c_portable(0, bytes + at, size));
        ck_assert_uint_eq(whole, mae_crc32c(mae_crc32c(0, bytes + at, cut),
                                            bytes + at + cut, size - cut));
    }
    free(noise);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_crc32c");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, known_answers);
    tcase_add_test(tc, versions_and_pieces_agree);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
