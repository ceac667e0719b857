#include "conf/schema.h"

#define FIELD(member) offsetof(MaeConfig, member), sizeof(((MaeConfig *)NULL)->member)
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BOTH (MAE_KEY_PRETRAIN | MAE_KEY_FINETUNE)
#define PRETRAIN MAE_KEY_PRETRAIN
#define FINETUNE MAE_KEY_FINETUNE
#define FROM_PRESET "from model.preset"

static const char *const PRESET[] = {"vit_micro", "vit_tiny", "vit_small", "vit_base",
                                     "vit_large", "vit_huge", NULL};
static const char *const STRATEGY[] = {"random", "block", "grid", NULL};
static const char *const CACHE[] = {"auto", "on", "off", NULL};
static const char *const AUGMENT[] = {"none", "flip", "crop_flip", NULL};
static const char *const PRECISION[] = {"auto", "f32", "bf16", NULL};
static const char *const BACKEND[] = {"auto", "openblas", "onednn", "builtin", NULL};
static const char *const NONFINITE[] = {"stop", "skip", "rollback", NULL};
static const char *const WIRE[] = {"f32", "bf16", NULL};
static const char *const INIT[] = {"pretrained", "random", NULL};
static const char *const POOL[] = {"mean", "cls", NULL};
static const char *const MODE[] = {"full", "partial", "linear", NULL};

static const MaeKey MODEL[] = {
    {"preset", MAE_KEY_TEXT, FIELD(model.preset), .def = "vit_tiny", .choices = PRESET,
     .help = "Architecture that fills every model key which is not given.",
     .aka = "arch,model,name,model_name", .tools = BOTH},
    {"img_size", MAE_KEY_SIZE_PAIR, FIELD(model.img_size), .fallback = FROM_PRESET,
     .min = 1, .max = 16384, .unit = "pixels",
     .help =
         "Size of the images the model sees: one number or [height, width], divisible by "
         "patch_size.",
     .aka = "input_size,image_size,resolution", .tools = BOTH, .flags = MAE_KEY_OWN},
    {"patch_size", MAE_KEY_SIZE, FIELD(model.patch_size), .fallback = FROM_PRESET,
     .min = 1, .max = 1024, .unit = "pixels", .help = "Side of a square patch.",
     .aka = "patch", .tools = BOTH},
    {"in_chans", MAE_KEY_SIZE, FIELD(model.in_chans), .def = "auto", .min = 1,
     .max = MAE_CONFIG_CHANNELS, .zero = "auto",
     .help =
         "Channels of the images; auto follows the data. Grey and RGB are converted into "
         "each other.",
     .aka = "channels,in_channels,num_channels", .tools = BOTH,
     .flags = MAE_KEY_AUTO_FITS},
    {"embed_dim", MAE_KEY_SIZE, FIELD(model.embed_dim), .fallback = FROM_PRESET, .min = 4,
     .max = 16384, .help = "Width of the encoder; divisible by 4 and by num_heads.",
     .aka = "hidden_size,width,dim", .tools = BOTH},
    {"depth", MAE_KEY_SIZE, FIELD(model.depth), .fallback = FROM_PRESET, .min = 1,
     .max = 512, .help = "Transformer blocks of the encoder.",
     .aka = "num_hidden_layers,layers,num_layers", .tools = BOTH},
    {"num_heads", MAE_KEY_SIZE, FIELD(model.num_heads), .fallback = FROM_PRESET, .min = 1,
     .max = 512, .help = "Attention heads of the encoder.",
     .aka = "num_attention_heads,heads", .tools = BOTH},
    {"mlp_ratio", MAE_KEY_REAL, FIELD(model.mlp_ratio), .def = "4", .min = 0, .max = 64,
     .help =
         "Hidden width of a block's MLP relative to its width, in encoder and decoder.",
     .tools = BOTH, .flags = MAE_KEY_OPEN_MIN},
    {"decoder_embed_dim", MAE_KEY_SIZE, FIELD(model.decoder_embed_dim),
     .fallback = FROM_PRESET, .min = 4, .max = 16384,
     .help = "Width of the decoder; divisible by 4 and by its heads.",
     .aka = "decoder_hidden_size,decoder_dim", .tools = PRETRAIN},
    {"decoder_depth", MAE_KEY_SIZE, FIELD(model.decoder_depth), .fallback = FROM_PRESET,
     .min = 1, .max = 512, .help = "Transformer blocks of the decoder.",
     .aka = "decoder_num_hidden_layers,decoder_layers", .tools = PRETRAIN},
    {"decoder_num_heads", MAE_KEY_SIZE, FIELD(model.decoder_num_heads),
     .fallback = FROM_PRESET, .min = 1, .max = 512,
     .help = "Attention heads of the decoder.",
     .aka = "decoder_num_attention_heads,decoder_heads", .tools = PRETRAIN},
    {"norm_pix_loss", MAE_KEY_BOOL, FIELD(model.norm_pix_loss), .def = "false",
     .help =
         "Normalise each target patch by its own mean and variance: better features, but "
         "predictions are no longer pixels.",
     .aka = "norm_pix,normalize_pixels,norm_loss", .tools = PRETRAIN},
};

