/* log.txt of a run. */
#include "experiments/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "experiments/provenance.h"
#include "graph/arena.h"
#include "graph/io.h"

enum { MAX_MESSAGE = 4096 };
struct cak_logger {
    cak_arena *a;
    const char *path;
    int fd;
};

cak_logger *cak_log_open(cak_diag *d, const char *dir)
{
    cak_arena *a = cak_arena_open("log");
    cak_logger *log = cak_arena_alloc(a, sizeof *log);
    log->a = a;
    log->path = cak_arena_print(a, "%s/log.txt", dir);
    log->fd = cak_io_open_append(d, log->path);
    if (log->fd >= 0) return log;
    cak_arena_close(a);
    return NULL;
}

void cak_log_close(cak_logger *log)
{
    if (!log) return;
    cak_io_close(log->fd);
    cak_arena_close(log->a);
}

/* Append `text` to `line` with control characters as \xNN; returns the new length. */
static int add_visible(char *line, int n, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f) n += snprintf(line + n, 5, "\\x%02x", *p);
        else line[n++] = (char)*p;
    return n;
}

void cak_log_print(cak_logger *log, const char *fmt, ...)
{
    char text[MAX_MESSAGE], line[4 * MAX_MESSAGE + 64];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);

    char now[32];
    int n = snprintf(line, sizeof line, "%s ", cak_utc(time(NULL), now));
    n = add_visible(line, n, text);
    line[n++] = '\n';
    cak_diag *ignored = cak_diag_open();
    cak_io_append(ignored, log->fd, log->path, line, (size_t)n);
    cak_diag_close(ignored);
}
