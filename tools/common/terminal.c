#include "common/terminal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

static const double REDRAW_SECONDS = 0.1; /* between two drawings of a live line */
static const double PLAIN_SECONDS = 30.0; /* between two plain lines */
static const char ERASE[] = "\r\033[K";   /* to the start of the line, clear it */

enum { BAR_MIN = 10, BAR_MAX = 40 };

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value != NULL && value[0] != '\0';
}

static bool is_live(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

static size_t terminal_columns(int fd)
{
    struct winsize size;

    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

static void write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        const ssize_t n = write(fd, text, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text += n;
        size -= (size_t)n;
    }
}

void mae_terminal_open(MaeTerminal *t, const char *name, int fd, int verbosity)
{
    int level = (int)MAE_LOG_INFO + verbosity;

    if (level < (int)MAE_LOG_ERROR)
        level = (int)MAE_LOG_ERROR;
    if (level > (int)MAE_LOG_TRACE)
        level = (int)MAE_LOG_TRACE;
    *t = (MaeTerminal){.name = name,
                       .fd = fd,
                       .live = is_live(fd),
                       .colour = is_live(fd) && !is_set("NO_COLOR"),
                       .progress = verbosity >= 0,
                       .level = (MaeLogLevel)level};
    (void)pthread_mutex_init(&t->lock, NULL);
}

/* The caller holds the lock for all of the functions down to the next public one. */
static void erase(MaeTerminal *t)
{
    if (t->drawn)
        write_all(t->fd, ERASE, sizeof ERASE - 1);
    t->drawn = false;
}

static void draw(MaeTerminal *t)
{
    char text[sizeof t->line + sizeof ERASE];
    const int size = snprintf(text, sizeof text, "%s%s", ERASE, t->line);

    write_all(t->fd, text, (size_t)size);
    t->drawn = true;
}

static double estimate_left(const MaeTerminal *t, const MaeProgress *p, double now)
{
    if (p->seconds_left >= 0.0)
        return p->seconds_left;
    if (p->done <= t->started_done || p->done > p->total)
        return (double)NAN;
    return (now - t->started) / (double)(p->done - t->started_done) *
           (double)(p->total - p->done);
}

static void report(MaeTerminal *t, const MaeProgress *p, double now)
{
    MaeProgress full = *p;

    full.seconds_left = estimate_left(t, p, now);
    t->last = now;
    if (t->live) {
        const size_t columns = terminal_columns(t->fd);

        (void)mae_terminal_format(t->line, sizeof t->line, &full, columns - 1, true);
        draw(t);
    } else {
        char text[sizeof t->line + 128];
        int size;

        (void)mae_terminal_format(t->line, sizeof t->line, &full, sizeof t->line, false);
        size = snprintf(text, sizeof text, "%.100s: %s\n", t->name, t->line);
        write_all(t->fd, text, (size_t)size);
    }
}

static void begin(MaeTerminal *t, const MaeProgress *p, double now)
{
    if (t->running)
        return;
    t->running = true;
    t->started = now;
    t->started_done = p->done;
    t->last = t->live ? now - REDRAW_SECONDS : now;
}

void mae_terminal_progress(MaeTerminal *t, const MaeProgress *p)
{
    const double now = mae_clock_now();

    if (!t->progress)
        return;
    (void)pthread_mutex_lock(&t->lock);
    begin(t, p, now);
    if (now - t->last >= (t->live ? REDRAW_SECONDS : PLAIN_SECONDS))
        report(t, p, now);
    (void)pthread_mutex_unlock(&t->lock);
}

static void show_images(void *ctx, size_t done, size_t total)
{
    MaeTerminal *t = ctx;
    const double seconds = mae_clock_now() - t->began;

    mae_terminal_progress(
        t, &(MaeProgress){.label = t->watched,
                          .done = done,
                          .total = total,
                          .images_per_second = done > 0 ? (double)done / seconds : 0.0,
                          .loss = (double)NAN,
                          .seconds_left = (double)NAN});
}

MaeWatch mae_terminal_watch(MaeTerminal *t, const char *label)
{
    t->watched = label;
    t->began = mae_clock_now();
    return (MaeWatch){show_images, t};
}

void mae_terminal_mark(MaeTerminal *t, const MaeProgress *p)
{
    const double now = mae_clock_now();

    if (!t->progress)
        return;
    (void)pthread_mutex_lock(&t->lock);
    begin(t, p, now);
    report(t, p, now);
    (void)pthread_mutex_unlock(&t->lock);
}

void mae_terminal_progress_end(MaeTerminal *t)
{
    (void)pthread_mutex_lock(&t->lock);
    erase(t);
    t->running = false;
    (void)pthread_mutex_unlock(&t->lock);
}

void mae_terminal_close(MaeTerminal *t)
{
    if (t == NULL)
        return;
    mae_terminal_progress_end(t);
    (void)pthread_mutex_destroy(&t->lock);
}

static const char *level_text(MaeLogLevel level, bool colour)
{
    switch (level) {
    case MAE_LOG_ERROR:
        return colour ? "\033[1;31merror:\033[0m " : "error: ";
    case MAE_LOG_WARN:
        return colour ? "\033[1;33mwarning:\033[0m " : "warning: ";
    case MAE_LOG_INFO:
        return "";
    case MAE_LOG_DEBUG:
        return colour ? "\033[2mdebug:\033[0m " : "debug: ";
    case MAE_LOG_TRACE:
        break;
    }
    return colour ? "\033[2mtrace:\033[0m " : "trace: ";
}

static void on_line(void *ctx, MaeLogLevel level, const char *line)
{
    MaeTerminal *t = ctx;
    char text[1280];
    int size;

    size = snprintf(text, sizeof text, "%.100s: %s%.1023s\n", t->name,
                    level_text(level, t->colour), line);
    (void)pthread_mutex_lock(&t->lock);
    if (t->drawn) {
        erase(t);
        write_all(t->fd, text, (size_t)size);
        draw(t);
    } else {
        write_all(t->fd, text, (size_t)size);
    }
    (void)pthread_mutex_unlock(&t->lock);
}

MaeLog mae_terminal_log(MaeTerminal *t)
{
    return (MaeLog){.fn = on_line, .ctx = t, .level = t->level};
}

/* Percentage, steps, time left, speed and loss, each with two spaces before it. */
static void format_tail(char *text, size_t size, const MaeProgress *p)
{
    char left[32];
    int used = 0;

    if (p->total > 0)
        used = snprintf(text, size, " %3.0f %%  %zu/%zu",
                        100.0 * (double)p->done / (double)p->total, p->done, p->total);
    else
        used = snprintf(text, size, "  %zu", p->done);
    if (p->seconds_left >= 0.0) {
        mae_clock_duration(left, sizeof left, p->seconds_left);
        used += snprintf(text + used, size - (size_t)used, "  ETA %s", left);
    }
    if (p->images_per_second > 0.0)
        used +=
            snprintf(text + used, size - (size_t)used,
                     p->images_per_second < 100.0 ? "  %.1f images/s" : "  %.0f images/s",
                     fmin(p->images_per_second, 1e12));
    if (!isnan(p->loss))
        (void)snprintf(text + used, size - (size_t)used, "  loss %.4g", p->loss);
}

/* "[=====>    ]" with @p inside characters between the brackets. */
static void format_bar(char *text, size_t inside, const MaeProgress *p)
{
    const double part = fmin(1.0, (double)p->done / (double)p->total);
    const size_t filled = (size_t)(part * (double)inside);

    text[0] = '[';
    memset(text + 1, '=', filled);
    memset(text + 1 + filled, ' ', inside - filled);
    if (filled < inside)
        text[1 + filled] = '>';
    text[1 + inside] = ']';
    text[2 + inside] = '\0';
}

size_t mae_terminal_format(char *line, size_t size, const MaeProgress *p, size_t columns,
                           bool bar)
{
    char label[64], tail[192], drawing[BAR_MAX + 3] = "", whole[320];
    size_t used, length;

    (void)snprintf(label, sizeof label, "%s", p->label);
    mae_text_tame(label);
    format_tail(tail, sizeof tail, p);
    used = strlen(label) + strlen(tail) + 3; /* a space and two brackets */
    if (bar && p->total > 0 && columns >= used + BAR_MIN) {
        const size_t room = columns - used;

        format_bar(drawing, room < BAR_MAX ? room : BAR_MAX, p);
    }
    (void)snprintf(whole, sizeof whole, "%s%s%s%s", label, drawing[0] ? " " : "", drawing,
                   tail);
    length = strlen(whole);
    if (length > columns)
        length = columns;
    if (length >= size)
        length = size - 1;
    memcpy(line, whole, length);
    line[length] = '\0';
    return length;
}
