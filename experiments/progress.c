/* Progress bar and plain progress lines. */
#include "experiments/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static struct {
    cak_progress_mode mode;
    const char *what;
    int64_t total;
    double started, drawn;
    bool visible;
} bar;

enum { LINE_EVERY = 60 }; /* seconds between plain lines */

double cak_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

const char *cak_duration(double seconds, char buf[32])
{
    long s = seconds < 0 || seconds > 1e9 ? 0 : (long)(seconds + 0.5);
    if (s >= 3600) snprintf(buf, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else snprintf(buf, 32, "%ld:%02ld", s / 60, s % 60);
    return buf;
}

bool cak_progress_parse(const char *word, cak_progress_mode *mode)
{
    static const char *const words[] = { "auto", "bar", "plain", "none" };
    for (int i = 0; i < 4; i++)
        if (!strcmp(word, words[i])) return *mode = (cak_progress_mode)i, true;
    return false;
}

void cak_progress_start(cak_progress_mode mode, const char *what, int64_t total)
{
    if (mode == CAK_PROGRESS_AUTO) mode = isatty(STDERR_FILENO) ? CAK_PROGRESS_BAR : CAK_PROGRESS_PLAIN;
    bar.mode = mode;
    bar.what = what;
    bar.total = total;
    bar.started = cak_seconds();
    bar.drawn = mode == CAK_PROGRESS_BAR ? 0 : bar.started;
}

static const char *eta(int64_t done, char buf[32])
{
    double spent = cak_seconds() - bar.started;
    return done ? cak_duration(spent / (double)done * (double)(bar.total - done), buf) : "?";
}

static void draw(int64_t done, const char *text)
{
    struct winsize w = { 0 };
    char left[32], line[512];
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : 80, cells = width / 8;
    int full = bar.total ? (int)(done * cells / bar.total) : 0, n = 0;
    n += snprintf(line + n, sizeof line - (size_t)n, "%s [", bar.what);
    for (int i = 0; i < cells && n < 300; i++) line[n++] = i < full ? '=' : i == full ? '>' : ' ';
    snprintf(line + n, sizeof line - (size_t)n, "] %lld/%lld %s eta %s", (long long)done, (long long)bar.total, text,
             eta(done, left));
    fprintf(stderr, "\r%.*s\033[K", width - 1, line);
    fflush(stderr);
    bar.visible = true;
}

void cak_progress_show(int64_t done, const char *text)
{
    double now = cak_seconds();
    char left[32];
    if (bar.mode == CAK_PROGRESS_BAR && (now - bar.drawn > 0.1 || done == bar.total)) draw(done, text);
    else if (bar.mode == CAK_PROGRESS_PLAIN && now - bar.drawn > LINE_EVERY)
        fprintf(stderr, "%s %lld/%lld %s eta=%s\n", bar.what, (long long)done, (long long)bar.total, text, eta(done, left));
    else return;
    bar.drawn = now;
}

void cak_progress_line(const char *text)
{
    if (bar.mode == CAK_PROGRESS_NONE) return;
    cak_progress_end(); /* on a terminal the line stays above the bar */
    fprintf(stderr, "%s\n", text);
    bar.drawn = cak_seconds();
}

void cak_progress_end(void)
{
    if (bar.visible) fprintf(stderr, "\r\033[K");
    bar.visible = false;
}