static const MaeKey MASK[] = {
    {"strategy", MAE_KEY_CHOICE, FIELD(mask.strategy), .def = "random",
     .choices = STRATEGY,
     .help = "Which patches are hidden: random ones, blocks, or a regular grid; all hide "
             "exactly "
             "as many.",
     .aka = "type,mode,kind", .tools = PRETRAIN},
    {"ratio", MAE_KEY_REAL, FIELD(mask.ratio), .def = "0.75", .min = 0, .max = 1,
     .help = "Share of the patches that is hidden from the encoder.", .aka = "mask_ratio",
     .tools = PRETRAIN, .flags = MAE_KEY_OPEN_MIN | MAE_KEY_OPEN_MAX},
};

static const MaeKey DATA[] = {
    {"train", MAE_KEY_TEXT, FIELD(data.train), .def = "",
     .help = "Training images: a folder (of class folders or unlabelled images), an IDX "
             "file or "
             "its folder, or an HDF5 file. Required.",
     .aka = "data_path,path,root,train_dir,train_path", .tools = BOTH,
     .flags = MAE_KEY_FREE},
    {"val", MAE_KEY_TEXT, FIELD(data.val), .def = "",
     .help = "Held-out images of the same kind: loss with fixed masks, or accuracy.",
     .aka = "valid,validation,test,val_path,val_dir,eval", .tools = BOTH,
     .flags = MAE_KEY_FREE},
    {"mean", MAE_KEY_STATS, FIELD(data.mean), .def = "auto", .min = -1e6, .max = 1e6,
     .unit = "pixel value (8 bit: / 255, 16 bit: / 65535, float: as it is)",
     .help = "Mean of each channel, or one for all, subtracted; auto measures it once "
             "(fine-tuning: "
             "takes the "
             "checkpoint's), imagenet is [0.485, 0.456, 0.406].",
     .tools = BOTH, .flags = MAE_KEY_AUTO_FITS},
    {"std", MAE_KEY_STATS, FIELD(data.std), .def = "auto", .min = 0, .max = 1e6,
     .unit = "as mean",
     .help = "Standard deviation of each channel, or one for all, divided by; imagenet "
             "is [0.229, 0.224, "
             "0.225].",
     .tools = BOTH, .flags = MAE_KEY_OPEN_MIN | MAE_KEY_AUTO_FITS},
    {"workers", MAE_KEY_SIZE, FIELD(data.workers), .def = "2", .min = 1, .max = 256,
     .unit = "threads",
     .help = "Threads that load and augment images; any number gives the same "
             "batches.",
     .aka = "num_workers,loader_threads", .tools = BOTH, .flags = MAE_KEY_FREE},
    {"prefetch", MAE_KEY_SIZE, FIELD(data.prefetch), .def = "2", .min = 1, .max = 64,
     .unit = "batches", .help = "Batches prepared ahead of the one in use.",
     .aka = "prefetch_factor", .tools = BOTH, .flags = MAE_KEY_FREE},
    {"augment", MAE_KEY_CHOICE, FIELD(data.augment), .def = "crop_flip",
     .choices = AUGMENT,
     .help = "Training images: as in evaluation, with a random horizontal flip, or with "
             "a random "
             "resized crop and flip.",
     .aka = "augmentation,aug,transform", .tools = BOTH},
    {"crop_scale", MAE_KEY_REAL_PAIR, FIELD(data.crop_scale), .def = "[0.2, 1.0]",
     .def_finetune = "[0.08, 1.0]", .min = 0, .max = 1,
     .help = "Smallest and largest share of the image's area in a random crop.",
     .aka = "scale,min_crop", .tools = BOTH, .flags = MAE_KEY_OPEN_MIN},
    {"eval_crop", MAE_KEY_REAL, FIELD(data.eval_crop), .def = "auto", .min = 0, .max = 1,
     .zero = "auto",
     .help =
         "Without random crop the short side is resized to img_size / eval_crop and the "
         "centre is cut out; auto is 0.875, and leaves images alone that have the size.",
     .aka = "crop_pct,crop_ratio", .tools = BOTH, .flags = MAE_KEY_OPEN_MIN},
    {"max_bad_fraction", MAE_KEY_REAL, FIELD(data.max_bad_fraction), .def = "0.01",
     .min = 0, .max = 1,
     .help = "Share of unreadable images that is skipped and replaced before the run "
             "stops with a list.",
     .tools = BOTH, .flags = MAE_KEY_FREE},
    {"label_fraction", MAE_KEY_REAL, FIELD(data.label_fraction), .def = "1", .min = 0,
     .max = 1,
     .help =
         "Share of the training images that is used, the same from each class, chosen by "
         "seed.",
     .aka = "fraction,subset", .tools = FINETUNE, .flags = MAE_KEY_OPEN_MIN},
    {"labels_per_class", MAE_KEY_SIZE, FIELD(data.labels_per_class), .def = "all",
     .min = 1, .max = 1e12, .zero = "all", .unit = "images",
     .help = "Training images used from each class, chosen by seed.",
     .aka = "shots,samples_per_class", .tools = FINETUNE},
    {"first_n", MAE_KEY_SIZE, FIELD(data.first_n), .def = "all", .min = 1, .max = 1e12,
     .zero = "all", .unit = "images", .help = "Use only the first training images.",
     .aka = "limit,max_samples,max_train_samples", .tools = BOTH},
    {"unlabelled", MAE_KEY_TEXT, FIELD(data.unlabelled), .def = "",
     .help = "Images that data.pseudo_labels is about; what it labels is trained on "
             "beside data.train.",
     .tools = FINETUNE, .flags = MAE_KEY_FREE},
    {"pseudo_labels", MAE_KEY_TEXT, FIELD(data.pseudo_labels), .def = "",
     .help = "Labels of data.unlabelled, as mae-predict --pseudo-label writes them. "
             "labels_per_class, label_fraction and first_n choose from data.train "
             "only.",
     .tools = FINETUNE, .flags = MAE_KEY_FREE},
    {"pseudo_checksum", MAE_KEY_SIZE, FIELD(data.pseudo_checksum), .def = "none",
     .min = 1, .max = 4294967295.0, .zero = "none",
     .help = "CRC-32C of data.pseudo_labels, filled in by the run: it goes on with the "
             "same labels only.",
     .tools = FINETUNE},
    {"may_change", MAE_KEY_BOOL, FIELD(data.may_change), .def = "false",
     .help = "Go on with a run although its training images are others than before. It "
             "is told by their number, labels and a checksum of 256 images; files may "
             "move.",
     .tools = BOTH, .flags = MAE_KEY_FREE},
    {"max_pixels", MAE_KEY_SIZE, FIELD(data.max_pixels), .def = "178956970", .min = 1,
     .max = 2147483648.0, .unit = "pixels",
     .help = "Height x width of the largest JPEG or PNG image that is read; a larger one "
             "is skipped as unreadable. Decoding one takes up to 6 bytes a pixel (at "
             "least 1 GiB is allowed) in each of data.workers.",
     .aka = "max_image_pixels", .tools = BOTH},
    {"exif_orientation", MAE_KEY_BOOL, FIELD(data.exif_orientation), .def = "false",
     .help = "Turn JPEG images as their EXIF header asks.", .aka = "exif", .tools = BOTH},
    {"cache", MAE_KEY_CHOICE, FIELD(data.cache), .def = "auto", .choices = CACHE,
     .help = "Keep decoded JPEG and PNG images in memory, so that each is decoded once; "
             "auto does if they fit in a quarter of the memory that is available and "
             "there is more than one epoch, on fails if they exceed three quarters of "
             "it. Batches are the same either way; with scaled_decode training images "
             "are not kept.",
     .aka = "cache_images,in_memory", .tools = BOTH, .flags = MAE_KEY_FREE},
    {"scaled_decode", MAE_KEY_BOOL, FIELD(data.scaled_decode), .def = "false",
     .help = "Decode JPEG images at 1/2, 1/4 or 1/8 where the crop stays at least as "
             "large as the input; faster for large photographs, not quite the same "
             "pixels. Never in evaluation.",
     .aka = "draft", .tools = BOTH},
    {"rand_augment", MAE_KEY_TEXT, FIELD(data.rand_augment), .def = "none",
     .help = "RandAugment of training images: none, or a policy in timm's words such as "
             "rand-m9-mstd0.5-inc1; m magnitude (10), n operations (2), p probability of "
             "each (0.5), mstd noise on the magnitude (0), mmax its limit (10), inc1 "
             "operations that grow with it. Images of 1 or 3 channels; 16-bit ones are "
             "rounded to 8 bits.",
     .aka = "aa,auto_augment,autoaugment,ra", .tools = BOTH},
    {"color_jitter", MAE_KEY_REAL, FIELD(data.color_jitter), .def = "0", .min = 0,
     .max = 1,
     .help = "Strength of random changes of brightness, contrast and saturation, each by "
             "a factor of 1 - x to 1 + x; not applied with rand_augment. Images of 1 or "
             "3 channels; 16-bit ones are rounded to 8 bits.",
     .aka = "colour_jitter,jitter", .tools = BOTH},
    {"random_erasing", MAE_KEY_REAL, FIELD(data.random_erasing), .def = "0", .min = 0,
     .max = 1,
     .help = "Probability that a rectangle of 2 % to 33 % of a training image becomes "
             "noise, after normalisation.",
     .aka = "reprob,re_prob,erasing,cutout", .tools = BOTH},
};

