#include "viewer_fixture.h"

#include <stdlib.h>
#include <string.h>

static const float data_mean[VIEW_CHANNELS] = {0.5f, 0.4f, 0.3f};
static const float data_std[VIEW_CHANNELS] = {0.2f, 0.25f, 0.3f};

void test_viewer_image(float *image, size_t index)
{
    float *noise = mae_test_normal(VIEW_VALUES, 4, index);

    for (size_t i = 0; i < VIEW_VALUES; i++)
        image[i] = noise[i] * (0.2f + 0.1f * (float)(index % 7)) +
                   0.15f * (float)(index % 5) - 0.3f;
    free(noise);
}

void test_viewer_open(TestViewer *v, bool norm_pix, bool oracle, size_t threads)
{
    const MaeArch arch = {.grid = {VIEW_CHANNELS, VIEW_HEIGHT, VIEW_WIDTH, VIEW_PATCH},
                          .embed_dim = 12,
                          .depth = 1,
                          .heads = 3,
                          .mlp_ratio = 2.0,
                          .decoder_dim = 8,
                          .decoder_depth = 1,
                          .decoder_heads = 2,
                          .norm_pix_loss = norm_pix};
    MaeError err = {0};

    memset(v, 0, sizeof *v);
    test_compute_open(&v->compute, MAE_F32, threads);
    ck_assert_ok(mae_autoencoder_open(&v->model, &arch, &err));
    v->w = mae_test_alloc(v->model.table.total * sizeof *v->w);
    test_random_params(&v->model.table, v->w, 2);
    v->images = mae_test_alloc((size_t)VIEW_COUNT * VIEW_VALUES * sizeof *v->images);
    for (size_t i = 0; i < VIEW_COUNT; i++)
        test_viewer_image(v->images + i * VIEW_VALUES, i);
    ck_assert_ok(mae_viewer_open(
        &v->viewer,
        &(MaeViewerSpec){.model = &v->model,
                         .w = mae_weights_f32(v->w),
                         .compute = &v->compute.compute,
                         .images = v->images,
                         .count = VIEW_COUNT,
                         .look = {data_mean, data_std, 0.0f, 1.0f, oracle}},
        &err));
}

void test_viewer_close(TestViewer *v)
{
    mae_viewer_close(&v->viewer);
    mae_autoencoder_close(&v->model);
    test_compute_close(&v->compute);
    free(v->images);
    free(v->w);
}
