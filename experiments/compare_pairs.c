/* Tests between two arms: run against run of the same seed where that can be shown to be fair, sample against sample otherwise. */
#include <math.h>
#include <string.h>

#include "experiments/compare.h"
#include "graph/text.h"

typedef struct matched { /* runs of two arms with equal values of the pair keys */
    int a, b;
    const char *id;
} matched;

typedef struct matching {
    matched *pair;
    int n;
    const char *why_not; /* NULL: runs of the two arms correspond to each other */
} matching;

/* "seed=0", or "seed=0, data.clips.seed=1"; NULL where a value is missing. */
static const char *pair_id(const cak_comparison *c, int run)
{
    cak_text_builder b = { .a = c->set->arena };
    for (int i = 0; i < c->pair.n; i++) {
        cak_setting v = cak_run_set_value(c->set, &c->set->run[run], c->pair.name[i]);
        if (!v.text) return NULL;
        cak_text_add(&b, "%s%s=%s", i ? ", " : "", c->pair.name[i], v.text);
    }
    return cak_text_done(&b);
}

static const char **pair_ids(const cak_comparison *c)
{
    const char **id = cak_arena_alloc(c->set->arena, ((size_t)c->set->n + 1) * sizeof *id);
    for (int i = 0; i < c->set->n; i++) id[i] = pair_id(c, i);
    return id;
}

static const char *joined(cak_arena *a, cak_names list)
{
    cak_text_builder b = { .a = a };
    for (int i = 0; i < list.n; i++) cak_text_add(&b, "%s%s", i ? ", " : "", list.name[i]);
    return cak_text_done(&b);
}

static const char *repeated(const cak_comparison *c, const cak_arm *arm, const char *const *id)
{
    for (int i = 0; i < arm->n; i++)
        for (int j = 0; j < i; j++)
            if (id[arm->run[i]] && id[arm->run[j]] && strcmp(id[arm->run[i]], id[arm->run[j]]) == 0)
                return cak_arena_print(c->set->arena, "arm %s has several runs with %s", arm->name, id[arm->run[i]]);
    return NULL;
}

static matching match(const cak_comparison *c, const cak_arm *a, const cak_arm *b, const char *const *id)
{
    matching m = { .pair = cak_arena_alloc(c->set->arena, (size_t)(a->n + 1) * sizeof *m.pair) };
    m.why_not = repeated(c, a, id);
    if (!m.why_not) m.why_not = repeated(c, b, id);
    for (int i = 0; !m.why_not && i < a->n; i++)
        for (int j = 0; j < b->n; j++) {
            const char *x = id[a->run[i]], *y = id[b->run[j]];
            if (x && y && strcmp(x, y) == 0) m.pair[m.n++] = (matched){ a->run[i], b->run[j], x };
        }
    if (!m.why_not && !m.n)
        m.why_not = cak_arena_print(c->set->arena, "they have no %s in common", joined(c->set->arena, c->pair));
    return m;
}

/* ---- streams ---- */

static const cak_run_streams *streams_of(const cak_comparison *c, int run)
{
    const cak_run_info *info = c->set->run[run].info;
    return info ? &info->streams : NULL;
}

static cak_streams_same compare_batches(const cak_comparison *c, const matched *p)
{
    const cak_run_streams *x = streams_of(c, p->a), *y = streams_of(c, p->b);
    if (!x || !y || !x->batches || !y->batches) return CAK_STREAMS_UNKNOWN;
    return strcmp(x->batches, y->batches) == 0 ? CAK_STREAMS_SAME : CAK_STREAMS_DIFFER;
}

/* The worst answer stands for all. Runs without a directory have no streams and say nothing. */
static void combine(cak_streams_same *all, cak_streams_same one, bool first)
{
    static const int badness[] = { [CAK_STREAMS_SAME] = 0, [CAK_STREAMS_UNKNOWN] = 1, [CAK_STREAMS_DIFFER] = 2 };
    if (first || badness[one] > badness[*all]) *all = one;
}

