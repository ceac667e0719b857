#include "common/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pool.h"
#include "common/signals.h"
#include "common/version.h"
#include "store/output.h"
#include "store/vfd.h"

/* Results are complete only once stdout has taken them. */
static MaeStatus flush_results(MaeError *err)
{
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout))
        MAE_FAIL(err, MAE_ERR_IO, "standard output: cannot write: %s",
                 errno != 0 ? strerror(errno) : "an earlier write failed");
    return MAE_OK;
}

/* Nothing else to do than print; ends the tool. */
static bool finish_early(MaeTool *tool, MaeStatus status, MaeError *err)
{
    if (status == MAE_OK)
        status = flush_results(err);
    if (status != MAE_OK)
        mae_tool_print_error(stderr, tool->command->name, status, err);
    tool->exit_code = (int)mae_exit_code(status);
    mae_args_done(&tool->args);
    return false;
}

static MaeStatus install_signals(const MaeCommand *command, MaeError *err)
{
    MAE_TRY(mae_signals_ignore_write(err));
    return command->interruptible ? mae_signals_install(mae_comm_launched() > 1, err)
                                  : MAE_OK;
}

/* Take the places of standard streams that the caller has closed, or a file of the tool
 * would, and get what is printed; what is put there can neither be read nor written. */
static void keep_places(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

/*
 * OpenBLAS starts threads as it is loaded, one a processor. Nobody uses them, but where
 * there is no memory for their buffers they wait for it for ever, take what was kept for
 * others, and the end of the program waits for them. So it is loaded once more, without.
 */
static void start_without_blas_threads(char **argv)
{
    static const char key[] = "OPENBLAS_NUM_THREADS";
    const char *value = getenv(key);
    char path[4096];
    ssize_t n;

    if (value != NULL && strcmp(value, "1") == 0)
        return;
    n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0 || n == sizeof path - 1 || setenv(key, "1", 1) != 0)
        return;
    path[n] = '\0';
    (void)execv(path, argv); /* if it fails, all goes on as it is */
}

/* Copies of a tool would write over each other's results. */
static MaeStatus expect_alone(MaeTool *tool, MaeError *err)
{
    const size_t ranks = mae_comm_launched();

    if (tool->command->ranks || ranks == 1)
        return MAE_OK;
    MAE_TRY(mae_tool_join(tool, &(MaeCommOptions){.timeout = 60.0}, err));
    MAE_FAIL(err, MAE_ERR_ARG, "started as %zu ranks, expected one: it works alone",
             ranks);
}

bool mae_tool_open(MaeTool *tool, const MaeCommand *command, void *values, int argc,
                   char **argv)
{
    MaeError err = {0};
    MaeStatus status;

    start_without_blas_threads(argv);
    keep_places();
    mae_vfd_no_cleanup();
    *tool = (MaeTool){.command = command};
    status = install_signals(command, &err);
    if (status != MAE_OK)
        return finish_early(tool, status, &err);
    status = mae_options_parse(&tool->args, values, command, argc, argv, &err);
    if (status != MAE_OK)
        return finish_early(tool, status, &err);
    if (tool->args.help) {
        mae_options_help(stdout, command);
        return finish_early(tool, MAE_OK, &err);
    }
    if (tool->args.version) {
        mae_version_print(stdout, command->name);
        return finish_early(tool, MAE_OK, &err);
    }
    mae_terminal_open(&tool->terminal, command->name, STDERR_FILENO,
                      tool->args.verbosity);
    tool->log = mae_terminal_log(&tool->terminal);
    if (!command->train_keys) /* a run says it of train.threads */
        mae_pool_judge(&tool->log, tool->args.threads);
    status = expect_alone(tool, &err);
    if (status != MAE_OK)
        tool->exit_code = mae_tool_close(tool, status, &err);
    return status == MAE_OK;
}

static void log_as_rank(void *ctx, MaeLogLevel level, const char *line)
{
    MaeTool *tool = ctx;
    const MaeLog log = mae_terminal_log(&tool->terminal);

    mae_log(&log, level, "rank %zu: %s", mae_comm_rank(tool->comm), line);
}

MaeStatus mae_tool_join(MaeTool *tool, const MaeCommOptions *options, MaeError *err)
{
    MAE_TRY(mae_comm_open(&tool->comm, options, err));
    if (!mae_tool_leads(tool))
        tool->log = (MaeLog){.fn = log_as_rank, .ctx = tool, .level = MAE_LOG_WARN};
    return mae_comm_same(tool->comm, "the program", tool->command->name, err);
}

