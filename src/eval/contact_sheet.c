#include "eval/contact_sheet.h"

#include <assert.h>

#include "eval/canvas.h"

/* Around a picture: its frame, then white. The query stands apart. */
enum { FRAME = 4, GAP = 6, APART = 12 };

#define CELL (MAE_CONTACT_SIDE + 2 * (size_t)FRAME)

static const uint8_t COLOURS[][3] = {
    [MAE_CONTACT_QUERY] = {40, 40, 40},
    [MAE_CONTACT_SAME] = {0, 158, 115},
    [MAE_CONTACT_OTHER] = {213, 60, 0},
    [MAE_CONTACT_UNKNOWN] = {170, 170, 170},
};

MaeStatus mae_contact_sheet_open(MaeImage *sheet, size_t rows, size_t columns,
                                 MaeError *err)
{
    if (rows == 0 || rows > MAE_CONTACT_ROWS || columns == 0 ||
        columns > MAE_CONTACT_COLUMNS)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "contact sheet: expected 1 to %zu queries with 1 to %zu neighbours, got "
                 "%zu with %zu",
                 MAE_CONTACT_ROWS, MAE_CONTACT_COLUMNS, rows, columns);
    return mae_canvas_open(sheet, GAP + rows * (CELL + GAP),
                           GAP + APART + (columns + 1) * (CELL + GAP), err);
}

void mae_contact_sheet_put(MaeImage *sheet, size_t row, size_t column,
                           const MaeImage *thumb, MaeContact contact)
{
    const MaeBox cell = {GAP + row * (CELL + GAP),
                         GAP + column * (CELL + GAP) + (column > 0 ? APART : 0), CELL,
                         CELL};

    assert(thumb->height <= MAE_CONTACT_SIDE && thumb->width <= MAE_CONTACT_SIDE);
    mae_canvas_paste(sheet, cell.top + (CELL - thumb->height) / 2,
                     cell.left + (CELL - thumb->width) / 2, thumb);
    mae_canvas_frame(sheet, cell, FRAME, COLOURS[contact]);
}

MaeStatus mae_contact_sheet_neighbours(MaeImage *sheet, size_t row,
                                       const MaeContactRow *found, MaeThumbnailer *t,
                                       MaeError *err)
{
    MaeImage thumb = {0};
    MaeStatus status = MAE_OK;

    for (size_t i = 0; i < found->count && status == MAE_OK; i++) {
        const size_t sample = found->samples[found->index[i]];
        const int64_t label = mae_dataset_label(found->ds, sample);
        const MaeContact contact = label < 0 || found->label < 0 ? MAE_CONTACT_UNKNOWN
                                   : label == found->label       ? MAE_CONTACT_SAME
                                                                 : MAE_CONTACT_OTHER;

        status = mae_thumbnail_read(t, &thumb, found->ds, sample, MAE_CONTACT_SIDE, err);
        if (status == MAE_OK)
            mae_contact_sheet_put(sheet, row, i + 1, &thumb, contact);
    }
    mae_image_done(&thumb);
    return status;
}
