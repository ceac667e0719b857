/* mae-convert: models to and from safetensors. */
#include "common/tool.h"
#include "model/convert.h"

typedef struct Values {
    int format; /* MaeNaming */
    bool overwrite;
} Values;

static const Values DEFAULTS = {.format = MAE_NAMES_TIMM};

static const char *const FORMATS[] = {"timm", "hf", NULL};

static const MaeToolOperand OPERANDS[] = {
    {"IN",
     "safetensors file with the names of MAE and timm or of Hugging Face, or a "
     "checkpoint",
     false, false},
    {"OUT", "checkpoint (.h5), or safetensors file if IN is a checkpoint", false, false},
    {.name = NULL},
};

#define FIELD(name) .offset = offsetof(Values, name)
static const MaeOption OPTIONS[] = {
    {"format", 'f', MAE_OPTION_CHOICE, FIELD(format), .choices = FORMATS,
     .help = "names of exported tensors: those of MAE and timm, or of Hugging Face"},
    {"overwrite", 0, MAE_OPTION_FLAG, FIELD(overwrite),
     .help = "replace a config.json or preprocessor_config.json beside OUT that "
             "describes another model"},
    {.name = NULL},
};

static const MaeCommand COMMAND = {
    .name = "mae-convert",
    .summary = "Converts models: safetensors to a checkpoint, a checkpoint to "
               "safetensors. Tensors keep their bytes.",
    .operands = OPERANDS,
    .options = OPTIONS,
    .defaults = &DEFAULTS,
    .values_size = sizeof(Values),
    .overrides = true,
    .notes = "Sizes follow from the tensors' shapes; what they do not tell comes from "
             "config.json and preprocessor_config.json beside IN, or from key=value: "
             "model.num_heads, model.decoder_num_heads, model.img_size=[H,W] (if not "
             "square), model.norm_pix_loss, mask.ratio, data.mean, data.std (a number "
             "per channel, or imagenet).\n\n"
             "An export writes config.json beside OUT, with --format hf also "
             "preprocessor_config.json, so that it can be read again without key=value.",
    .example = "mae-convert model.safetensors model.h5 model.num_heads=12 "
               "model.decoder_num_heads=16 data.mean=imagenet data.std=imagenet",
};

/* What was made of what. */
static MaeStatus print_result(const MaeTool *tool, MaeConvertKind from, MaeError *err)
{
    static const char *const kinds[] = {[MAE_CONVERT_CHECKPOINT] = "checkpoint",
                                        [MAE_CONVERT_SAFETENSORS] = "safetensors"};
    MaeJson *root;

    if (!tool->args.json)
        return MAE_OK;
    root = mae_json_object();
    mae_json_set_text(root, "in", tool->args.operands[0]);
    mae_json_set_text(root, "in_kind", kinds[from]);
    mae_json_set_text(root, "out", tool->args.operands[1]);
    mae_json_set_text(root, "out_kind", kinds[from == MAE_CONVERT_CHECKPOINT]);
    return mae_tool_print_json(root, 0, err);
}

int main(int argc, char **argv)
{
    Values values = DEFAULTS;
    MaeConvertOptions options;
    MaeConvertKind from = MAE_CONVERT_CHECKPOINT;
    MaeError err = {0};
    MaeStatus status;
    MaeTool tool;

    if (!mae_tool_open(&tool, &COMMAND, &values, argc, argv))
        return tool.exit_code;
    options = (MaeConvertOptions){
        .naming = (MaeNaming)values.format,
        .overwrite = values.overwrite,
        .overrides = tool.args.overrides,
        .override_count = tool.args.override_count,
        .tool = COMMAND.name,
        .version = MAE_VERSION,
        .log = &tool.log,
    };
    status = mae_tool_expect(tool.args.operands[0], &err);
    if (status == MAE_OK)
        status =
            mae_tool_check_output(tool.args.operands[1], tool.args.operands, 1, &err);
    if (status == MAE_OK)
        status = mae_convert_sniff(&from, tool.args.operands[0], &err);
    if (status == MAE_OK)
        status =
            mae_convert(tool.args.operands[0], tool.args.operands[1], &options, &err);
    if (status == MAE_OK)
        status = print_result(&tool, from, &err);
    return mae_tool_close(&tool, status, &err);
}
