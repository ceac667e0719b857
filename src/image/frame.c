/* Geometry of resize.h: which box of a picture becomes what. */
#include "image/axis.h"
#include "image/resize.h"

MaeBox mae_image_box(const MaeImage *img)
{
    return (MaeBox){.height = img->picture.height, .width = img->picture.width};
}

MaeFrame mae_frame_crop(MaeBox box, size_t out_h, size_t out_w)
{
    return (MaeFrame){
        .box = box, .height = out_h, .width = out_w, .keep = {0, 0, out_h, out_w}};
}

/* Half the excess, a half rounded to the even neighbour as Python's round() does. */
static size_t center_offset(size_t whole, size_t crop)
{
    const size_t excess = whole - crop, half = excess / 2;

    return half + (excess % 2 == 1 && half % 2 == 1 ? 1 : 0);
}

MaeStatus mae_frame_center(MaeFrame *frame, size_t height, size_t width,
                           size_t short_side, size_t crop_h, size_t crop_w, MaeError *err)
{
    const bool tall = height > width;
    const size_t narrow = tall ? width : height, wide = tall ? height : width;
    size_t length, out_h, out_w;

    if (narrow == 0 || short_side == 0 || wide > SIZE_MAX / short_side)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "resize: cannot scale [%zu,%zu] to a short side of %zu", height, width,
                 short_side);
    length = short_side * wide / narrow;
    out_h = tall ? length : short_side;
    out_w = tall ? short_side : length;
    if (crop_h == 0 || crop_w == 0 || crop_h > out_h || crop_w > out_w)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "resize: centre crop [%zu,%zu] does not fit into the scaled [%zu,%zu]",
                 crop_h, crop_w, out_h, out_w);
    *frame = (MaeFrame){
        .box = {0, 0, height, width},
        .height = out_h,
        .width = out_w,
        .keep = {center_offset(out_h, crop_h), center_offset(out_w, crop_w), crop_h,
                 crop_w},
    };
    return MAE_OK;
}

unsigned mae_frame_shrink(const MaeFrame *frame)
{
    unsigned shrink = 8;

    while (shrink > 1 && (frame->box.height / shrink < frame->height ||
                          frame->box.width / shrink < frame->width))
        shrink /= 2;
    return shrink;
}

/* The unscaled pixels that @p axis takes; the last may be cut off by the box's end. */
static void reach(size_t *start, size_t *length, const MaeAxis *axis, unsigned shrink,
                  size_t end)
{
    const size_t high = axis->high * shrink;

    *start = axis->low * shrink;
    *length = (high < end ? high : end) - *start;
}

MaePart mae_frame_part(const MaeFrame *frame, unsigned shrink, MaeFilter filter)
{
    const MaeBox box = frame->box;
    MaePart part = {.shrink = shrink};
    MaeAxis x, y;

    mae_axes(&x, &y, frame, shrink, filter);
    reach(&part.box.top, &part.box.height, &y, shrink, box.top + box.height);
    reach(&part.box.left, &part.box.width, &x, shrink, box.left + box.width);
    return part;
}
