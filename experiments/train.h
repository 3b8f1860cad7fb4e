/* Training: the loop, its state, its outcome. */
#ifndef CAK_TRAIN_H
#define CAK_TRAIN_H

#include "experiments/experiment.h"
#include "experiments/log.h"
#include "experiments/metrics.h"
#include "experiments/progress.h"
#include "experiments/rundir.h"

typedef struct cak_batches { /* where batches come from */
    const cak_stage_ops *ops;
    void *loader;
    const char *digest; /* of the prepared data */
} cak_batches;

typedef struct cak_train_options {
    cak_progress_mode progress;
    bool resume;        /* go on from the newest checkpoint of the run */
    int64_t stop_after; /* stop on purpose after so many batches in this process (as a signal would); 0: do not */
} cak_train_options;

/* Train until the end, a signal or a divergence; state and outcome are written into the run directory. Returns the exit code. */
int cak_train(cak_experiment *x, const cak_batches *data, real *const *port, cak_run *run, const cak_train_options *o);

#endif
