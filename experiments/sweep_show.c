/* Lines, and a block that is redrawn in place. */
#include "experiments/sweep_show.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "experiments/visible.h"
#include "graph/text.h"

cak_show cak_show_open(cak_progress_mode mode)
{
    if (mode == CAK_PROGRESS_AUTO) mode = isatty(STDERR_FILENO) ? CAK_PROGRESS_BAR : CAK_PROGRESS_PLAIN;
    return (cak_show){ .mode = mode };
}

void cak_show_clear(cak_show *v)
{
    if (v->drawn) fprintf(stderr, "\033[%dA\r\033[J", v->drawn);
    v->drawn = 0;
}

__attribute__((format(printf, 2, 0))) static void put(cak_show *v, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    CAK_CHECK(n >= 0);
    cak_arena *a = cak_arena_open("line about a sweep");
    char *text = cak_arena_alloc(a, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    cak_show_clear(v);
    fprintf(stderr, "%s\n", cak_visible(a, text));
    cak_arena_close(a);
}

void cak_show_line(cak_show *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (v->mode != CAK_PROGRESS_NONE) put(v, fmt, ap);
    va_end(ap);
}

void cak_show_alarm(cak_show *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put(v, fmt, ap);
    va_end(ap);
}

void cak_show_block(cak_show *v, cak_arena *a, const char *const *line, int n)
{
    if (v->mode != CAK_PROGRESS_BAR) return;
    struct winsize w = { 0 };
    int known = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0, width = known && w.ws_col ? w.ws_col : 80;
    int rows = known && w.ws_row > 2 ? w.ws_row - 1 : 24,
        first = n > rows ? n - rows : 0; /* the last line is the one that counts */
    cak_text_builder b = { .a = a };
    if (v->drawn) cak_text_add(&b, "\033[%dA\r", v->drawn);
    for (int i = first; i < n; i++) {
        const char *text = cak_visible(a, line[i]);
        cak_text_add(&b, "%.*s\033[K\n", cak_fitting(text, width - 1), text);
    }
    cak_text_add(&b, "\033[J");
    fputs(cak_text_done(&b), stderr);
    fflush(stderr);
    v->drawn = n - first;
}