static const MaeKey OPTIM[] = {
    {"lr", MAE_KEY_REAL, FIELD(optim.lr), .def = "auto", .min = 0, .max = 1000,
     .zero = "auto",
     .help = "Peak learning rate; auto is blr x batch_size x accum_iter / 256, of a "
             "linear probe blr x 64 (as with the published batch of 16,384 images).",
     .aka = "learning_rate,max_lr,lr_peak", .tools = BOTH, .flags = MAE_KEY_OPEN_MIN},
    {"blr", MAE_KEY_REAL, FIELD(optim.blr), .def = "1.5e-4", .def_finetune = "1e-3",
     .def_linear = "0.1", .min = 0, .max = 1000, .unit = "per 256 images",
     .help = "Base learning rate, used if lr is auto.",
     .aka = "base_lr,base_learning_rate", .tools = BOTH, .flags = MAE_KEY_OPEN_MIN},
    {"min_lr", MAE_KEY_REAL, FIELD(optim.min_lr), .def = "0", .def_finetune = "1e-6",
     .def_linear = "0", .min = 0, .max = 1000,
     .help = "Learning rate at the end of the cosine.",
     .aka = "final_lr,end_lr,eta_min,lr_min", .tools = BOTH},
    {"weight_decay", MAE_KEY_REAL, FIELD(optim.weight_decay), .def = "0.05",
     .def_linear = "0", .min = 0, .max = 100,
     .help = "Decay of tensors with two or more dimensions: decoupled in AdamW, added to "
             "the gradient in LARS (finetune.mode linear).",
     .aka = "wd,decay", .tools = BOTH},
    {"betas", MAE_KEY_REAL_PAIR, FIELD(optim.betas), .def = "[0.9, 0.95]",
     .def_finetune = "[0.9, 0.999]", .min = 0, .max = 1,
     .help = "Decay rates of AdamW's moments; the first is the momentum of LARS "
             "(finetune.mode linear).",
     .aka = "beta,adam_betas,opt_betas", .tools = BOTH, .flags = MAE_KEY_OPEN_MAX},
    {"eps", MAE_KEY_REAL, FIELD(optim.eps), .def = "1e-8", .min = 0, .max = 1,
     .help = "Added to the root of AdamW's second moment.",
     .aka = "epsilon,adam_epsilon,opt_eps", .tools = BOTH, .flags = MAE_KEY_OPEN_MIN},
    {"clip_grad", MAE_KEY_REAL, FIELD(optim.clip_grad), .def = "none", .min = 0,
     .max = 1e9, .zero = "none",
     .help = "Largest norm of the whole gradient; above it the gradient is scaled "
             "down.",
     .aka = "grad_clip,max_grad_norm,clip,gradient_clip", .tools = BOTH,
     .flags = MAE_KEY_OPEN_MIN},
    {"warmup_epochs", MAE_KEY_REAL, FIELD(optim.warmup_epochs),
     .fallback = "5 % of train.epochs, fine-tuning 10 %, linear probe 11 %", .min = 0,
     .max = 1e6, .unit = "epochs",
     .help = "Linear rise of the learning rate from 0; fractions are allowed.",
     .aka = "warmup,warmup_ratio,warm_up", .tools = BOTH},
    {"layer_decay", MAE_KEY_REAL, FIELD(optim.layer_decay), .def = "0.75",
     .def_linear = "1", .min = 0, .max = 1,
     .help =
         "Each block learns at this multiple of the next block's rate; 1 = all alike.",
     .aka = "layer_wise_lr_decay,llrd,layerwise_decay", .tools = FINETUNE,
     .flags = MAE_KEY_OPEN_MIN},
};