bool mae_tool_leads(const MaeTool *tool)
{
    return mae_comm_rank(tool->comm) == 0;
}

int mae_tool_close(MaeTool *tool, MaeStatus status, const MaeError *err)
{
    MaeError late = {0};
    int code;

    mae_terminal_close(&tool->terminal);
    if (status == MAE_OK) {
        status = flush_results(&late);
        err = &late;
    }
    code = (int)mae_exit_code(status);
    if (status != MAE_OK && (mae_tool_leads(tool) || status == MAE_ERR_COMM))
        mae_tool_print_error(stderr, tool->command->name, status, err);
    mae_args_done(&tool->args);
    if (status == MAE_ERR_COMM)
        mae_comm_abort(tool->comm, code);
    mae_comm_close(tool->comm);
    return code;
}

MaeStatus mae_tool_expect(const char *path, MaeError *err)
{
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        MAE_FAIL(err, MAE_ERR_ARG, "%s: does not exist", path);
    return MAE_OK;
}

MaeStatus mae_tool_print_json(MaeJson *root, int indent, MaeError *err)
{
    char *text = mae_json_dump(root, indent);

    mae_json_free(root);
    if (text == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for the results as JSON");
    (void)puts(text);
    free(text);
    return MAE_OK;
}

static MaeStatus check_other(const char *output, const char *const *inputs, size_t count,
                             MaeError *err)
{
    struct stat out, in;

    if (stat(output, &out) != 0)
        return MAE_OK;
    for (size_t i = 0; i < count; i++) {
        if (inputs[i] != NULL && stat(inputs[i], &in) == 0 && in.st_dev == out.st_dev &&
            in.st_ino == out.st_ino)
            MAE_FAIL(err, MAE_ERR_ARG, "%s: is an input too; name another file to write",
                     output);
    }
    return MAE_OK;
}

/* The folder of @p path, "." if it names none; free() it, NULL if memory ran out. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
}

/* Hours of work must not end at a folder that was never there, or at one in the way. */
static MaeStatus check_folder(const char *output, MaeError *err)
{
    struct stat st;
    char *folder = folder_of(output);
    MaeStatus status = MAE_OK;

    if (folder == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", output);
    if (stat(output, &st) == 0 && S_ISDIR(st.st_mode))
        status = mae_error_set(err, MAE_ERR_ARG, __FILE__, __LINE__,
                               "%s: expected a file to write, found a folder", output);
    else if (access(folder, W_OK | X_OK) != 0)
        status = mae_error_set(err, MAE_ERR_ARG, __FILE__, __LINE__,
                               "%s: cannot write into %s: %s", output, folder,
                               strerror(errno));
    free(folder);
    return status;
}

MaeStatus mae_tool_check_output(const char *output, const char *const *inputs,
                                size_t count, MaeError *err)
{
    char *temp;
    MaeStatus status;

    if (output == NULL)
        return MAE_OK;
    temp = mae_output_temp(output);
    if (temp == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", output);
    status = check_other(output, inputs, count, err);
    if (status == MAE_OK)
        status = check_other(temp, inputs, count, err);
    if (status == MAE_OK)
        status = check_folder(output, err);
    if (status == MAE_OK)
        status = mae_signals_remove(temp, err);
    free(temp);
    return status;
}

MaeExit mae_exit_code(MaeStatus status)
{
    switch (status) {
    case MAE_OK:
        return MAE_EXIT_OK;
    case MAE_ERR_ARG:
    case MAE_ERR_SHAPE:
        return MAE_EXIT_USAGE;
    case MAE_ERR_FORMAT:
        return MAE_EXIT_DATA;
    case MAE_ERR_NUMERIC:
        return MAE_EXIT_NUMERIC;
    case MAE_ERR_INTERRUPTED:
        return MAE_EXIT_STOPPED;
    case MAE_ERR_IO:
    case MAE_ERR_NOMEM:
    case MAE_ERR_COMM:
        break;
    }
    return MAE_EXIT_FAILURE;
}

void mae_tool_print_error(FILE *out, const char *name, MaeStatus status,
                          const MaeError *err)
{
    const bool told = err != NULL && err->msg[0] != '\0';

    fprintf(out, "%s: %s\n", name, told ? err->msg : mae_status_name(status));
}
