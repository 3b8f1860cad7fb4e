/* Comparing arms: runs that are equal in all keys but a few (seed) make an arm; arms are described and tested against each other.
**
** Divergence is a result. Means and intervals are over the runs that have a value: finished ones, and those still running with what they
** have so far. Ranks and tests take a diverged run as the worst there is. A run that its sweep stopped early is censored at that time: its
** metrics are those of an unfinished run and count nowhere. Runs that failed or were interrupted say nothing and are counted apart. A metric has a
** goal when the sweep or the user names it, and `violations` has one; it is better when it is smaller unless the sweep or --goal says
** otherwise. Other metrics (schedules, scales) are described without ranks and tests: neither direction of them is better. */
#ifndef EXPERIMENTS_COMPARE_H
#define EXPERIMENTS_COMPARE_H

#include "experiments/run_axes.h"
#include "experiments/stats.h"

typedef struct cak_compare_options {
    cak_names except; /* empty: those of `pair` and seed */
    cak_names pair;   /* empty: the sweep's pair_by, or seed */
    cak_names metric; /* these have goals; empty: headline metrics */
    cak_names goal;   /* "NAME=min" or "NAME=max" */
    const char
        *baseline;    /* expression that one arm meets; NULL: all pairs of up to six arms, or the first arm against the others */
    const char *stat; /* "last", "best", "mean-last-N"; NULL: last */
} cak_compare_options;

typedef struct cak_compared_metric {
    const char *name;
    bool maximize;
    double *value; /* by run; NaN: none */
    double *score; /* by run: smaller is better, +inf when it diverged, NaN: it says nothing */
} cak_compared_metric;

typedef struct cak_summary { /* of a metric over the runs of an arm that have a value */
    int n;
    double mean, sd, iqm;
    cak_interval iqm_95;
} cak_summary;

typedef struct cak_arm {
    const char *name; /* "A" ... "Z", "AA" ... */
    int *run, n;
    int count[CAK_OUTCOMES];
    int known;                        /* runs that say whether they diverged: all but incomplete ones */
    cak_interval diverged_95;         /* share */
    double median_step, median_epoch; /* to divergence (Kaplan-Meier); +inf: not reached, NaN: nothing known */
    cak_summary *metric;
    double mean_rank; /* by the first metric among all runs, the best is 1; NaN: it has none */
    int place;        /* of the arm by mean_rank, from 1; 0: none */
} cak_arm;

typedef struct cak_contrast_test {
    cak_test test;
    double holm;        /* p adjusted over all contrasts */
    double improvement; /* P(a better than b), 1/2 for equals; NaN where it means nothing */
} cak_contrast_test;

typedef struct cak_contrast { /* two arms */
    int a, b;
    bool paired;
    const char *why_not; /* the arms are not paired */
    int pairs;           /* values of the pair keys that both arms have */
    int complete;        /* of these, pairs with an outcome on both sides */
    int only_a, only_b;  /* paired: pairs of which one diverged */
    cak_contrast_test diverged, time;
    cak_contrast_test *metric; /* of those with a goal */
} cak_contrast;

typedef enum cak_streams_same { CAK_STREAMS_UNKNOWN, CAK_STREAMS_SAME, CAK_STREAMS_DIFFER } cak_streams_same;

typedef struct cak_comparison {
    cak_run_set *set;
    cak_axes *axes;
    cak_names except, pair;
    const char *stat;
    cak_compared_metric *metric; /* the first one ranks when it has a goal */
    int n_metrics, n_goals;      /* the first n_goals metrics have a goal */
    cak_arm *arm;
    int n_arms;
    cak_contrast *contrast;
    int n_contrasts, n_paired, baseline; /* baseline -1: all pairs */
    cak_streams_same batches, inits;     /* over all paired runs */
    const char *init_differs;            /* parameters whose initial values differ within a pair; NULL: none */
} cak_comparison;

/* NULL after an error. The set keeps what the result refers to. */
cak_comparison *cak_compare(cak_run_set *s, cak_diag *d, const cak_compare_options *o);
void cak_compare_warn(const cak_comparison *c, cak_diag *d); /* what a reader must know */

/* Steps until a run diverged, or that it has completed. */
int64_t cak_run_time(const cak_member *r);
cak_times cak_arm_times(const cak_comparison *c, const cak_arm *arm); /* of the runs that have a directory */

/* compare_pairs.c: the tests between arms; arms and metrics are there. */
void cak_compare_contrasts(cak_comparison *c);
double cak_smallest_p(const cak_comparison *c, const cak_contrast *t); /* of its exact tests, whatever their values */

/* compare_baseline.c: sets the baseline to the one arm that the expression holds for; keys may have the short names of the table. */
bool cak_compare_baseline(cak_comparison *c, cak_diag *d, const char *expression);

/* compare_table.c */
struct cak_table;
struct json_t;
struct cak_table *cak_compare_arms(cak_arena *a, const cak_comparison *c);
struct cak_table *cak_compare_tests(cak_arena *a, const cak_comparison *c, bool all); /* false: without those that tell nothing */
bool cak_contrast_tells(const cak_comparison *c, const cak_contrast *t);              /* a p of it is less than 1 */
struct json_t *cak_compare_json(cak_arena *a, const cak_comparison *c);

#endif
