/* The bill before the first run: points, memory, disk, time. */
#ifndef CAK_SWEEP_COST_H
#define CAK_SWEEP_COST_H

#include "experiments/progress.h"
#include "experiments/sweep_check.h"
#include "experiments/sweep_dir.h"

typedef struct cak_cost_options {
    int64_t jobs, threads; /* 0: what the sweep file says, or the machine has */
    const char *cache;
    cak_progress_mode progress;
} cak_cost_options;

typedef struct cak_sweep_cost {
    int points, fresh, done; /* all; not in the plan so far; ended with a result */
    int jobs, threads;
    double memory, disk; /* bytes of all jobs, of all points that are left */
    double seconds;      /* until all points are done; negative: not known */
    const char *text;    /* the bill and the list of points, for plan.txt */
    const char *summary; /* the bill alone */
} cak_sweep_cost;

/* `old`: the directory as it is, NULL: there is none. Opens the data of every point, so that the cache is filled; data that cannot be opened
** are a warning, since they will be an outcome of the run. Memory of `a`. */
cak_sweep_cost *cak_sweep_cost_of(cak_arena *a, cak_diag *d, const cak_sweep *s, const cak_sweep_checked *c,
                                  const cak_sweep_dir *old, const cak_cost_options *o);
/* Does the machine have it? Too little memory is a warning, too little disk below `dir` E4007. */
bool cak_sweep_cost_fits(cak_diag *d, const cak_sweep_cost *cost, const char *dir);

#endif
