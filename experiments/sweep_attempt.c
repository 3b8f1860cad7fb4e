/* Attempts of a point: writing and reading their lines. */
#include "experiments/sweep_attempt.h"

#include <jansson.h>
#include <string.h>

#include "experiments/provenance.h"
#include "graph/io.h"

enum { LONGEST = 16 << 20 }; /* of a file of attempts */

static json_t *or_null(json_t *json) { return json ? json : json_null(); }

/* A line that a full disk or a power failure cut must not swallow the next. */
static bool drop_torn_line(cak_arena *a, cak_diag *d, int fd, const char *path)
{
    size_t size;
    const char *text = cak_io_read_all(a, d, CAK_E4002, path, LONGEST, &size);
    const char *eol = text ? memrchr(text, '\n', size) : NULL;
    size_t whole = eol ? (size_t)(eol + 1 - text) : 0;
    return text && (whole == size || cak_io_truncate(d, fd, path, whole));
}

bool cak_attempt_add(cak_diag *d, const cak_sweep_dir *s, int point, const cak_attempt *t)
{
    char started[32], ended[32];
    cak_arena *a = cak_arena_open("attempt");
    const char *path = cak_point_path(a, s, point, "attempts");
    json_t *json =
        json_pack("{s:o, s:o, s:o, s:s, s:s, s:b, s:i}", "exit", t->exit_code < 0 ? json_null() : json_integer(t->exit_code),
                  "signal", t->signal ? json_integer(t->signal) : json_null(), "reason",
                  or_null(t->reason ? json_string(t->reason) : NULL), "started", cak_utc(t->started, started), "ended",
                  cak_utc(t->ended, ended), "stopped_early", t->stopped_early, "changes", t->changes);
    CAK_CHECK(json);
    size_t n = json_dumpb(json, NULL, 0, JSON_COMPACT);
    char *line = cak_arena_alloc(a, n + 1);
    json_dumpb(json, line, n, JSON_COMPACT);
    line[n] = '\n';
    int fd = cak_io_open_append(d, path);
    bool ok = fd >= 0 && drop_torn_line(a, d, fd, path) && cak_io_append(d, fd, path, line, n + 1) && cak_io_sync(d, fd, path);
    cak_io_close(fd);
    json_decref(json);
    cak_arena_close(a);
    return ok;
}

static cak_attempt attempt_of(cak_arena *a, const json_t *json)
{
    const json_t *code = json_object_get(json, "exit");
    const char *reason = json_string_value(json_object_get(json, "reason"));
    return (cak_attempt){ .exit_code = json_is_integer(code) ? (int)json_integer_value(code) : -1,
                          .signal = (int)json_integer_value(json_object_get(json, "signal")),
                          .reason = reason ? cak_arena_text(a, reason) : NULL,
                          .started = cak_utc_seconds(json_string_value(json_object_get(json, "started"))),
                          .ended = cak_utc_seconds(json_string_value(json_object_get(json, "ended"))),
                          .stopped_early = json_is_true(json_object_get(json, "stopped_early")),
                          .changes = (int)json_integer_value(json_object_get(json, "changes")) };
}

static bool parse(cak_arena *a, cak_diag *d, const char *path, int number, const char *text, size_t n, cak_attempt *out)
{
    json_error_t e;
    json_t *json = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    bool ok = json_is_object(json);
    if (ok) *out = attempt_of(a, json);
    else cak_error(d, CAK_E4002, (cak_pos){ .file = path, .line = number }, "not the record of an attempt");
    json_decref(json);
    return ok;
}

bool cak_attempt_last(cak_arena *a, cak_diag *d, const cak_sweep_dir *s, int point, int *n, cak_attempt *last)
{
    const char *path = cak_point_path(a, s, point, "attempts");
    size_t size;
    *n = 0;
    *last = (cak_attempt){ .exit_code = -1 };
    if (!cak_io_exists(path)) return true;
    const char *text = cak_io_read_all(a, d, CAK_E4002, path, LONGEST, &size);
    if (!text) return false;
    for (const char *eol, *end = text + size; text < end && (eol = memchr(text, '\n', (size_t)(end - text))); text = eol + 1)
        if (!parse(a, d, path, ++*n, text, (size_t)(eol - text), last)) return false;
    return true;
}
