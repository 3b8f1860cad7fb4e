/* log.txt of a run. */
#include "experiments/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "experiments/provenance.h"
#include "experiments/visible.h"
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

void cak_log_print(cak_logger *log, const char *fmt, ...)
{
    char text[MAX_MESSAGE], now[32];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);

    cak_arena *a = cak_arena_open("log line");
    const char *line = cak_arena_print(a, "%s %s\n", cak_utc(time(NULL), now), cak_visible(a, text));
    cak_diag *ignored = cak_diag_open();
    cak_io_append(ignored, log->fd, log->path, line, strlen(line));
    cak_diag_close(ignored);
    cak_arena_close(a);
}
