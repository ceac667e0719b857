#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/text.h"

static double read_clock(clockid_t id)
{
    struct timespec t;

    if (clock_gettime(id, &t) != 0)
        return 0.0;
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double mae_clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double mae_clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

double mae_clock_processor(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void mae_clock_duration(char *text, size_t size, double seconds)
{
    if (!(seconds >= 0.0) || seconds > 3.15e9) {
        (void)snprintf(text, size, "unknown");
    } else if (seconds < 60.0) {
        (void)mae_text_format(text, size, "%.1f s", seconds);
    } else if (seconds < 3600.0) {
        const int s = (int)seconds;
        (void)snprintf(text, size, "%d min %02d s", s / 60, s % 60);
    } else if (seconds < 48.0 * 3600.0) {
        const int min = (int)(seconds / 60.0);
        (void)snprintf(text, size, "%d h %02d min", min / 60, min % 60);
    } else {
        (void)mae_text_format(text, size, "%.1f days", seconds / 86400.0);
    }
}
