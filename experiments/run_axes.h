/* What distinguishes the runs of a set: the keys that differ, without those that only follow from others; and the arms that they make. */
#ifndef EXPERIMENTS_RUN_AXES_H
#define EXPERIMENTS_RUN_AXES_H

#include "experiments/run_set.h"

typedef struct cak_folded { /* a key that differs only because others do */
    int key;
    const char *into; /* "hp.lr" */
} cak_folded;

typedef struct cak_axes {
    int *
        shown; /* keys that tell the arms apart: levers (overrides as given first), then others in the order of the configuration */
    int n_shown;
    const char **head; /* of shown keys: their last segment where that is enough */
    int *same;         /* keys with one value in all runs */
    int n_same;
    cak_folded *folded;
    int n_folded;
} cak_axes;

/* `except`: keys whose values do not make arms (seed). Overrides, hp and options of `defaults` are levers; another key is folded into one that
** tells the same runs apart, or of which several runs with each value agree; and into `except` when its value is the same (data.clips.seed:
** ${seed}). Statistics of the corpus are folded whenever they follow from all the rest. */
cak_axes *cak_axes_find(cak_run_set *s, cak_names except);

typedef struct cak_arms {
    int *of; /* arm of a run */
    int n;
    int *first; /* first run of an arm */
} cak_arms;
/* Runs with equal values of all shown keys; arms are in the order of their first runs. A run without a configuration joins the first arm that
** agrees with what is known of it. */
cak_arms *cak_arms_make(const cak_run_set *s, const cak_axes *x);

#endif
