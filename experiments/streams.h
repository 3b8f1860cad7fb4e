/* What went into a run besides its configuration, as digests: runs with equal ones are paired, so their difference is that of the models. */
#ifndef EXPERIMENTS_STREAMS_H
#define EXPERIMENTS_STREAMS_H

#include "experiments/train.h"

enum { CAK_STREAM_SAMPLES = 1 << 18 }; /* how many samples are looked at, so that no run waits for its digest */

/* Into run.json:  "streams": {"batches": "<32 hex>", "init": {"detector.weight": "<32 hex>", ...}}
**
** `batches` is of the prepared data, the number of batches, and of each sample in the order of training: clips, window, control. After
** CAK_STREAM_SAMPLES only whole batches that were begun count; later ones follow from the same seed. Absent when the loader cannot tell
** its samples. `init` is of shape and values of each parameter. Call it before training, when the parameters are ready. */
void cak_streams_put(cak_run *run, const cak_experiment *x, const cak_batches *data);

#endif
