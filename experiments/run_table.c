/* Runs as a table that fits a terminal. */
#include "experiments/run_table.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "experiments/sweep.h"
#include "experiments/visible.h"
#include "graph/text.h"

enum { GAP = 2, LEAST_RUN = 18, LEAST_OVERRIDES = 16 }; /* columns that stay of a path (the id of a point), of overrides */

typedef enum column_id { RUN, STATE, EPOCH, STEP, AGE, SIZE, OVERRIDES, FIXED } column_id;

typedef struct column {
    const char *head, **text; /* text: by run */
    int width;
    bool right, shown;
} column;

typedef struct view {
    cak_arena *a;
    const cak_run_set *s;
    column *column; /* the fixed ones, then metrics */
    int n;
} view;

/* ---- cells ---- */

typedef const char *cell_text(cak_arena *a, const cak_member *r);

static const char *run(cak_arena *a, const cak_member *r) { return cak_visible(a, r->label); }
static const char *state(cak_arena *a, const cak_member *r) { return (void)a, r->state; }
static const char *epoch(cak_arena *a, const cak_member *r)
{
    return cak_arena_print(a, "%" PRId64, r->info ? r->info->epochs : 0);
}
static const char *step(cak_arena *a, const cak_member *r)
{
    return cak_arena_print(a, "%" PRId64, r->info ? r->info->steps : 0);
}

static const char *age(cak_arena *a, const cak_member *r)
{
    char text[CAK_BYTES_TEXT];
    return r->info ? cak_arena_text(a, cak_age_text(time(NULL) - r->info->created, text)) : "-";
}

static const char *size(cak_arena *a, const cak_member *r)
{
    char text[CAK_BYTES_TEXT];
    return r->info ? cak_arena_text(a, cak_bytes_text(r->info->size, text)) : "-";
}

static const char *overrides(cak_arena *a, const cak_member *r) { return r->point && *r->point ? cak_visible(a, r->point) : "-"; }

typedef struct fixed {
    const char *head;
    cell_text *text;
    bool right;
} fixed;

static const fixed fixed_columns[FIXED] = {
    [RUN] = { "RUN", run, false },
    [STATE] = { "STATE", state, false },
    [EPOCH] = { "EPOCH", epoch, true },
    [STEP] = { "STEP", step, true },
    [AGE] = { "AGE", age, true },
    [SIZE] = { "SIZE", size, true },
    [OVERRIDES] = { "OVERRIDES", overrides, false },
};

static bool has_metric(const cak_member *r, const char *name)
{
    return r->info && r->info->last->n_rows && cak_metrics_column(r->info->last, name) >= 0;
}

/* ---- columns ---- */

static column *add_column(view *v, const char *head, bool right)
{
    column *c = &v->column[v->n++];
    *c = (column){ head, cak_arena_alloc(v->a, ((size_t)v->s->n + 1) * sizeof *c->text), cak_columns(head), right, true };
    return c;
}

static void put(column *c, int row, const char *text)
{
    const int width = cak_columns(text);
    c->text[row] = text;
    if (width > c->width) c->width = width;
}

static void add_metric(view *v, const char *name)
{
    column *c = add_column(v, cak_visible(v->a, name), true);
    for (int i = 0; i < v->s->n; i++) {
        const cak_member *r = &v->s->run[i];
        const double x = cak_member_metric(r, name) + 0.0; /* no negative zero */
        put(c, i, has_metric(r, name) ? cak_arena_print(v->a, isnan(x) ? "nan" : "%.4g", x) : "-");
    }
}

static void add_name(const char **list, int *n, const char *name)
{
    if (!cak_names_have((cak_names){ list, *n }, name)) list[(*n)++] = name;
}

/* Headlines; what sweeps optimise comes first. */
static cak_names metrics_of(cak_arena *a, const cak_run_set *s)
{
    const cak_names all = cak_run_set_metrics(s, true);
    const char **list = cak_arena_alloc(a, ((size_t)s->n + (size_t)all.n + 1) * sizeof *list);
    int n = 0;
    for (int i = 0; i < s->n; i++) {
        const cak_sweep *sweep = cak_member_sweep(s, &s->run[i]);
        if (sweep && sweep->metric) add_name(list, &n, sweep->metric);
    }
    for (int i = 0; i < all.n; i++) add_name(list, &n, all.name[i]);
    return (cak_names){ list, n };
}

static view make_view(cak_arena *a, const cak_run_set *s)
{
    const cak_names metrics = metrics_of(a, s);
    view v = { .a = a, .s = s, .column = cak_arena_alloc(a, (FIXED + (size_t)metrics.n) * sizeof *v.column) };
    bool any_point = false;
    for (int k = 0; k < FIXED; k++) {
        column *c = add_column(&v, fixed_columns[k].head, fixed_columns[k].right);
        for (int i = 0; i < s->n; i++) put(c, i, fixed_columns[k].text(a, &s->run[i]));
    }
    for (int i = 0; i < s->n; i++) any_point = any_point || (s->run[i].point && *s->run[i].point);
    v.column[OVERRIDES].shown = any_point;
    for (int i = 0; i < metrics.n; i++) add_metric(&v, metrics.name[i]);
    return v;
}

/* ---- fitting ---- */

static int total_width(const view *v)
{
    int n = -GAP;
    for (int k = 0; k < v->n; k++) n += v->column[k].shown ? v->column[k].width + GAP : 0;
    return n;
}

static void narrow(view *v, column_id id, int least, int width)
{
    column *c = &v->column[id];
    const int excess = total_width(v) - width;
    if (!c->shown || excess <= 0 || c->width <= least) return;
    c->width = c->width - excess > least ? c->width - excess : least;
}

/* What matters least goes first, so that the first metric and the overrides stay in sight. */
static void fit(view *v, int width)
{
    for (int k = v->n - 1; k > FIXED && total_width(v) > width; k--) v->column[k].shown = false;
    if (total_width(v) > width) v->column[SIZE].shown = false;
    if (total_width(v) > width) v->column[AGE].shown = false;
    narrow(v, RUN, LEAST_RUN, width);
    narrow(v, OVERRIDES, LEAST_OVERRIDES, width);
    if (v->n > FIXED && total_width(v) > width) v->column[FIXED].shown = false;
    for (int k = 0; k < FIXED; k++) narrow(v, (column_id)k, 1, width);
}

/* ---- text ---- */

/* A path is told by its end, everything else by its beginning. */
static const char *cut(cak_arena *a, const char *text, int width, bool from_left)
{
    const int n = cak_columns(text);
    if (n <= width) return text;
    if (from_left) return cak_arena_print(a, "…%s", text + cak_fitting(text, n - width + 1));
    return cak_arena_print(a, "%.*s…", cak_fitting(text, width - 1), text);
}

static void add_line(cak_text_builder *b, const view *v, int row) /* -1: the head */
{
    int gap = 0;
    for (int k = 0; k < v->n; k++) {
        const column *c = &v->column[k];
        if (!c->shown) continue;
        const char *text = cut(v->a, row < 0 ? c->head : c->text[row], c->width, k == RUN && row >= 0);
        const int rest = c->width - cak_columns(text);
        cak_text_add(b, "%*s%s", gap + (c->right ? rest : 0), "", text);
        gap = GAP + (c->right ? 0 : rest);
    }
    cak_text_add(b, "\n");
}

const char *cak_run_table(cak_arena *a, const cak_run_set *s, int width)
{
    cak_text_builder b = { .a = a };
    view v = make_view(a, s);
    if (width) fit(&v, width);
    for (int i = -1; i < s->n; i++) add_line(&b, &v, i);
    return cak_text_done(&b);
}