static const MaeKey TRAIN[] = {
    {"epochs", MAE_KEY_SIZE, FIELD(train.epochs), .def = "100", .def_finetune = "50",
     .def_linear = "90", .min = 1, .max = 1e6, .unit = "epochs",
     .help = "Passes over the training images.",
     .aka = "num_epochs,max_epochs,num_train_epochs", .tools = BOTH},
    {"batch_size", MAE_KEY_SIZE, FIELD(train.batch_size), .def = "256",
     .def_finetune = "64", .min = 1, .max = 1e6, .unit = "images",
     .help = "Images per step, over all ranks together.",
     .aka = "batch,bs,train_batch_size", .tools = BOTH},
    {"accum_iter", MAE_KEY_SIZE, FIELD(train.accum_iter), .def = "1", .min = 1,
     .max = 1e6, .unit = "batches",
     .help = "Batches whose gradients are averaged for one update.",
     .aka = "accumulation,grad_accum,gradient_accumulation_steps,accum", .tools = BOTH},
    {"precision", MAE_KEY_CHOICE, FIELD(train.precision), .def = "auto",
     .choices = PRECISION,
     .help = "Operands of matrix products; auto is bf16 where the processor multiplies "
             "it natively, else f32.",
     .aka = "dtype,amp,mixed_precision", .tools = BOTH},
    {"backend", MAE_KEY_CHOICE, FIELD(train.backend), .def = "auto", .choices = BACKEND,
     .help =
         "Who computes matrix products. In bf16, auto is code of our own (builtin), or "
         "oneDNN where the processor has AMX; in f32, oneDNN where it is built and the "
         "processor has AVX-512, else OpenBLAS.",
     .aka = "blas,gemm", .tools = BOTH, .flags = MAE_KEY_FREE},
    {"seed", MAE_KEY_SEED, FIELD(train.seed), .def = "0", .min = 0,
     .max = 9007199254740991.0, .help = "All random numbers of the run follow from it.",
     .aka = "random_seed", .tools = BOTH},
    {"threads", MAE_KEY_SIZE, FIELD(train.threads), .def = "all", .min = 1, .max = 4096,
     .zero = "all", .unit = "threads",
     .help = "Compute threads; any number gives the same result. At most 256, or 4 for "
             "each processor if that is more.",
     .aka = "num_threads,cpus", .tools = BOTH, .flags = MAE_KEY_FREE},
    {"output_dir", MAE_KEY_TEXT, FIELD(train.output_dir), .def = "",
     .help = "Run folder: checkpoints, logs, reconstructions. Required.",
     .aka = "output,out,out_dir,log_dir,save_dir,run_dir", .tools = BOTH,
     .flags = MAE_KEY_FREE},
    {"resume", MAE_KEY_TEXT, FIELD(train.resume), .def = "auto",
     .help = "auto continues a run found in output_dir, none starts anew, a path "
             "continues from "
             "that checkpoint.",
     .aka = "resume_from,resume_from_checkpoint", .tools = BOTH, .flags = MAE_KEY_FREE},
    {"overwrite", MAE_KEY_BOOL, FIELD(train.overwrite), .def = "false",
     .help = "Use output_dir although it holds files of something else, or another run.",
     .aka = "force,overwrite_output_dir", .tools = BOTH, .flags = MAE_KEY_FREE},
    {"checkpoint_activations", MAE_KEY_BOOL, FIELD(train.checkpoint_activations),
     .def = "false",
     .help = "Keep only the inputs of the blocks and compute each block again on the way "
             "back: less memory, a third more work, the same result.",
     .aka = "gradient_checkpointing,grad_checkpointing", .tools = BOTH,
     .flags = MAE_KEY_FREE},
    {"preview_every", MAE_KEY_SIZE, FIELD(train.preview_every), .def = "10", .min = 1,
     .max = 1e6, .zero = "none", .unit = "epochs",
     .help = "Epochs between reconstructions of fixed images.",
     .aka = "preview,visualize_every", .tools = PRETRAIN, .flags = MAE_KEY_FREE},
    {"preview_count", MAE_KEY_SIZE, FIELD(train.preview_count), .def = "8", .min = 1,
     .max = 256, .unit = "images", .help = "Images in a preview.", .tools = PRETRAIN,
     .flags = MAE_KEY_FREE},
    {"checkpoint_every", MAE_KEY_SIZE, FIELD(train.checkpoint_every), .def = "20",
     .min = 1, .max = 1e6, .zero = "none", .unit = "epochs",
     .help = "Epochs between checkpoint-N.h5 files.",
     .aka = "save_every,save_freq,save_interval", .tools = BOTH, .flags = MAE_KEY_FREE},
    {"keep", MAE_KEY_SIZE, FIELD(train.keep), .def = "2", .min = 1, .max = 1e6,
     .unit = "files", .help = "Newest checkpoint-N.h5 files that are kept.",
     .aka = "keep_last,save_total_limit", .tools = BOTH, .flags = MAE_KEY_FREE},
    {"save_minutes", MAE_KEY_REAL, FIELD(train.save_minutes), .def = "10", .min = 0,
     .max = 1e6, .zero = "none", .unit = "minutes",
     .help = "Time between writes of last.h5, also in the middle of an epoch.",
     .tools = BOTH, .flags = MAE_KEY_FREE | MAE_KEY_OPEN_MIN},
    {"stop_after", MAE_KEY_REAL, FIELD(train.stop_after), .def = "none", .min = 0,
     .max = 1e6, .zero = "none", .unit = "hours",
     .help =
         "Save and stop with exit code 75 after this time; the next run goes on exactly.",
     .tools = BOTH, .flags = MAE_KEY_FREE | MAE_KEY_OPEN_MIN},
    {"max_hours", MAE_KEY_REAL, FIELD(train.max_hours), .def = "none", .min = 0,
     .max = 1e6, .zero = "none", .unit = "hours",
     .help = "Plan the schedule so that the run ends annealed within this time.",
     .aka = "max_time,time_limit", .tools = BOTH,
     .flags = MAE_KEY_FREE | MAE_KEY_OPEN_MIN},
    {"on_nonfinite", MAE_KEY_CHOICE, FIELD(train.on_nonfinite), .def = "stop",
     .choices = NONFINITE,
     .help = "When a loss, gradient or weight becomes NaN or infinite: stop saves what "
             "was learnt before and ends with exit code 4, skip leaves the update out "
             "(at most 10 in a row), rollback goes back to the last checkpoint and "
             "leaves the update out when it comes again (at most 3 times in a session). "
             "After a held-out loss that is not finite, stop ends, others go on.",
     .aka = "nonfinite,on_nan,nan,nan_policy,terminate_on_nan", .tools = BOTH,
     .flags = MAE_KEY_FREE},
    {"log_every", MAE_KEY_SIZE, FIELD(train.log_every), .def = "20", .min = 1, .max = 1e9,
     .unit = "steps",
     .help = "Steps between lines of steps.jsonl and points in TensorBoard.",
     .aka = "log_interval,print_freq,logging_steps,log_freq", .tools = BOTH,
     .flags = MAE_KEY_FREE},
    {"preflight", MAE_KEY_BOOL, FIELD(train.preflight), .def = "true",
     .help =
         "Measure a few steps and print memory, time and disk needed before starting.",
     .tools = BOTH, .flags = MAE_KEY_FREE},
    {"report", MAE_KEY_BOOL, FIELD(train.report), .def = "true",
     .help = "Write report.html: curves, pictures and settings of the run on one page.",
     .aka = "html,html_report", .tools = BOTH, .flags = MAE_KEY_FREE},
};

