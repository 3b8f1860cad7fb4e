/* Early termination by asynchronous successive halving. */
#include "experiments/hyperband.h"

#include <math.h>

enum { MOST = 64 }; /* decisions; eta > 1 makes them rare long before */

int64_t cak_hyperband_epoch(const cak_hyperband *h, int k)
{
    double epoch = (double)h->min_iter * pow(h->eta, k);
    return epoch < 9e15 ? llround(epoch) : INT64_MAX;
}

int cak_hyperband_reached(const cak_hyperband *h, int64_t epochs)
{
    int k = 0;
    while (h->min_iter > 0 && k < MOST && cak_hyperband_epoch(h, k) <= epochs) k++;
    return k;
}

static bool came_as_far(const cak_history *r, int64_t epoch) { return r->diverged || r->epochs >= epoch; }

/* The metric after `epoch` epochs of a run that came as far; smaller is better. */
static double cost(const cak_history *r, bool maximize, int64_t epoch)
{
    double v = r->diverged ? (double)NAN : r->metric[epoch - 1];
    if (!isfinite(v)) return (double)INFINITY;
    return maximize ? -v : v;
}

bool cak_hyperband_goes_on(const cak_hyperband *h, bool maximize, int k, const cak_history *own, const cak_history *all, int n)
{
    int64_t epoch = cak_hyperband_epoch(h, k);
    double mine = cost(own, maximize, epoch);
    int came = 0, better = 0;
    for (int i = 0; i < n; i++) {
        if (!came_as_far(&all[i], epoch)) continue;
        came++;
        better += cost(&all[i], maximize, epoch) < mine;
    }
    return better < ceil(came / h->eta);
}
