#include "eval/mosaic.h"

#include <stdbool.h>

#include "eval/canvas.h"

enum { GAP = 4, GROUP_GAP = 16, BLOCK_GAP = 24 };

/* More than any picture has, far from overflow. */
#define MOST ((size_t)1 << 20)

static bool usual(size_t number)
{
    return number > 0 && number <= MOST;
}

MaeStatus mae_mosaic_open(MaeImage *canvas, const MaeMosaic *panels, MaeError *err)
{
    const MaeMosaic *p = panels;
    MaeBox last;

    if (!usual(p->height) || !usual(p->width) || !usual(p->rows) || !usual(p->columns) ||
        !usual(p->blocks) || p->columns > MOST / p->blocks)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "picture: %zu x %zu panels of %zux%zu pixels do not fit", p->rows,
                 p->columns, p->height, p->width);
    last = mae_mosaic_box(p, p->blocks - 1, p->rows - 1, p->columns - 1);
    return mae_canvas_open(canvas, last.top + last.height, last.left + last.width, err);
}

MaeBox mae_mosaic_box(const MaeMosaic *panels, size_t block, size_t row, size_t column)
{
    const size_t width = panels->columns * (panels->width + GAP) - GAP + BLOCK_GAP;
    const size_t breaks = panels->group > 0 ? row / panels->group : 0;

    return (MaeBox){row * (panels->height + GAP) + breaks * (GROUP_GAP - GAP),
                    block * width + column * (panels->width + GAP), panels->height,
                    panels->width};
}
