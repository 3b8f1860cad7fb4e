/* Parallel loops and sums whose result does not depend on the number of threads.
**
** Work is cut into blocks whose size depends on the shape alone. A thread owns the outputs of its blocks; a sum is one double per
** block, folded in block order by one thread. `reduction(+)`, atomics and dynamic grouping of sums do not occur in the engine. */
#ifndef CAK_PAR_H
#define CAK_PAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/real.h"

enum { CAK_BLOCK = 4096, CAK_SMALL = 16384 }; /* elements of a block; loops smaller than CAK_SMALL run on one thread */

int cak_threads(void); /* threads a parallel region gets (1 without OpenMP or inside a region) */
int cak_thread(void);  /* number of the calling thread, 0-based */
void cak_threads_set(int n);
void cak_team_set(int n); /* threads of a parallel region inside of the slot that calls; see CAK_PARALLEL_SLOTS */

/* Called as a parallel loop begins and ends, to find out how well loops spread; NULL: nobody watches. Set where no loop runs, and while all
** run on one thread. */
typedef void cak_watch_loop(int64_t items, int64_t work, bool begins);
extern cak_watch_loop *cak_loop_watched;
static inline bool cak_loop_mark(int64_t items, int64_t work, bool begins)
{
    if (__builtin_expect(cak_loop_watched != NULL, 0)) cak_loop_watched(items, work, begins);
    return begins;
}
/* What follows, once. */
#define CAK_WATCHED(n, work) for (bool cak_on = cak_loop_mark(n, work, true); cak_on; cak_on = cak_loop_mark(n, work, false))

#define CAK_PRAGMA(x) _Pragma(#x)
#ifdef _OPENMP
/* for (i = 0; i < n; i++) over independent items, spread over threads when `work` (elements in all) is worth it */
#define CAK_PARALLEL_FOR(i, n, work) \
    CAK_WATCHED(n, work)             \
    CAK_PRAGMA(omp parallel for schedule(static) if ((work) >= CAK_SMALL)) for (int64_t i = 0; i < (n); i++)
/* for (i = 0; i < n; i++), a thread for each; parallel regions inside get the threads that cak_team_set() says */
#define CAK_PARALLEL_SLOTS(i, n) CAK_PRAGMA(omp parallel for schedule(static, 1) num_threads(n) if ((n) > 1)) for (int i = 0; i < (n); i++)
#else
#define CAK_PARALLEL_SLOTS(i, n) for (int i = 0; i < (n); i++)
#define CAK_PARALLEL_FOR(i, n, work) CAK_WATCHED(n, work) for (int64_t i = 0; i < (n); i++)
#endif

static inline int64_t cak_blocks(int64_t n) { return (n + CAK_BLOCK - 1) / CAK_BLOCK; }
static inline int64_t cak_min64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t cak_max64(int64_t a, int64_t b) { return a > b ? a : b; }

double cak_sum_block(const real *x, int64_t n); /* sum of one block in a fixed order (eight lanes, then the lanes) */

/* Denormal numbers count as zero from here on, in this thread and those it starts: they would slow training down without changing it. */
void cak_flush_denormals(void);

#endif
