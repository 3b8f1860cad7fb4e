/* Reading the metrics of a run. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "experiments/metrics.h"
#include "graph/io.h"

typedef struct row {
    double *value;
    int n;
} row;

typedef struct table { /* a table that grows; rows may be shorter than the columns known by now */
    cak_arena *a;
    const char **name;
    row *row;
    int n_names, n_rows, cap_names, cap_rows;
} table;

/* Column of a name, new if need be. Records have their fields in the same order, so `guess` is right almost always. */
static int column(table *t, const char *name, int guess)
{
    if (guess < t->n_names && strcmp(t->name[guess], name) == 0) return guess;
    for (int i = 0; i < t->n_names; i++)
        if (strcmp(t->name[i], name) == 0) return i;
    t->name = cak_arena_grow(t->a, t->name, &t->cap_names, t->n_names + 1, sizeof *t->name);
    t->name[t->n_names] = cak_arena_text(t->a, name);
    return t->n_names++;
}

static double non_finite(const json_t *kinds, const char *name)
{
    const char *kind = json_string_value(json_object_get(kinds, name));
    if (kind && strcmp(kind, "+inf") == 0) return (double)INFINITY;
    return kind && strcmp(kind, "-inf") == 0 ? -(double)INFINITY : (double)NAN;
}

static void add_row(table *t, json_t *json)
{
    const char *name;
    json_t *field, *kinds = json_object_get(json, "nonfinite");
    int n = 0, cap = t->n_names + (int)json_object_size(json);
    double *value = cak_arena_alloc(t->a, (size_t)cap * sizeof *value);
    for (int i = 0; i < cap; i++) value[i] = (double)NAN;
    json_object_foreach(json, name, field)
    {
        if (!json_is_number(field) && !json_is_null(field)) continue;
        n = column(t, name, n);
        value[n++] = json_is_number(field) ? json_number_value(field) : non_finite(kinds, name);
    }
    t->row = cak_arena_grow(t->a, t->row, &t->cap_rows, t->n_rows + 1, sizeof *t->row);
    t->row[t->n_rows++] = (row){ value, cap };
}

static cak_metrics_table *finish(table *t)
{
    cak_metrics_table *out = cak_arena_alloc(t->a, sizeof *out);
    double *value = cak_arena_alloc(t->a, (size_t)t->n_rows * (size_t)t->n_names * sizeof *value);
    for (int r = 0; r < t->n_rows; r++)
        for (int c = 0; c < t->n_names; c++)
            value[(int64_t)r * t->n_names + c] = c < t->row[r].n ? t->row[r].value[c] : (double)NAN;
    *out = (cak_metrics_table){ t->name, t->n_names, value, t->n_rows };
    return out;
}

/* Is the line a record of this kind? Our records start with their kind. */
static bool of_kind(const char *text, size_t n, const char *kind)
{
    static const char head[] = "{\"t\":\"";
    size_t h = sizeof head - 1, k = strlen(kind);
    return n > h + k && memcmp(text, head, h) == 0 && memcmp(text + h, kind, k) == 0 && text[h + k] == '"';
}

static bool parse(cak_diag *d, table *t, const char *path, const char *text, size_t n, int number)
{
    json_error_t e;
    json_t *json = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    if (json_is_object(json)) add_row(t, json);
    else cak_error(d, CAK_E4002, (cak_pos){ .file = path, .line = number }, "malformed record: %s", json ? "no object" : e.text);
    bool ok = json_is_object(json);
    json_decref(json);
    return ok;
}

cak_metrics_table *cak_metrics_read(cak_arena *a, cak_diag *d, const char *dir, const char *kind)
{
    const char *path = cak_arena_print(a, "%s/metrics.jsonl", dir);
    table t = { .a = a };
    if (!cak_io_exists(path)) return finish(&t);
    size_t size;
    const char *text = cak_io_read_all(a, d, CAK_E4002, path, 0, &size);
    if (!text) return NULL;
    const char *end = text + size;
    int number = 1;
    for (const char *eol; text < end && (eol = memchr(text, '\n', (size_t)(end - text))); text = eol + 1, number++) {
        size_t n = (size_t)(eol - text);
        bool ours = *text == '{' && n > 1 && eol[-1] == '}'; /* anything else is damage, whatever its kind */
        if ((of_kind(text, n, kind) || !ours) && !parse(d, &t, path, text, n, number)) return NULL;
    }
    return finish(&t);
}

int cak_metrics_column(const cak_metrics_table *t, const char *name)
{
    for (int i = 0; i < t->n_names; i++)
        if (strcmp(t->name[i], name) == 0) return i;
    return -1;
}

bool cak_metrics_is_place(const char *name) { return strcmp(name, "epoch") == 0 || strcmp(name, "step") == 0; }

/* The last whole line of a kind in text; NULL when there is none. `from_start`: text begins at the start of a line. */
static const char *last_line(const char *text, size_t size, const char *kind, bool from_start, size_t *n)
{
    const char *eol = memrchr(text, '\n', size);
    while (eol) {
        const char *before = memrchr(text, '\n', (size_t)(eol - text)), *start = before ? before + 1 : text;
        *n = (size_t)(eol - start);
        if ((before || from_start) && of_kind(start, *n, kind)) return start;
        eol = before;
    }
    return NULL;
}

cak_metrics_table *cak_metrics_last(cak_arena *a, cak_diag *d, const char *dir, const char *kind)
{
    const char *path = cak_arena_print(a, "%s/metrics.jsonl", dir), *found = NULL;
    table t = { .a = a };
    uint64_t size;
    if (!cak_io_exists(path)) return finish(&t);
    int fd = cak_io_open_read(d, CAK_E4002, path, &size);
    bool ok = fd >= 0;
    for (uint64_t window = 64 << 10; ok && !found; window *= 8) {
        uint64_t n = window < size ? window : size;
        size_t length;
        char *text = cak_arena_alloc(a, n + 1);
        ok = cak_io_pread(d, CAK_E4002, fd, path, text, n, size - n);
        found = ok ? last_line(text, n, kind, n == size, &length) : NULL;
        if (found) ok = parse(d, &t, path, found, length, 0);
        if (n == size) break;
    }
    cak_io_close(fd);
    return ok ? finish(&t) : NULL;
}