static const MaeKey TUNE[] = {
    {"checkpoint", MAE_KEY_TEXT, FIELD(finetune.checkpoint), .def = "",
     .help = "Pretraining checkpoint; gives the architecture too. Required unless init "
             "is random.",
     .aka = "finetune,weights,pretrained,ckpt,encoder", .tools = FINETUNE},
    {"init", MAE_KEY_CHOICE, FIELD(finetune.init), .def = "pretrained", .choices = INIT,
     .help = "Start from the checkpoint's weights, or from random ones (the baseline; a "
             "checkpoint then only gives the architecture).",
     .tools = FINETUNE},
    {"pool", MAE_KEY_CHOICE, FIELD(finetune.pool), .def = "mean", .def_linear = "cls",
     .choices = POOL,
     .help = "What the head sees: mean is the average of the patch tokens and fc_norm "
             "(global "
             "pool), cls the class token.",
     .aka = "global_pool,pooling,cls_token", .tools = FINETUNE},
    {"label_smoothing", MAE_KEY_REAL, FIELD(finetune.label_smoothing), .def = "0.1",
     .def_linear = "0", .min = 0, .max = 1,
     .help = "Share of the target spread over all classes.", .aka = "smoothing",
     .tools = FINETUNE, .flags = MAE_KEY_OPEN_MAX},
    {"drop_path", MAE_KEY_REAL, FIELD(finetune.drop_path), .def = "0", .min = 0, .max = 1,
     .help =
         "Stochastic depth: rate of the last block, rising linearly from 0 at the first.",
     .aka = "drop_path_rate,stochastic_depth", .tools = FINETUNE,
     .flags = MAE_KEY_OPEN_MAX},
    {"mixup", MAE_KEY_REAL, FIELD(finetune.mixup), .def = "none", .min = 1e-3,
     .max = 1000, .zero = "none",
     .help = "Mix each batch with itself in reverse order, images and targets, in a "
             "proportion drawn from Beta(mixup, mixup); published recipes have 0.8.",
     .aka = "mixup_alpha", .tools = FINETUNE},
    {"cutmix", MAE_KEY_REAL, FIELD(finetune.cutmix), .def = "none", .min = 1e-3,
     .max = 1000, .zero = "none",
     .help = "Exchange a box between the images of such pairs; its share of the area is "
             "drawn from Beta(cutmix, cutmix); published recipes have 1.",
     .aka = "cutmix_alpha", .tools = FINETUNE},
    {"mix_prob", MAE_KEY_REAL, FIELD(finetune.mix_prob), .def = "1", .min = 0, .max = 1,
     .help = "Share of the batches that are mixed, with mixup or cutmix.",
     .aka = "mixup_prob,cutmix_prob", .tools = FINETUNE},
    {"mix_switch_prob", MAE_KEY_REAL, FIELD(finetune.mix_switch_prob), .def = "0.5",
     .min = 0, .max = 1,
     .help = "Where both are given: share of cutmix among the mixed batches.",
     .aka = "mixup_switch_prob,switch_prob", .tools = FINETUNE},
    {"ema_decay", MAE_KEY_REAL, FIELD(finetune.ema_decay), .def = "none", .min = 0.5,
     .max = 1, .zero = "none",
     .help = "Average the weights over the steps, w_avg += (1 - ema_decay) (w - w_avg), "
             "faster in the first ones: after t steps the factor is at most "
             "t / (t + 9). The averaged weights are what is evaluated and stored as the "
             "model. Usual is 0.9999.",
     .aka = "model_ema,ema,model_ema_decay", .tools = FINETUNE,
     .flags = MAE_KEY_OPEN_MAX},
    {"mode", MAE_KEY_CHOICE, FIELD(finetune.mode), .def = "full", .choices = MODE,
     .help = "Which parameters learn: full is all of them, partial the last blocks "
             "(trained_blocks), the final norm and the head. linear is the published "
             "linear probe: the encoder stays as it is, the head is a batch norm without "
             "parameters and a linear layer, trained by LARS, and some defaults differ.",
     .tools = FINETUNE},
    {"trained_blocks", MAE_KEY_REAL, FIELD(finetune.trained_blocks), .def = "1", .min = 0,
     .max = 512, .unit = "blocks",
     .help = "How many of the last blocks learn with mode partial, in halves: of half a "
             "block the MLP and its norm. 0 is the head alone, the model's depth "
             "everything. What is frozen runs forward only and keeps nothing for the "
             "way back.",
     .aka = "unfrozen_blocks,unfreeze,num_trained_blocks", .tools = FINETUNE,
     .flags = MAE_KEY_PARTIAL},
};

