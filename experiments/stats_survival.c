/* Statistics of times to an event, some of them censored. */
#include "experiments/stats.h"

#include <math.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>

#include "graph/diag.h"

static bool has_nan(const cak_times *t)
{
    for (int i = 0; i < t->n; i++)
        if (isnan(t->time[i])) return true;
    return false;
}

typedef struct walk { /* observations of up to two groups, time by time */
    const cak_times *group[2];
    size_t *order[2];
    int seen[2], events[2]; /* left before the current time; events at it */
    double time;
} walk;

static walk start(const cak_times *a, const cak_times *b)
{
    walk w = { .group = { a, b } };
    for (int k = 0; k < 2; k++) {
        size_t n = (size_t)w.group[k]->n;
        w.order[k] = cak_heap_alloc((n + 1) * sizeof(size_t), "the order of times");
        gsl_sort_index(w.order[k], w.group[k]->time, 1, n);
    }
    return w;
}

static int at_risk(const walk *w, int k) { return w->group[k]->n - w->seen[k]; }

static double first_time(const walk *w, int k) { return w->group[k]->time[w->order[k][w->seen[k]]]; }

/* The next time; false at the end. Those at risk are still counted with it until leave() is called. */
static bool arrive(walk *w)
{
    bool any[2] = { at_risk(w, 0) > 0, at_risk(w, 1) > 0 };
    if (!any[0] && !any[1]) return false;
    int earlier = !any[0] || (any[1] && first_time(w, 1) < first_time(w, 0));
    w->time = first_time(w, earlier);
    for (int k = 0; k < 2; k++) {
        const cak_times *t = w->group[k];
        w->events[k] = 0;
        for (int i = w->seen[k]; i < t->n && t->time[w->order[k][i]] == w->time; i++) w->events[k] += t->event[w->order[k][i]];
    }
    return true;
}

static void leave(walk *w)
{
    for (int k = 0; k < 2; k++)
        while (at_risk(w, k) > 0 && first_time(w, k) == w->time) w->seen[k]++;
}

static void finish(walk *w)
{
    for (int k = 0; k < 2; k++) cak_heap_free(w->order[k]);
}

/* exp(-exp(.)) of log(-log S) -+ z times its standard error; a survival of 0 has no finite one and gives NaN. */
static void set_interval(cak_survival_step *s, double greenwood, double z)
{
    double scale = log(s->survival), half = z * sqrt(greenwood) / fabs(scale);
    s->low = exp(scale * exp(half));
    s->high = exp(scale * exp(-half));
}

cak_survival cak_kaplan_meier(cak_arena *a, const cak_times *t, double level)
{
    CAK_CHECK(level > 0 && level < 1);
    cak_survival out = { .median = NAN };
    if (t->n == 0 || has_nan(t)) return out;
    const cak_times none = { 0 };
    double z = gsl_cdf_ugaussian_Qinv((1 - level) / 2), survival = 1, greenwood = 0;
    out.step = cak_arena_alloc(a, (size_t)t->n * sizeof *out.step);
    out.median = INFINITY;
    walk w = start(t, &none);
    for (; arrive(&w); leave(&w)) {
        int n = at_risk(&w, 0), events = w.events[0];
        if (!events) continue;
        survival *= (double)(n - events) / n;
        greenwood += events / ((double)n * (n - events));
        cak_survival_step *s = &out.step[out.n++];
        *s = (cak_survival_step){ w.time, n, events, survival, 0, 0 };
        set_interval(s, greenwood, z);
        if (isinf(out.median) && survival <= 0.5 + 1e-12) out.median = w.time; /* a product of shares may miss 1/2 by rounding */
    }
    finish(&w);
    return out;
}

cak_test cak_log_rank(const cak_times *a, const cak_times *b)
{
    cak_test out = { NAN, NAN, a->n + b->n, false };
    if (a->n == 0 || b->n == 0 || has_nan(a) || has_nan(b)) return out;
    double excess = 0, variance = 0; /* events of a beyond what its share of those at risk would have */
    walk w = start(a, b);
    for (; arrive(&w); leave(&w)) {
        double n = at_risk(&w, 0) + at_risk(&w, 1), events = w.events[0] + w.events[1], share = at_risk(&w, 0) / n;
        excess += w.events[0] - events * share;
        if (n > 1) variance += events * share * (1 - share) * (n - events) / (n - 1);
    }
    finish(&w);
    out.statistic = variance > 0 ? excess * excess / variance : 0;
    out.p = gsl_cdf_chisq_Q(out.statistic, 1);
    return out;
}