static void add_name(cak_arena *a, const char **list, const char *name)
{
    const char *at = *list ? strstr(*list, name) : NULL;
    for (size_t n = strlen(name); at; at = strstr(at + 1, name))
        if ((at == *list || at[-1] == ' ') && (at[n] == ',' || at[n] == '\0')) return;
    *list = *list ? cak_arena_print(a, "%s, %s", *list, name) : name;
}

/* Parameters that both runs have and that began with other values; false: a run does not say. */
static bool compare_inits(const cak_comparison *c, const matched *p, const char **differs)
{
    const cak_run_streams *x = streams_of(c, p->a), *y = streams_of(c, p->b);
    if (!x || !y || !x->n_init || !y->n_init) return false;
    for (int i = 0; i < x->n_init; i++)
        for (int j = 0; j < y->n_init; j++)
            if (strcmp(x->init[i].key, y->init[j].key) == 0 && strcmp(x->init[i].value, y->init[j].value) != 0)
                add_name(c->set->arena, differs, x->init[i].key);
    return true;
}

typedef struct stream_report {
    cak_streams_same batches, inits;
    const char *id;      /* the first pair whose batches differ */
    const char *differs; /* parameters */
} stream_report;

static stream_report compare_streams(const cak_comparison *c, const matching *m)
{
    stream_report r = { CAK_STREAMS_UNKNOWN, CAK_STREAMS_UNKNOWN, NULL, NULL };
    bool first = true;
    for (int i = 0; i < m->n; i++) {
        if (!streams_of(c, m->pair[i].a) || !streams_of(c, m->pair[i].b)) continue;
        const char *differs = NULL;
        const cak_streams_same batches = compare_batches(c, &m->pair[i]);
        const bool known = compare_inits(c, &m->pair[i], &differs);
        if (batches == CAK_STREAMS_DIFFER && !r.id) r.id = m->pair[i].id;
        combine(&r.batches, batches, first);
        combine(&r.inits, !known ? CAK_STREAMS_UNKNOWN : differs ? CAK_STREAMS_DIFFER : CAK_STREAMS_SAME, first);
        if (differs) compare_inits(c, &m->pair[i], &r.differs);
        first = false;
    }
    return r;
}

/* ---- tests ---- */

static bool has_outcome(const cak_comparison *c, int run) { return c->set->run[run].outcome != CAK_OUTCOME_INCOMPLETE; }
static bool diverged(const cak_comparison *c, int run) { return c->set->run[run].outcome == CAK_OUTCOME_DIVERGED; }

static void test_divergence(const cak_comparison *c, cak_contrast *t, const matching *m)
{
    const cak_arm *a = &c->arm[t->a], *b = &c->arm[t->b];
    for (int i = 0; t->paired && i < m->n; i++) {
        const matched *p = &m->pair[i];
        if (!has_outcome(c, p->a) || !has_outcome(c, p->b)) continue;
        t->complete++;
        t->only_a += diverged(c, p->a) && !diverged(c, p->b);
        t->only_b += diverged(c, p->b) && !diverged(c, p->a);
    }
    t->diverged.test = t->paired ? cak_mcnemar(t->only_a, t->only_b)
                                 : cak_fisher(a->count[CAK_OUTCOME_DIVERGED], a->known, b->count[CAK_OUTCOME_DIVERGED], b->known);
    if (t->paired ? !t->complete : !a->known || !b->known) t->diverged.test.p = (double)NAN;
}

static void test_times(const cak_comparison *c, cak_contrast *t)
{
    const cak_times a = cak_arm_times(c, &c->arm[t->a]), b = cak_arm_times(c, &c->arm[t->b]);
    t->time.test = cak_log_rank(&a, &b);
}