static const MaeKey EVAL[] = {
    {"every", MAE_KEY_SIZE, FIELD(eval.every), .def = "1", .min = 1, .max = 1e6,
     .unit = "epochs", .help = "Epochs between evaluations on data.val.",
     .aka = "eval_every,eval_interval,interval", .tools = BOTH, .flags = MAE_KEY_FREE},
    {"batch_size", MAE_KEY_SIZE, FIELD(eval.batch_size), .def = "auto", .min = 1,
     .max = 1e6, .zero = "auto", .unit = "images",
     .help = "Images per batch; auto is train.batch_size.",
     .aka = "eval_batch_size,val_batch_size", .tools = BOTH, .flags = MAE_KEY_FREE},
    {"probe", MAE_KEY_SIZE, FIELD(eval.probe), .def = "2000", .min = 10, .max = 1e9,
     .zero = "none", .unit = "images",
     .help = "Where data.train and data.val have labels: kNN and ridge accuracy of the "
             "features at each evaluation, on about so many images of each, at least one "
             "of each class. Labels change nothing else.",
     .aka = "online_probe,knn", .tools = PRETRAIN, .flags = MAE_KEY_FREE},
};

static const MaeKey DIST[] = {
    {"wire", MAE_KEY_CHOICE, FIELD(dist.wire), .def = "f32", .choices = WIRE,
     .help = "Numbers that gradients travel as between ranks; bf16 halves what is sent "
             "and rounds each rank's gradient and the sum.",
     .aka = "wire_dtype,compression,grad_dtype", .tools = BOTH, .flags = MAE_KEY_FREE},
    {"timeout", MAE_KEY_REAL, FIELD(dist.timeout), .def = "300", .min = 0, .max = 1e6,
     .zero = "none", .unit = "seconds",
     .help = "A rank that hears nothing from another one it waits for in this time ends "
             "the run with exit code 1. Longer than rank 0 takes for a checkpoint, for "
             "pictures and for report.html, which the others wait for.",
     .aka = "timeout_seconds,ddp_timeout", .tools = BOTH,
     .flags = MAE_KEY_FREE | MAE_KEY_OPEN_MIN},
    {"shard_optimizer", MAE_KEY_BOOL, FIELD(dist.shard_optimizer), .def = "false",
     .help =
         "Each rank keeps the optimiser's state of its share of the weights and "
         "updates those (ZeRO, stage 1): 8 bytes a weight are divided among ranks, as "
         "much is sent. AdamW without averaged weights.",
     .aka = "zero,zero1,zero_stage_1,use_zero", .tools = BOTH, .flags = MAE_KEY_FREE},
};

