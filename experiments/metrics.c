/* Writing the metrics of a run. */
#include "experiments/metrics.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/io.h"
#include "graph/text.h"

enum { RING = 64 };

typedef struct line { /* a record being composed; the room is known to suffice */
    char *text;
    size_t n, cap;
} line;

struct cak_metrics {
    cak_arena *a;
    const char *path, *csv_path;
    int fd, csv_fd;
    cak_fields step, epoch;
    cak_metrics_count count;
    line line, ring[RING];
};

__attribute__((format(printf, 2, 3))) static void add(line *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(l->text + l->n, l->cap - l->n, fmt, ap);
    va_end(ap);
    CAK_CHECK(n >= 0 && (size_t)n < l->cap - l->n);
    l->n += (size_t)n;
}

static const char *non_finite(double v) { return isnan(v) ? "nan" : v > 0 ? "+inf" : "-inf"; }

static void add_number(line *l, const cak_field *f, double v)
{
    if (f->exact) add(l, "%.17g", v);
    else add(l, "%.9g", v);
}

static void add_values(line *l, cak_fields f, const double *value)
{
    bool finite = true;
    for (int i = 0; i < f.n; i++) {
        add(l, ",\"%s\":", f.field[i].name);
        if (isfinite(value[i])) add_number(l, &f.field[i], value[i]);
        else add(l, "null"), finite = false; /* JSON has no NaN; its kind follows in "nonfinite" */
    }
    const char *before = ",\"nonfinite\":{";
    for (int i = 0; i < f.n; i++)
        if (!isfinite(value[i])) add(l, "%s\"%s\":\"%s\"", before, f.field[i].name, non_finite(value[i])), before = ",";
    add(l, finite ? "}\n" : "}}\n");
}

static void add_csv_row(line *l, uint64_t epoch, uint64_t step, double wall, cak_fields f, const double *value)
{
    add(l, "%" PRIu64 ",%" PRIu64 ",%.3f", epoch, step, wall);
    for (int i = 0; i < f.n; i++) {
        add(l, ",");
        if (isfinite(value[i])) add_number(l, &f.field[i], value[i]);
        else add(l, "%s", non_finite(value[i]));
    }
    add(l, "\n");
}

/* Room for the longest record: every name twice, every value as its longest text. */
static size_t room(cak_fields f)
{
    size_t n = 512;
    for (int i = 0; i < f.n; i++) n += 2 * strlen(f.field[i].name) + 64;
    return n;
}

static line new_line(cak_arena *a, size_t cap) { return (line){ .text = cak_arena_alloc(a, cap), .cap = cap }; }

/* ---- opening ---- */

static bool starts(const char *text, const char *end, const char *kind)
{
    size_t n = strlen(kind);
    return (size_t)(end - text) >= n && memcmp(text, kind, n) == 0;
}

/* Length of the part of the log that holds `keep` records; counts what is there. */
static size_t find_cut(const char *text, size_t size, cak_metrics_count keep, cak_metrics_count *found)
{
    const char *p = text, *end = text + size;
    for (const char *eol; p < end && (eol = memchr(p, '\n', (size_t)(end - p))); p = eol + 1) {
        bool step = starts(p, eol, "{\"t\":\"step\""), epoch = starts(p, eol, "{\"t\":\"epoch\"");
        if ((step && found->steps == keep.steps) || (epoch && found->epochs == keep.epochs)) break;
        found->steps += step;
        found->epochs += epoch;
    }
    return (size_t)(p - text);
}

static bool cut(cak_diag *d, cak_metrics *m, const cak_metrics_count *keep)
{
    size_t size = 0;
    const char *text = cak_io_read_all(m->a, d, CAK_E4002, m->path, 0, &size);
    if (!text) return false;
    size_t length = find_cut(text, size, *keep, &m->count);
    if (m->count.steps < keep->steps || m->count.epochs < keep->epochs)
        return cak_error(d, CAK_E4006, CAK_NOWHERE,
                         "%s holds %" PRIu64 " step and %" PRIu64 " epoch records, the checkpoint counts %" PRIu64
                         " and %" PRIu64,
                         m->path, m->count.steps, m->count.epochs, keep->steps, keep->epochs);
    return length == size || cak_io_truncate(d, m->fd, m->path, length);
}

static void csv_head(cak_text_builder *b, cak_fields f)
{
    cak_text_add(b, "epoch,step,wall");
    for (int i = 0; i < f.n; i++) cak_text_add(b, ",%s", f.field[i].name);
    cak_text_add(b, "\n");
}

static double cell(const cak_metrics_table *t, int row, const char *name)
{
    int c = cak_metrics_column(t, name);
    return c < 0 ? (double)NAN : t->value[(int64_t)row * t->n_names + c];
}

/* metrics.csv is made from the epoch records, whatever it was before. */
static bool derive_csv(cak_arena *a, cak_diag *d, cak_metrics *m, const char *dir)
{
    cak_metrics_table *t = cak_metrics_read(a, d, dir, "epoch");
    if (!t) return false;
    cak_text_builder b = { .a = a };
    csv_head(&b, m->epoch);
    double *value = cak_arena_alloc(a, (size_t)m->epoch.n * sizeof *value);
    for (int r = 0; r < t->n_rows; r++) {
        for (int i = 0; i < m->epoch.n; i++) value[i] = cell(t, r, m->epoch.field[i].name);
        m->line.n = 0;
        add_csv_row(&m->line, (uint64_t)cell(t, r, "epoch"), (uint64_t)cell(t, r, "step"), cell(t, r, "wall"), m->epoch, value);
        cak_text_add(&b, "%s", m->line.text);
    }
    cak_io_part part = { cak_text_done(&b), (size_t)b.n };
    return cak_io_replace(d, m->csv_path, &part, 1);
}

