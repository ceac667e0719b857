/**
 * @file tool.h
 * The frame of every tool's main: parse the command line, answer --help and --version,
 * set up messages and signals; at the end report an error and choose the exit code.
 *
 *     int main(int argc, char **argv)
 *     {
 *         MaeTool tool;
 *         Values values;
 *         MaeError err = {0};
 *         MaeStatus status;
 *
 *         if (!mae_tool_open(&tool, &COMMAND, &values, argc, argv))
 *             return tool.exit_code;
 *         status = run(&tool, &values, &err);
 *         return mae_tool_close(&tool, status, &err);
 *     }
 *
 * Threads  Main thread only.
 */
#ifndef MAE_TOOLS_COMMON_TOOL_H
#define MAE_TOOLS_COMMON_TOOL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/log.h"
#include "base/status.h"
#include "comm/comm.h"
#include "common/options.h"
#include "common/terminal.h"
#include "image/image.h"
#include "store/json.h"

/** Exit codes of all tools. */
typedef enum MaeExit {
    MAE_EXIT_OK = 0,
    MAE_EXIT_FAILURE = 1,  /**< run-time failure */
    MAE_EXIT_USAGE = 2,    /**< wrong usage or configuration */
    MAE_EXIT_DATA = 3,     /**< bad data */
    MAE_EXIT_NUMERIC = 4,  /**< non-finite numbers */
    MAE_EXIT_STOPPED = 75, /**< stopped with everything saved; run again to go on */
    MAE_EXIT_KILLED = 130, /**< second interrupt */
} MaeExit;

/** Row of a tool that reads pictures; @p at offset of a MaeImageLimits, by default
 *  MAE_TOOL_LIMITS. */
#define MAE_TOOL_LIMITS_OPTION(at)                                                       \
    {                                                                                    \
        "max-pixels", 0, MAE_OPTION_SIZE, (at) + offsetof(MaeImageLimits, max_pixels),   \
            .value = "N", .min = 1, .max = MAE_IMAGE_PIXELS_MAX,                         \
            .help = "height x width of the largest JPEG or PNG image that is read; "     \
                    "decoding one takes up to 6 bytes a pixel (at least 1 GiB is "       \
                    "allowed) in each thread that does"                                  \
    }
#define MAE_TOOL_LIMITS                                                                  \
    {                                                                                    \
        .max_pixels = MAE_IMAGE_PIXELS                                                   \
    }

/** A running tool. */
typedef struct MaeTool {
    const MaeCommand *command;
    MaeArgs args;
    MaeTerminal terminal;
    MaeLog log;    /* writes to the terminal */
    MaeComm *comm; /* NULL until mae_tool_join */
    int exit_code; /* if open returned false */
} MaeTool;

/**
 * Begin: parse into @p values (the tool's struct, or NULL), print help or
 * version on stdout or an error on stderr if that is all there is to do, else open the
 * terminal and do with signals what signals.h says. A tool that works alone ends here if
 * it was started as several ranks. Call it first in main: where OPENBLAS_NUM_THREADS is
 * not 1, the program is started once more with it (execv, the same process).
 * @return true to go on and call mae_tool_close at the end; false to return
 *         @p tool->exit_code from main, nothing is left to free.
 */
bool mae_tool_open(MaeTool *tool, const MaeCommand *command, void *values, int argc,
                   char **argv);

/**
 * Meet the other ranks that the tool was started as: tool->comm. From here on those but
 * rank 0 only warn, and say who they are; who writes and shows progress is rank 0.
 */
MaeStatus mae_tool_join(MaeTool *tool, const MaeCommOptions *options, MaeError *err);

/** True unless other ranks write and print. */
bool mae_tool_leads(const MaeTool *tool);

/**
 * End: close the terminal, print the error as one line on stderr, flush stdout (a failure
 * to do so is an error too), free the arguments, leave the other ranks. What these agreed
 * upon is printed by rank 0 alone, a COMM failure by every rank that has met it, and it
 * ends all of them.
 * @param err read only if @p status is not MAE_OK.
 * @return the exit code for main.
 */
int mae_tool_close(MaeTool *tool, MaeStatus status, const MaeError *err);

/**
 * ARG unless there is something at @p path: an input that does not exist is wrong usage
 * and ends every tool with exit code 2, one that cannot be read with 1, a damaged one
 * with 3.
 */
MaeStatus mae_tool_expect(const char *path, MaeError *err);

/**
 * Print @p root on stdout, on one line if @p indent is 0, and free it.
 * @return NOMEM, also if @p root is NULL.
 */
MaeStatus mae_tool_print_json(MaeJson *root, int indent, MaeError *err);

/**
 * Before any work: ARG if @p output, or the file that is written first (store/output.h),
 * is the same as one of the inputs (links followed), since writing it would destroy what
 * is being read, if it is a folder, or if its folder cannot be written into. NULL is fine
 * as an output and passed over as an input. From here on a signal that ends the tool
 * removes what was written so far.
 */
MaeStatus mae_tool_check_output(const char *output, const char *const *inputs,
                                size_t count, MaeError *err);

/** Exit code that stands for a status. */
MaeExit mae_exit_code(MaeStatus status);

/** "mae-pretrain: message" and a newline; without a message, the status by name. */
void mae_tool_print_error(FILE *out, const char *name, MaeStatus status,
                          const MaeError *err);

#endif /* MAE_TOOLS_COMMON_TOOL_H */
