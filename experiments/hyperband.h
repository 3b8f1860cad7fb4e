/* Early termination by asynchronous successive halving: which epochs decide, and who goes on. Pure functions.
**
** W&B's form, but for one thing: there a diverged run has no metric and so drops out of the comparison, which makes the others look worse
** than they are. Here it counts as the worst of all, at every decision from then on. */
#ifndef CAK_HYPERBAND_H
#define CAK_HYPERBAND_H

#include <stdbool.h>
#include <stdint.h>

#include "experiments/sweep.h"

/* Epochs after which decision k = 0, 1 ... falls: min_iter eta^k, rounded. */
int64_t cak_hyperband_epoch(const cak_hyperband *h, int k);
int cak_hyperband_reached(const cak_hyperband *h,
                          int64_t epochs); /* decisions within so many epochs; 0 without early termination */

typedef struct cak_history { /* a run so far */
    const double *metric;    /* by epoch */
    int64_t epochs;
    bool diverged;
} cak_history;

/* Does `own` go on after decision k? Yes, when fewer than one in eta (rounded up) of the runs that came as far have a better metric in that
** epoch. `all` holds own, too. Non-finite metrics are the worst; equal ones share a place. */
bool cak_hyperband_goes_on(const cak_hyperband *h, bool maximize, int k, const cak_history *own, const cak_history *all, int n);

#endif