static double *scores_of(const cak_comparison *c, const cak_arm *arm, const double *score, int *n)
{
    double *x = cak_arena_alloc(c->set->arena, ((size_t)arm->n + 1) * sizeof *x);
    *n = 0;
    for (int i = 0; i < arm->n; i++)
        if (!isnan(score[arm->run[i]])) x[(*n)++] = score[arm->run[i]];
    return x;
}

static cak_contrast_test test_unpaired(const cak_comparison *c, const cak_contrast *t, const double *score)
{
    int n_a, n_b;
    const double *a = scores_of(c, &c->arm[t->a], score, &n_a), *b = scores_of(c, &c->arm[t->b], score, &n_b);
    cak_contrast_test out = { .improvement = (double)NAN };
    out.test = cak_mann_whitney(a, n_a, b, n_b);
    if (n_a && n_b) out.improvement = cak_improvement(a, n_a, b, n_b);
    else out.test.p = (double)NAN;
    return out;
}

static cak_contrast_test test_paired(const cak_comparison *c, const matching *m, const double *score)
{
    double *a = cak_arena_alloc(c->set->arena, ((size_t)m->n + 1) * sizeof *a);
    double *b = cak_arena_alloc(c->set->arena, ((size_t)m->n + 1) * sizeof *b), better = 0;
    int n = 0;
    for (int i = 0; i < m->n; i++) {
        double x = score[m->pair[i].a], y = score[m->pair[i].b];
        if (isnan(x) || isnan(y)) continue;
        better += x < y ? 1 : x == y ? 0.5 : 0;
        a[n] = x;
        b[n++] = y;
    }
    return (cak_contrast_test){ cak_wilcoxon_conditional(a, b, n), (double)NAN, n ? better / n : (double)NAN };
}

/* What is said of all arms that are paired. */
static void add_streams(cak_comparison *c, const matching *m, const stream_report *r)
{
    combine(&c->batches, r->batches, c->n_paired == 0);
    combine(&c->inits, r->inits, c->n_paired == 0);
    for (int i = 0; r->differs && i < m->n; i++) compare_inits(c, &m->pair[i], &c->init_differs);
    c->n_paired++;
}

static void contrast(cak_comparison *c, cak_contrast *t, const char *const *id)
{
    const matching m = match(c, &c->arm[t->a], &c->arm[t->b], id);
    const stream_report r = compare_streams(c, &m);
    t->why_not = m.why_not;
    if (!t->why_not && r.batches == CAK_STREAMS_DIFFER)
        t->why_not = cak_arena_print(c->set->arena, "their batches differ (%s)%s%s", r.id,
                                     r.differs ? ", and so do the initial values of " : "", r.differs ? r.differs : "");
    t->paired = !t->why_not;
    t->pairs = m.n;
    if (t->paired) add_streams(c, &m, &r);
    test_divergence(c, t, &m);
    test_times(c, t);
    t->metric = cak_arena_alloc(c->set->arena, ((size_t)c->n_goals + 1) * sizeof *t->metric);
    for (int k = 0; k < c->n_goals; k++)
        t->metric[k] = t->paired ? test_paired(c, &m, c->metric[k].score) : test_unpaired(c, t, c->metric[k].score);
}

/* ---- the family ---- */

static cak_contrast_test *column(cak_contrast *t, int k) /* -2 divergence, -1 times, then metrics with a goal */
{
    return k == -2 ? &t->diverged : k == -1 ? &t->time : &t->metric[k];
}

static void adjust(cak_comparison *c)
{
    double *p = cak_arena_alloc(c->set->arena, ((size_t)c->n_contrasts + 1) * sizeof *p);
    for (int k = -2; k < c->n_goals; k++) {
        for (int i = 0; i < c->n_contrasts; i++) p[i] = column(&c->contrast[i], k)->test.p;
        cak_holm(p, c->n_contrasts, p);
        for (int i = 0; i < c->n_contrasts; i++) column(&c->contrast[i], k)->holm = p[i];
    }
}