static const MaeSection SECTIONS[] = {
    {"model", "architecture", "arch,vit,network", MODEL, COUNT(MODEL)},
    {"mask", "which patches are hidden in pretraining", "masking", MASK, COUNT(MASK)},
    {"data", "images and how they are prepared", "dataset,dataloader,loader", DATA,
     COUNT(DATA)},
    {"optim", "AdamW or LARS, and the learning-rate schedule",
     "optimizer,optimiser,opt,schedule", OPTIM, COUNT(OPTIM)},
    {"train", "the run", "training,trainer,run,pretrain", TRAIN, COUNT(TRAIN)},
    {"finetune", "the classifier", "finetuning,fine_tune,classifier,head", TUNE,
     COUNT(TUNE)},
    {"eval", "evaluation during training", "evaluation,validation,test", EVAL,
     COUNT(EVAL)},
    {"dist", "several processes that train together, started by mpirun or srun",
     "distributed,ddp,mpi,parallel", DIST, COUNT(DIST)},
};

_Static_assert(COUNT(MODEL) + COUNT(MASK) + COUNT(DATA) + COUNT(OPTIM) + COUNT(TRAIN) +
                       COUNT(TUNE) + COUNT(EVAL) + COUNT(DIST) <=
                   MAE_CONFIG_KEYS,
               "MAE_CONFIG_KEYS is too small");

const MaeSection *mae_schema_sections(size_t *count)
{
    *count = COUNT(SECTIONS);
    return SECTIONS;
}
