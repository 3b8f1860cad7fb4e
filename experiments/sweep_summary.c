/* summary.csv: a row per point. It holds nothing of clocks, hosts and attempts, so that equal sweeps give equal bytes. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "experiments/sweep_attempt.h"
#include "graph/io.h"
#include "graph/text.h"

enum { PATIENCE = 50 }; /* times that the lock is asked for, each time for a moment */

typedef struct summary {
    cak_arena *a;
    const cak_sweep_dir *s;
    cak_point_status *status; /* by point */
    const char **metric;      /* columns, in order of first appearance */
    int n_metrics, cap;
    cak_text_builder text;
} summary;

static void add_metric(summary *m, const char *name)
{
    if (cak_metrics_is_place(name) || !strcmp(name, "wall")) return;
    for (int i = 0; i < m->n_metrics; i++)
        if (!strcmp(m->metric[i], name)) return;
    m->metric = cak_arena_grow(m->a, m->metric, &m->cap, m->n_metrics + 1, sizeof *m->metric);
    m->metric[m->n_metrics++] = name;
}

static const cak_metrics_table *last_of(const cak_point_status *p)
{
    return p->run && p->run->last->n_rows ? p->run->last : NULL;
}

static void look_at_all(summary *m)
{
    int n = m->s->sweep->n_points;
    m->status = cak_arena_alloc(m->a, ((size_t)n + 1) * sizeof *m->status);
    cak_diag *ignored = cak_diag_open();
    for (int i = 0; i < n; i++) {
        cak_point_look(m->a, ignored, m->s, i, &m->status[i]);
        const cak_metrics_table *t = last_of(&m->status[i]);
        for (int c = 0; t && c < t->n_names; c++) add_metric(m, t->name[c]);
    }
    cak_diag_close(ignored);
}

static void put(cak_text_builder *b, const char *before, const char *text)
{
    cak_text_add(b, "%s", before);
    cak_text_add_csv(b, text);
}

static void put_head(summary *m)
{
    static const char *const fixed[] = { "state", "exit_code", "epochs", "steps", "diverged_step" };
    const cak_sweep *sweep = m->s->sweep;
    put(&m->text, "", "id");
    for (int i = 0; i < sweep->n_keys; i++) put(&m->text, ",", sweep->key[i]);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) put(&m->text, ",", fixed[i]);
    for (int i = 0; i < m->n_metrics; i++) put(&m->text, ",", m->metric[i]);
    cak_text_add(&m->text, "\n");
}

/* A number that may be absent. */
static void put_count(cak_text_builder *b, bool there, int64_t v)
{
    if (there) cak_text_add(b, ",%" PRId64, v);
    else cak_text_add(b, ",");
}

static void put_metric(cak_text_builder *b, const cak_metrics_table *t, const char *name)
{
    int c = t ? cak_metrics_column(t, name) : -1;
    if (c < 0) cak_text_add(b, ",");
    else if (isfinite(t->value[c])) cak_text_add(b, ",%.9g", t->value[c]);
    else cak_text_add(b, ",%s", isnan(t->value[c]) ? "nan" : t->value[c] > 0 ? "inf" : "-inf");
}

static void put_row(summary *m, int point)
{
    const cak_sweep *sweep = m->s->sweep;
    const cak_point_status *p = &m->status[point];
    const cak_run_info *run = p->run;
    put(&m->text, "", sweep->point[point].id);
    for (int i = 0; i < sweep->n_keys; i++) put(&m->text, ",", sweep->point[point].value[i]);
    put(&m->text, ",", cak_point_state_name(p->state));
    put_count(&m->text, p->exit_code >= 0, p->exit_code);
    put_count(&m->text, run, run ? run->epochs : 0);
    put_count(&m->text, run, run ? run->steps : 0);
    put_count(&m->text, run && run->diverged_step >= 0, run ? run->diverged_step : 0);
    for (int i = 0; i < m->n_metrics; i++) put_metric(&m->text, last_of(p), m->metric[i]);
    cak_text_add(&m->text, "\n");
}

/* Whoever writes looks after it has the lock: what is written last is newest. */
static int lock(cak_arena *a, cak_diag *d, const cak_sweep_dir *s)
{
    const char *path = cak_arena_print(a, "%s/claims/summary.lock", s->dir);
    for (int i = 0;; i++) {
        cak_diag *own = cak_diag_open();
        int fd = cak_io_lock(own, path);
        bool busy = fd < 0 && cak_diag_code(own, 0) == CAK_E4004, give_up = i == PATIENCE;
        if (fd < 0 && (!busy || give_up)) cak_error(d, cak_diag_code(own, 0), CAK_NOWHERE, "%s", cak_diag_message(own, 0));
        cak_diag_close(own);
        if (!busy || give_up) return fd;
    }
}

bool cak_sweep_write_summary(cak_diag *d, const cak_sweep_dir *s)
{
    summary m = { .a = cak_arena_open("summary of a sweep"), .s = s };
    m.text.a = m.a;
    int fd = lock(m.a, d, s);
    bool ok = fd >= 0;
    if (ok) {
        look_at_all(&m);
        put_head(&m);
        for (int i = 0; i < s->sweep->n_points; i++) put_row(&m, i);
        cak_io_part part = { cak_text_done(&m.text), (size_t)m.text.n };
        ok = cak_io_replace(d, cak_arena_print(m.a, "%s/summary.csv", s->dir), &part, 1);
    }
    cak_io_close(fd);
    cak_arena_close(m.a);
    return ok;
}