void cak_compare_contrasts(cak_comparison *c)
{
    const char *const *id = pair_ids(c);
    for (int i = 0; i < c->n_contrasts; i++) contrast(c, &c->contrast[i], id);
    adjust(c);
}

/* All signs of the pairs, or all ways to deal the runs, are equally probable. Two of them are the most extreme ones; when arms of two sizes
** have many equal values, as with diverged or not, only one may be. */
double cak_smallest_p(const cak_comparison *c, const cak_contrast *t)
{
    const int n = c->arm[t->a].known, m = c->arm[t->b].known;
    const double extreme = t->paired || n == m ? 2 : 1;
    double ways = 1;
    for (int i = 1; t->paired && i <= t->complete && ways < 1e9; i++) ways *= 2;
    for (int i = 1; !t->paired && i <= n && ways < 1e9; i++) ways *= (double)(m + i) / i;
    return ways > extreme ? extreme / ways : 1;
}

/* ---- what a reader must know ---- */

/* One warning for all contrasts with the same reason. */
static void warn_unpaired(const cak_comparison *c, cak_diag *d, int first)
{
    int more = 0;
    const cak_contrast *t = &c->contrast[first];
    for (int i = 0; i < c->n_contrasts; i++) {
        const bool same = !c->contrast[i].paired && strcmp(c->contrast[i].why_not, t->why_not) == 0;
        if (same && i < first) return;
        more += same && i > first;
    }
    const char *others = more ? cak_arena_print(c->set->arena, " (and %d other pair%s of arms)", more, more > 1 ? "s" : "") : "";
    cak_warn(d, CAK_NOWHERE, "arms %s and %s%s are not paired by %s: %s; Fisher's and Mann and Whitney's tests are used for them",
             c->arm[t->a].name, c->arm[t->b].name, others, joined(c->set->arena, c->pair), t->why_not);
}

/* Runs of different experiments have few keys in common. */
static void warn_strangers(const cak_comparison *c, cak_diag *d)
{
    const cak_run_set *s = c->set;
    int all = 0, common = 0;
    for (int k = 0; k < s->n_keys; k++) {
        bool in_all = true;
        for (int i = 0; i < s->n && in_all; i++) in_all = !s->run[i].configured || cak_run_set_at(s, i, k).text;
        all += s->key[k].config;
        common += s->key[k].config && in_all;
    }
    if (2 * common < all)
        cak_warn(d, CAK_NOWHERE, "the runs have only %d of %d keys in common; they seem to be of different experiments", common,
                 all);
}

static void warn_stopped(const cak_comparison *c, cak_diag *d)
{
    cak_text_builder b = { .a = c->set->arena };
    int stopped = 0, bare = 0; /* arms that have no other runs */
    for (int k = 0; k < c->n_arms; k++) {
        const int n = c->arm[k].count[CAK_OUTCOME_STOPPED];
        stopped += n;
        if (n && n == c->arm[k].n) cak_text_add(&b, "%s%s", bare++ ? ", " : "", c->arm[k].name);
    }
    const char *rankless = !bare ? ""
                                 : cak_arena_print(b.a, "; arm%s %s %s no other runs and no rank", bare > 1 ? "s" : "",
                                                   cak_text_done(&b), bare > 1 ? "have" : "has");
    if (stopped)
        cak_warn(d, CAK_NOWHERE,
                 "%d run%s stopped early: means, ranks and tests of metrics take only the others, a selection; times to "
                 "divergence are censored there, shares of diverged runs are too small%s",
                 stopped, stopped > 1 ? "s were" : " was", rankless);
}

void cak_compare_warn(const cak_comparison *c, cak_diag *d)
{
    warn_strangers(c, d);
    for (int i = 0; i < c->n_contrasts; i++)
        if (!c->contrast[i].paired) warn_unpaired(c, d, i);
    warn_stopped(c, d);
    if (c->set->waiting)
        cak_warn(d, CAK_NOWHERE, "points of the sweep that are not started yet and left out: %d", c->set->waiting);
}
