/**
 * @file terminal.h
 * Where a tool's messages go: log lines and progress on stderr, so that stdout holds
 * results only.
 *
 * On a terminal, progress is one line that is redrawn at most ten times a second, and log
 * lines appear above it. Elsewhere (a file, a pipe, TERM=dumb) it is a plain line now and
 * then. Colours only on a terminal and never if NO_COLOR is set.
 *
 * Units    Seconds; images per second; columns of the terminal.
 * Errors   None: output that cannot be written is lost.
 * Threads  All functions but open and close may be called from any thread.
 */
#ifndef MAE_TOOLS_COMMON_TERMINAL_H
#define MAE_TOOLS_COMMON_TERMINAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "data/survey.h"

/** How far the work is. */
typedef struct MaeProgress {
    const char *label;        /* "epoch 3/8"; short */
    size_t done, total;       /* steps; total 0 = unknown, no bar */
    double images_per_second; /* <= 0 or NaN: not shown */
    double loss;              /* NaN: not shown */
    double seconds_left;      /* NaN or negative: estimated from done and total */
} MaeProgress;

/** Embedded; fields are private. */
typedef struct MaeTerminal {
    pthread_mutex_t lock;
    const char *name; /* prefix of lines, the tool */
    int fd;
    bool live;     /* a terminal that understands \r and escapes */
    bool colour;   /* colours wanted */
    bool progress; /* progress wanted */
    MaeLogLevel level;
    bool drawn;          /* a progress line stands on the screen */
    bool running;        /* progress has begun; the fields below hold */
    size_t started_done; /* value of done when it began */
    double started;      /* clock then */
    double last;         /* clock of the last line */
    char line[512];      /* as drawn last */
    const char *watched; /* label of the work that is watched */
    double began;        /* clock at its beginning */
} MaeTerminal;

/**
 * Begin. @p verbosity 0 shows warnings and information, each step up or down one level
 * more or less; below 0 progress is hidden as well.
 * @param name the tool's name, kept by reference.
 * @param fd   file descriptor to write to, usually 2.
 */
void mae_terminal_open(MaeTerminal *t, const char *name, int fd, int verbosity);

/** Remove the progress line and end; NULL is fine. */
void mae_terminal_close(MaeTerminal *t);

/** The log to hand to the library: lines come out as "mae-pretrain: warning: text". */
MaeLog mae_terminal_log(MaeTerminal *t);

/** Show progress; cheap when called at every step. Texts are not kept. */
void mae_terminal_progress(MaeTerminal *t, const MaeProgress *p);

/** Who hears of work on images that begins now, one at a time. @p label is kept. */
MaeWatch mae_terminal_watch(MaeTerminal *t, const char *label);

/**
 * End of a phase (an epoch, a file): where there is no live line, the state is printed
 * now.
 */
void mae_terminal_mark(MaeTerminal *t, const MaeProgress *p);

/** Progress is over; the line disappears and the next one begins anew. */
void mae_terminal_progress_end(MaeTerminal *t);

/**
 * One line of at most @p columns characters (also less than @p size), without a newline:
 * label, bar (if @p bar and there is room), percentage, steps, time left, speed, loss.
 * Pure. @p p->seconds_left is used as it is.
 * @return its length.
 */
size_t mae_terminal_format(char *line, size_t size, const MaeProgress *p, size_t columns,
                           bool bar);

#endif /* MAE_TOOLS_COMMON_TERMINAL_H */