static bool open_files(cak_diag *d, cak_metrics *m, const char *dir, const cak_metrics_count *keep)
{
    if (!keep && cak_io_exists(m->path)) return cak_error(d, CAK_E4001, CAK_NOWHERE, "%s exists already", m->path);
    m->fd = cak_io_open_append(d, m->path);
    if (m->fd < 0 || (keep && !cut(d, m, keep))) return false;
    cak_arena *a = cak_arena_open("metrics.csv");
    bool ok = derive_csv(a, d, m, dir);
    cak_arena_close(a);
    if (ok) m->csv_fd = cak_io_open_append(d, m->csv_path);
    return ok && m->csv_fd >= 0;
}

cak_metrics *cak_metrics_open(cak_diag *d, const char *dir, cak_fields step, cak_fields epoch, const cak_metrics_count *keep)
{
    cak_arena *a = cak_arena_open("metrics");
    cak_metrics *m = cak_arena_alloc(a, sizeof *m);
    *m = (cak_metrics){ .a = a, .fd = -1, .csv_fd = -1, .step = step, .epoch = epoch };
    m->path = cak_arena_print(a, "%s/metrics.jsonl", dir);
    m->csv_path = cak_arena_print(a, "%s/metrics.csv", dir);
    size_t step_room = room(step), epoch_room = room(epoch);
    m->line = new_line(a, step_room > epoch_room ? step_room : epoch_room);
    for (int i = 0; i < RING; i++) m->ring[i] = new_line(a, step_room);
    if (open_files(d, m, dir, keep)) return m;
    cak_metrics_close(m);
    return NULL;
}

void cak_metrics_close(cak_metrics *m)
{
    if (!m) return;
    cak_io_close(m->fd);
    cak_io_close(m->csv_fd);
    cak_arena_close(m->a);
}

/* ---- records ---- */

bool cak_metrics_step(cak_diag *d, cak_metrics *m, uint64_t step, uint64_t epoch, uint64_t batch, double wall,
                      const double *value)
{
    line *l = &m->ring[m->count.steps % RING];
    l->n = 0;
    add(l, "{\"t\":\"step\",\"step\":%" PRIu64 ",\"epoch\":%" PRIu64 ",\"batch\":%" PRIu64 ",\"wall\":%.3f", step, epoch, batch,
        wall);
    add_values(l, m->step, value);
    m->count.steps++;
    return cak_io_append(d, m->fd, m->path, l->text, l->n);
}

bool cak_metrics_epoch(cak_diag *d, cak_metrics *m, uint64_t epoch, uint64_t step, double wall, const double *value)
{
    line *l = &m->line;
    l->n = 0;
    add(l, "{\"t\":\"epoch\",\"epoch\":%" PRIu64 ",\"step\":%" PRIu64 ",\"wall\":%.3f", epoch, step, wall);
    add_values(l, m->epoch, value);
    m->count.epochs++;
    if (!cak_io_append(d, m->fd, m->path, l->text, l->n)) return false;
    l->n = 0;
    add_csv_row(l, epoch, step, wall, m->epoch, value);
    return cak_io_append(d, m->csv_fd, m->csv_path, l->text, l->n);
}

bool cak_metrics_event(cak_diag *d, cak_metrics *m, const char *event, uint64_t step, double wall, const char *note)
{
    json_t *json = json_pack("{s:s, s:s, s:I, s:f}", "t", "event", "event", event, "step", (json_int_t)step, "wall",
                             round(wall * 1e3) / 1e3);
    CAK_CHECK(json);
    json_t *text = note ? json_string(note) : NULL;
    if (note) json_object_set_new(json, "note", text ? text : json_string("(not UTF-8)"));
    cak_arena *a = cak_arena_open("event");
    size_t n = json_dumpb(json, NULL, 0, JSON_COMPACT);
    char *record = cak_arena_alloc(a, n + 1);
    json_dumpb(json, record, n, JSON_COMPACT);
    record[n] = '\n';
    bool ok = cak_io_append(d, m->fd, m->path, record, n + 1);
    cak_arena_close(a);
    json_decref(json);
    return ok;
}

cak_metrics_count cak_metrics_counted(const cak_metrics *m) { return m->count; }
bool cak_metrics_sync(cak_diag *d, cak_metrics *m) { return cak_io_sync(d, m->fd, m->path); }

bool cak_metrics_write_ring(cak_diag *d, const cak_metrics *m, const char *path)
{
    cak_io_part part[RING];
    int n = 0;
    for (uint64_t i = 0; i < RING; i++) {
        const line *l = &m->ring[(m->count.steps + i) % RING]; /* the oldest comes first */
        if (l->n) part[n++] = (cak_io_part){ l->text, l->n };
    }
    return cak_io_replace(d, path, part, n);
}
