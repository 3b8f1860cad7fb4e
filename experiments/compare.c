/* Comparing arms: metrics of runs, arms and their description. */
#include "experiments/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/sweep.h"
#include "graph/number.h"
#include "graph/text.h"

#define LEVEL 0.95
enum { ALL_PAIRS = 6 }; /* arms up to which all pairs are tested */

/* ---- a value per run ---- */

typedef struct picking { /* the value of a run from its epochs */
    bool best, maximize;
    int last; /* mean of so many last ones */
} picking;

static bool read_stat(cak_diag *d, const char *text, picking *p)
{
    static const char mean[] = "mean-last-";
    int64_t n = 1;
    p->best = strcmp(text, "best") == 0;
    bool ok = p->best || strcmp(text, "last") == 0;
    if (!ok && strncmp(text, mean, sizeof mean - 1) == 0)
        ok = cak_number_int(text + sizeof mean - 1, &n) == CAK_NUMBER_OK && n >= 1 && n <= 1000000;
    p->last = (int)n;
    return ok || cak_error(d, CAK_E5001, CAK_NOWHERE, "--stat: '%s' is none of last, best, mean-last-N", text);
}

static double pick(const cak_metrics_table *t, const char *name, picking p)
{
    const int c = cak_metrics_column(t, name);
    double best = (double)NAN, sum = 0;
    int n = 0;
    for (int r = t->n_rows - 1; c >= 0 && r >= 0; r--) {
        double v = t->value[(int64_t)r * t->n_names + c];
        if (p.best && !isnan(v) && (isnan(best) || (p.maximize ? v > best : v < best))) best = v;
        if (!p.best && n < p.last) sum += v, n++;
    }
    if (p.best) return best;
    return n ? sum / n : (double)NAN;
}

/* What the metrics of a run are picked from: its last epoch when that is enough. */
static const cak_metrics_table *epochs_of(cak_run_set *s, cak_diag *d, const cak_member *r, picking p)
{
    if (!r->info || (!p.best && p.last == 1)) return r->info ? r->info->last : NULL;
    cak_diag *own = cak_diag_open();
    const cak_metrics_table *t = cak_metrics_read(s->arena, own, r->info->dir, "epoch");
    if (!t) cak_warn(d, CAK_NOWHERE, "metrics left out: %s", cak_diag_message(own, 0));
    cak_diag_close(own);
    return t;
}

/* Smaller is better; what is not finite where a run has a record of it is as bad as divergence. */
static double score(const cak_member *r, const cak_metrics_table *t, const cak_compared_metric *m, double value)
{
    if (r->outcome == CAK_OUTCOME_INCOMPLETE || r->outcome == CAK_OUTCOME_STOPPED) return (double)NAN;
    if (r->outcome == CAK_OUTCOME_DIVERGED) return (double)INFINITY;
    if (!t || !t->n_rows || cak_metrics_column(t, m->name) < 0) return (double)NAN;
    if (!isfinite(value)) return (double)INFINITY;
    return m->maximize ? -value : value;
}

static void fill_values(cak_comparison *c, cak_diag *d, picking p)
{
    for (int i = 0; i < c->set->n; i++) {
        const cak_member *r = &c->set->run[i];
        const cak_metrics_table *t = epochs_of(c->set, d, r, p);
        for (int k = 0; k < c->n_metrics; k++) {
            cak_compared_metric *m = &c->metric[k];
            p.maximize = m->maximize;
            m->value[i] = t ? pick(t, m->name, p) : (double)NAN;
            m->score[i] = score(r, t, m, m->value[i]);
        }
    }
}

/* ---- which metrics ---- */

