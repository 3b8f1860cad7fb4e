/* Running the points of a sweep: on this machine, one loop behind `cak sweep DIR` and `cak agent DIR`; or on a cluster. */
#ifndef CAK_SWEEP_RUN_H
#define CAK_SWEEP_RUN_H

#include "experiments/progress.h"
#include "experiments/sweep_dir.h"

typedef enum cak_sweep_reach {                 /* how much of the sweep a call runs */
                               CAK_SWEEP_ALL,  /* until every point has ended, whoever runs it: `cak sweep` */
                               CAK_SWEEP_FREE, /* until nothing is left to start: `cak agent` */
                               CAK_SWEEP_ONE,  /* the next point that can be started: `cak agent --once` */
                               CAK_SWEEP_AT    /* the point on line `index` of the plan: `cak agent --index N` */
} cak_sweep_reach;

typedef struct cak_sweep_options { /* zeros are the defaults of `cak sweep` */
    cak_sweep_reach reach;
    const cak_launcher_type *launcher; /* NULL: what the sweep file says */
    bool force;                        /* slurm: submit although tasks of the sweep are pending or running */
    int64_t index;                     /* for CAK_SWEEP_AT, counts from 0 */
    int64_t jobs, threads;             /* runs at a time and threads of each; 0: what the sweep file says, or the machine has */
    const char *cache;                 /* --cache of the runs, NULL: none */
    bool retry_failed;                 /* failed points are started again */
    bool strict_diverged;              /* diverged points make the exit code that of failed ones */
    cak_progress_mode progress;
} cak_sweep_options;

/* Run, report on stderr, write summary.csv; returns the exit code. Errors that concern one point are outcomes of that point: they are printed
** when they happen, the sweep goes on. */
int cak_sweep_run(cak_diag *d, cak_sweep_dir *s, const cak_sweep_options *o);

/* Fill in what is 0 of jobs and threads (of each), so that they use the processors; false when what was asked for had to be cut. */
bool cak_sweep_share(int64_t points, int64_t processors, int64_t *jobs, int64_t *threads);

/* What early termination does to comparisons with this sweep, as a sentence for a warning; NULL: nothing. */
const char *cak_sweep_censoring(const cak_sweep *s);

#endif
