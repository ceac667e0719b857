#include "eval/mosaic.h"

#include "eval/canvas.h"

enum { GAP = 2, MARGIN = 4, BLOCK_GAP = 24 };

/* More than any picture has, far from overflow. */
#define MOST ((size_t)1 << 20)

MaeStatus mae_mosaic_open(MaeImage *canvas, const MaeMosaic *panels, MaeError *err)
{
    const MaeMosaic *p = panels;
    MaeBox last;

    if (p->height > MOST || p->width > MOST || p->rows > MOST ||
        p->columns > MOST / p->blocks)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "figure: %zu x %zu panels of %zux%zu pixels do not fit", p->rows,
                 p->columns, p->height, p->width);
    last = mae_mosaic_box(p, p->blocks - 1, p->rows - 1, p->columns - 1);
    return mae_canvas_open(canvas, last.top + last.height + MARGIN,
                           last.left + last.width + MARGIN, err);
}

MaeBox mae_mosaic_box(const MaeMosaic *panels, size_t block, size_t row, size_t column)
{
    const size_t width = panels->columns * (panels->width + GAP) - GAP + BLOCK_GAP;

    return (MaeBox){MARGIN + row * (panels->height + GAP),
                    MARGIN + block * width + column * (panels->width + GAP),
                    panels->height, panels->width};
}
