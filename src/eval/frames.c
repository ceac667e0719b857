#include "eval/frames.h"

#include <stdio.h>
#include <unistd.h>

#include "store/file.h"

enum { PATH = 4096 };

static MaeStatus path_of(char path[PATH], const MaeFramesSpec *spec, size_t frame,
                         MaeError *err)
{
    if (snprintf(path, PATH, "%s/%s-%03zu.png", spec->folder, spec->name, frame) >= PATH)
        MAE_FAIL(err, MAE_ERR_ARG, "frames: expected a shorter path than %s",
                 spec->folder);
    return MAE_OK;
}

static MaeStatus check(const MaeFramesSpec *spec, size_t frames, MaeError *err)
{
    char path[PATH];

    if (spec->kind == MAE_MASK_BLOCK)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "frames: block masks of different ratios are not nested; expected "
                 "random or grid masks");
    if (spec->frames == 0 || spec->frames > MAE_FRAMES_MAX)
        MAE_FAIL(err, MAE_ERR_ARG, "frames: expected 1 to %d, got %zu", MAE_FRAMES_MAX,
                 spec->frames);
    MAE_TRY(path_of(path, spec, frames, err));
    if (access(path, F_OK) == 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: is a frame of a longer animation, this one has %zu; remove it or "
                 "choose another folder",
                 path, frames);
    return mae_file_make_folders(spec->folder, err);
}

static MaeStatus write_frame(MaeViewer *viewer, const MaeFramesSpec *spec, size_t frame,
                             size_t visible, MaeError *err)
{
    const MaePatchGrid *grid = &viewer->spec.model->arch.grid;
    const size_t count = viewer->spec.count;
    char path[PATH];
    MaeMaskSet masks;
    MaeStatus status;

    MAE_TRY(path_of(path, spec, frame, err));
    MAE_TRY(mae_maskset_open_visible(&masks, spec->kind, grid, visible, count,
                                     viewer->spec.compute->pool, err));
    mae_maskset_draw(&masks, spec->seed, 0, NULL, count);
    status = mae_viewer_sheet(viewer, path, NULL, &masks.mask, err);
    mae_maskset_close(&masks);
    return status;
}

MaeStatus mae_frames_write(size_t *frames, MaeViewer *viewer, const MaeFramesSpec *spec,
                           MaeError *err)
{
    const size_t patches = mae_patch_count(&viewer->spec.model->arch.grid);
    const size_t total = spec->frames < patches ? spec->frames : patches;

    MAE_TRY(check(spec, total, err));
    mae_viewer_expect(viewer, total);
    for (size_t k = 0; k < total; k++)
        MAE_TRY(write_frame(viewer, spec, k,
                            total > 1 ? 1 + k * (patches - 1) / (total - 1) : patches,
                            err));
    *frames = total;
    return MAE_OK;
}
