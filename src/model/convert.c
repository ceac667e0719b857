#include "model/convert.h"

#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "store/checkpoint.h"
#include "store/file.h"

#define MAGIC_BYTES 9 /* a safetensors header begins with '{' at byte 8 */

static const char PICKLE_HINT[] =
    "%s: a Python pickle is a program and is not read; convert it with Python: python3 "
    "-c "
    "\"import torch, safetensors.torch as s; d = torch.load('in.pth', "
    "map_location='cpu'); s.save_file({k: v.contiguous() for k, v in d.get('model', "
    "d).items()}, 'out.safetensors')\"";

/* Zip as torch.save writes it, or a bare pickle of protocol 2 to 5. */
static bool is_pickle(const unsigned char *magic)
{
    return memcmp(magic, "PK\3\4", 4) == 0 ||
           (magic[0] == 0x80 && magic[1] >= 2 && magic[1] <= 5);
}

MaeStatus mae_convert_sniff(MaeConvertKind *kind, const char *path, MaeError *err)
{
    unsigned char magic[MAGIC_BYTES] = {0};
    uint64_t size;
    MaeStatus status;
    int fd;

    MAE_TRY(mae_file_open(path, &fd, &size, err));
    status = mae_file_read_at(fd, path, magic,
                              size < sizeof magic ? (size_t)size : sizeof magic, 0, err);
    (void)close(fd);
    MAE_TRY(status);
    *kind = MAE_CONVERT_SAFETENSORS;
    if (memcmp(magic, MAE_CKPT_MAGIC, 8) == 0)
        *kind = MAE_CONVERT_CHECKPOINT;
    else if (memcmp(magic, "\x89HDF\r\n\x1a\n", 8) == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: an HDF5 file, but no checkpoint: its header of %d bytes is missing",
                 path, MAE_CKPT_BLOCK);
    else if (magic[8] != '{' && is_pickle(magic))
        MAE_FAIL(err, MAE_ERR_FORMAT, PICKLE_HINT, path);
    return MAE_OK;
}

MaeStatus mae_convert(const char *in, const char *out, const MaeConvertOptions *options,
                      MaeError *err)
{
    MaeConvertKind kind;

    MAE_TRY(mae_convert_sniff(&kind, in, err));
    if (kind == MAE_CONVERT_CHECKPOINT) {
        if (mae_text_ends(out, ".h5"))
            MAE_FAIL(err, MAE_ERR_ARG,
                     "%s is a checkpoint, so the output is a safetensors file; %s says "
                     "otherwise",
                     in, out);
        return mae_export(in, out, options, err);
    }
    if (mae_text_ends(out, ".safetensors"))
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "%s is no checkpoint, so the output is one; %s says otherwise. To change "
            "names, convert to a checkpoint (.h5) first",
            in, out);
    return mae_import(in, out, options, err);
}
