/**
 * @file patch_panel.h
 * Images beside maps of their patches: of about the same size whatever the image's, with
 * a whole number of pixels for each patch.
 *
 * Small images are enlarged by a whole factor, large ones shrunk by one that divides the
 * patch (means over squares of pixels).
 *
 * Units    Images are normalised; what is shown is low (black) to high (white) of the
 *          gallery, or its smallest and largest value if these are unknown.
 * Memory   Opening allocates one image.
 * Errors   Opening: NOMEM.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_EVAL_PATCH_PANEL_H
#define MAE_EVAL_PATCH_PANEL_H

#include <stddef.h>

#include "eval/canvas.h"
#include "eval/visual.h"

/** Zero-initialised is closed. */
typedef struct MaePatchPanel {
    size_t cell;          /* pixels of a patch's side */
    size_t height, width; /* pixels of a panel: the grid of patches times cell */
    /* private */
    MaePatchGrid grid;
    size_t up, down; /* factors; one of them is 1 */
    const float *mean, *std;
    float low, high;
    float *shown; /* [C,H/down,W/down] owned */
} MaePatchPanel;

/** @param model with a gallery; borrowed. */
MaeStatus mae_patch_panel_open(MaePatchPanel *panel, const MaeVisualModel *model,
                               MaeError *err);

/** Accepts NULL and a closed object. */
void mae_patch_panel_close(MaePatchPanel *panel);

/** @param image [C,H,W] of the gallery. */
void mae_patch_panel_image(MaePatchPanel *panel, MaeImage *canvas, MaeBox box,
                           const float *image);

/** Darken what is drawn in @p box by patches. @param light [L] 0 dark, 1 as it is. */
void mae_patch_panel_shade(const MaePatchPanel *panel, MaeImage *canvas, MaeBox box,
                           const float *light);

/** Colour the patches. @param map [L]. */
void mae_patch_panel_map(const MaePatchPanel *panel, MaeImage *canvas, MaeBox box,
                         const float *map, const MaePalette *palette);

#endif /* MAE_EVAL_PATCH_PANEL_H */