static bool is_metric(cak_diag *d, cak_names all, const char *option, const char *name)
{
    if (cak_names_have(all, name)) return true;
    const char *near = cak_suggest(name, all.name, all.n);
    return cak_error(d, CAK_E5001, CAK_NOWHERE, "--%s: no run has the metric '%s'%s%s%s", option, name,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* "NAME=min|max" */
static bool read_goal(cak_comparison *c, cak_diag *d, cak_names all, const char *text, bool *maximize, const char **name)
{
    const char *equals = strchr(text, '=');
    if (!equals || (strcmp(equals, "=min") != 0 && strcmp(equals, "=max") != 0))
        return cak_error(d, CAK_E5001, CAK_NOWHERE, "--goal: '%s' is not NAME=min or NAME=max", text);
    *name = cak_arena_print(c->set->arena, "%.*s", (int)(equals - text), text);
    *maximize = strcmp(equals, "=max") == 0;
    return is_metric(d, all, "goal", *name);
}

static int find_metric(const cak_comparison *c, const char *name)
{
    int k = 0;
    while (k < c->n_metrics && strcmp(c->metric[k].name, name) != 0) k++;
    return k;
}

static void add_metric(cak_comparison *c, const char *name)
{
    if (find_metric(c, name) < c->n_metrics) return;
    cak_compared_metric m = { .name = name };
    m.value = cak_arena_alloc(c->set->arena, (size_t)c->set->n * sizeof *m.value);
    m.score = cak_arena_alloc(c->set->arena, (size_t)c->set->n * sizeof *m.score);
    c->metric[c->n_metrics++] = m;
}

/* The metric becomes the first one; those with goals stand before the others. */
static void set_goal(cak_comparison *c, const char *name, bool maximize)
{
    add_metric(c, name);
    const int k = find_metric(c, name);
    cak_compared_metric first = c->metric[k];
    first.maximize = maximize;
    memmove(c->metric + 1, c->metric, (size_t)k * sizeof *c->metric);
    c->metric[0] = first;
    c->n_goals += k >= c->n_goals;
}

/* The metric that ranks is the first of --goal, the sweep's, the first of --metric, violations. */
static bool choose_goals(cak_comparison *c, cak_diag *d, const cak_compare_options *o, cak_names all)
{
    const cak_sweep *sweep = cak_run_set_sweep(c->set);
    if (o->metric.n) c->n_goals = c->n_metrics;
    else if (cak_names_have(all, "violations")) set_goal(c, "violations", false);
    if (sweep && sweep->metric && cak_names_have(o->metric.n ? o->metric : all, sweep->metric))
        set_goal(c, sweep->metric, sweep->maximize);
    for (int i = o->goal.n - 1; i >= 0; i--) {
        const char *name = NULL;
        bool maximize = false;
        if (!read_goal(c, d, all, o->goal.name[i], &maximize, &name)) return false;
        set_goal(c, name, maximize);
    }
    return true;
}

static bool choose_metrics(cak_comparison *c, cak_diag *d, const cak_compare_options *o)
{
    cak_arena *a = c->set->arena;
    cak_names all = cak_run_set_metrics(c->set, false), list = o->metric.n ? o->metric : cak_run_set_metrics(c->set, true);
    c->metric = cak_arena_alloc(a, ((size_t)list.n + (size_t)o->goal.n + 2) * sizeof *c->metric);
    for (int i = 0; i < list.n; i++) {
        if (!is_metric(d, all, "metric", list.name[i])) return false;
        add_metric(c, list.name[i]);
    }
    return choose_goals(c, d, o, all);
}

/* ---- arms ---- */

static const char *arm_name(cak_arena *a, int k)
{
    const char *tail = "";
    for (int n = k; n >= 0; n = n / 26 - 1) tail = cak_arena_print(a, "%c%s", 'A' + n % 26, tail);
    return tail;
}

static void make_arms(cak_comparison *c)
{
    cak_arena *a = c->set->arena;
    const cak_arms *arms = cak_arms_make(c->set, c->axes);
    c->n_arms = arms->n;
    c->arm = cak_arena_alloc(a, ((size_t)arms->n + 1) * sizeof *c->arm);
    for (int i = 0; i < c->set->n; i++) c->arm[arms->of[i]].n++;
    for (int k = 0; k < c->n_arms; k++) {
        c->arm[k].name = arm_name(a, k);
        c->arm[k].run = cak_arena_alloc(a, (size_t)c->arm[k].n * sizeof(int));
        c->arm[k].metric = cak_arena_alloc(a, ((size_t)c->n_metrics + 1) * sizeof(cak_summary));
        c->arm[k].n = 0;
    }
    for (int i = 0; i < c->set->n; i++) {
        cak_arm *arm = &c->arm[arms->of[i]];
        arm->run[arm->n++] = i;
        arm->count[c->set->run[i].outcome]++;
        arm->known += c->set->run[i].outcome != CAK_OUTCOME_INCOMPLETE;
    }
}

static bool describes(const cak_member *r) { return r->outcome == CAK_OUTCOME_FINISHED || r->outcome == CAK_OUTCOME_RUNNING; }

static cak_summary summarise(const cak_comparison *c, const cak_arm *arm, const cak_compared_metric *m)
{
    double *x = cak_arena_alloc(c->set->arena, (size_t)arm->n * sizeof *x);
    int n = 0;
    for (int i = 0; i < arm->n; i++)
        if (describes(&c->set->run[arm->run[i]]) && isfinite(m->value[arm->run[i]])) x[n++] = m->value[arm->run[i]];
    cak_summary out = { n, cak_sample_mean(x, n), cak_sample_sd(x, n), cak_sample_iqm(x, n), { (double)NAN, (double)NAN } };
    if (n > 1) out.iqm_95 = cak_bootstrap(cak_sample_iqm, x, n, CAK_RESAMPLES, LEVEL);
    return out;
}

/* Completed epochs of the run that diverged at the median; NaN when no run did just then. */
static double epoch_at(const cak_comparison *c, const cak_arm *arm, double step)
{
    for (int i = 0; i < arm->n; i++) {
        const cak_member *r = &c->set->run[arm->run[i]];
        if (r->info && r->outcome == CAK_OUTCOME_DIVERGED && (double)cak_run_time(r) == step) return (double)r->info->epochs;
    }
    return (double)NAN;
}

static void describe_arm(cak_comparison *c, cak_arm *arm)
{
    const int diverged = arm->count[CAK_OUTCOME_DIVERGED];
    arm->diverged_95 = cak_wilson(diverged, arm->known, LEVEL);
    const cak_times t = cak_arm_times(c, arm);
    arm->median_step = cak_kaplan_meier(c->set->arena, &t, LEVEL).median;
    arm->median_epoch = epoch_at(c, arm, arm->median_step);
    for (int k = 0; k < c->n_metrics; k++) arm->metric[k] = summarise(c, arm, &c->metric[k]);
}

int64_t cak_run_time(const cak_member *r)
{
    bool known = r->outcome == CAK_OUTCOME_DIVERGED && r->info->diverged_step >= 0;
    return known ? r->info->diverged_step : r->info->steps;
}

cak_times cak_arm_times(const cak_comparison *c, const cak_arm *arm)
{
    double *time = cak_arena_alloc(c->set->arena, (size_t)arm->n * sizeof *time);
    bool *event = cak_arena_alloc(c->set->arena, (size_t)arm->n * sizeof *event);
    int n = 0;
    for (int i = 0; i < arm->n; i++) {
        const cak_member *r = &c->set->run[arm->run[i]];
        if (!r->info) continue;
        time[n] = (double)cak_run_time(r);
        event[n++] = r->outcome == CAK_OUTCOME_DIVERGED;
    }
    return (cak_times){ time, event, n };
}

/* ---- rank ---- */

static void rank_arms(cak_comparison *c)
{
    const int n_runs = c->set->n;
    double *x = cak_arena_alloc(c->set->arena, ((size_t)n_runs + 1) * sizeof *x),
           *rank = cak_arena_alloc(c->set->arena, ((size_t)n_runs + 1) * sizeof *rank);
    int n = 0, k = 0;
    for (int i = 0; c->n_goals && i < n_runs; i++)
        if (!isnan(c->metric[0].score[i])) x[n++] = c->metric[0].score[i];
    cak_midranks(x, n, rank);
    double *of = cak_arena_alloc(c->set->arena, ((size_t)n_runs + 1) * sizeof *of); /* by run */
    for (int i = 0; i < n_runs; i++) of[i] = c->n_goals && !isnan(c->metric[0].score[i]) ? rank[k++] : (double)NAN;
    for (int j = 0; j < c->n_arms; j++) {
        double sum = 0;
        int ranked = 0;
        for (int i = 0; i < c->arm[j].n; i++)
            if (!isnan(of[c->arm[j].run[i]])) sum += of[c->arm[j].run[i]], ranked++;
        c->arm[j].mean_rank = ranked ? sum / ranked : (double)NAN;
    }
    for (int j = 0; j < c->n_arms; j++)
        for (int i = 0; i < c->n_arms; i++)
            if (!isnan(c->arm[j].mean_rank)) c->arm[j].place += i == j || c->arm[i].mean_rank < c->arm[j].mean_rank;
}

/* ---- which arms are tested ---- */

static void choose_contrasts(cak_comparison *c)
{
    int n = c->n_arms, m = 0, largest = 0;
    for (int k = 0; k < n; k++) largest = c->arm[k].n > largest ? c->arm[k].n : largest;
    if (largest < 2) return; /* nothing to test */
    if (c->baseline < 0 && n > ALL_PAIRS) c->baseline = 0;
    c->n_contrasts = c->baseline < 0 ? n * (n - 1) / 2 : n - 1;
    c->contrast = cak_arena_alloc(c->set->arena, ((size_t)c->n_contrasts + 1) * sizeof *c->contrast);
    for (int a = 0; a < n; a++)
        for (int b = a + 1; c->baseline < 0 && b < n; b++) c->contrast[m++] = (cak_contrast){ .a = a, .b = b };
    for (int b = 0; c->baseline >= 0 && b < n; b++)
        if (b != c->baseline) c->contrast[m++] = (cak_contrast){ .a = c->baseline, .b = b };
}

/* ---- all ---- */

static bool know(const cak_run_set *s, cak_diag *d, const char *option, cak_names list)
{
    for (int i = 0; i < list.n; i++)
        if (!cak_run_set_knows(s, d, option, list.name[i])) return false;
    return true;
}

/* The keys that pair runs are among those that make no arms. */
static bool choose_keys(cak_comparison *c, cak_diag *d, const cak_compare_options *o)
{
    static const char *const seed[] = { "seed" };
    const cak_sweep *sweep = cak_run_set_sweep(c->set);
    c->pair = o->pair;
    if (!c->pair.n && o->except.n) c->pair = o->except;
    if (!c->pair.n && sweep && sweep->n_pair_by) c->pair = (cak_names){ sweep->pair_by, sweep->n_pair_by };
    if (!c->pair.n) c->pair = (cak_names){ seed, 1 };
    const char **except = cak_arena_alloc(c->set->arena, ((size_t)o->except.n + (size_t)c->pair.n + 1) * sizeof *except);
    int n = 0;
    for (int i = 0; i < o->except.n; i++) except[n++] = o->except.name[i];
    for (int i = 0; i < c->pair.n; i++)
        if (!cak_names_have(o->except, c->pair.name[i])) except[n++] = c->pair.name[i];
    if (!o->except.n && !cak_names_have(c->pair, "seed")) except[n++] = "seed";
    c->except = (cak_names){ except, n };
    return know(c->set, d, "--except", o->except) && know(c->set, d, "--pair", o->pair);
}

cak_comparison *cak_compare(cak_run_set *s, cak_diag *d, const cak_compare_options *o)
{
    cak_comparison *c = cak_arena_alloc(s->arena, sizeof *c);
    *c = (cak_comparison){ .set = s, .baseline = -1, .stat = o->stat ? o->stat : "last" };
    picking p = { 0 };
    if (!read_stat(d, c->stat, &p) || !choose_keys(c, d, o) || !choose_metrics(c, d, o)) return NULL;
    fill_values(c, d, p);
    c->axes = cak_axes_find(s, c->except);
    make_arms(c);
    if (o->baseline && !cak_compare_baseline(c, d, o->baseline)) return NULL;
    for (int k = 0; k < c->n_arms; k++) describe_arm(c, &c->arm[k]);
    rank_arms(c);
    choose_contrasts(c);
    cak_compare_contrasts(c);
    return c;
}
