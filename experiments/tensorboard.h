/* What metrics.jsonl holds, once more for TensorBoard: RUN/tb/events.out.tfevents.<unix time>.<host>.<pid>.<n>, a file per process that
** trained the run.
**
** A metric keeps its name, with "/" for "."; the metrics of single steps are below "steps/". The axis counts completed batches. A resumed
** run makes TensorBoard forget what an interrupted process wrote beyond the checkpoint. Name, seed and overrides are shown as
** hyperparameters. metrics.jsonl stays the log of truth: when a file cannot be written, there is one warning and no file. */
#ifndef EXPERIMENTS_TENSORBOARD_H
#define EXPERIMENTS_TENSORBOARD_H

#include "experiments/metrics.h"

typedef struct cak_tensorboard_session {
    const char *name;
    uint64_t seed;
    const char *const *override; /* "hp.lr=1e-4" */
    int n_overrides;
    bool resumed;
    uint64_t step; /* completed batches */
    double time;   /* now, seconds since 1970 */
} cak_tensorboard_session;

typedef struct cak_tensorboard cak_tensorboard;

/* NULL after a warning; NULL is fine for the other functions. `dir` is the run directory. */
cak_tensorboard *cak_tensorboard_open(cak_diag *d, const char *dir, const cak_tensorboard_session *s);
void cak_tensorboard_close(cak_tensorboard *t);
/* Names of `f`, below `folder` ("steps/" or ""). Kept in memory until it is worth a write, or the next flush. */
void cak_tensorboard_scalars(cak_tensorboard *t, double time, uint64_t step, const char *folder, cak_fields f,
                             const double *value);
void cak_tensorboard_flush(cak_tensorboard *t);

#endif
