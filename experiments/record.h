/* What is recorded: values per step, means per epoch, in a fixed order of fields. */
#ifndef CAK_RECORD_H
#define CAK_RECORD_H

#include "experiments/checkpoint.h"
#include "experiments/experiment.h"
#include "experiments/metrics.h"

/* Step fields, phase by phase: the loss (with the phase's name in front where phases share it), its terms ("c_loss.gp", without weight), the phase's metrics, the gradient norms ("critic.grad_norm",
** "critic.grad_norm.detector.weight"); a phase that repeats records its last repetition, as the author does. Epoch fields: means of the step
** fields (but those of single tensors) over the batches, then schedules, then the one-element parameters of `metrics:` after the epoch. */
typedef struct cak_record {
    cak_fields step_fields, epoch_fields;
    double *step_value, *epoch_value;
    int *phase_first;       /* index of the first step field of a phase */
    int n_means, *mean_of;  /* epoch field i < n_means is the mean of step field mean_of[i] */
    double *sum, n_batches; /* running sums of the epoch; in the checkpoint */
    cak_ckpt_number *sums;
    int n_sums;
    cak_metrics_count count; /* records written; in the checkpoint */
    char line[256];
    const cak_experiment *x;
} cak_record;

void cak_record_open(cak_record *r, const cak_experiment *x);
/* Every name is recorded once and is none of the log's own; false after an error (E1205) at the place of the second use. */
bool cak_record_names(cak_diag *d, const cak_experiment *x);
void cak_record_begin(cak_record *r); /* a new batch: nothing has been computed yet, so every value is NaN */
/* Take the values of a phase after its run; false when a gradient is not finite. */
bool cak_record_phase(cak_record *r, int phase, const cak_step *s, const real *const *grad);
void cak_record_add(cak_record *r);                            /* the batch is done: add its values to the sums */
void cak_record_epoch(cak_record *r, const cak_experiment *x); /* the epoch is done: fill epoch_value */
void cak_record_clear(cak_record *r);
const char *cak_record_line(cak_record *r); /* "c_loss 0.583 g_loss -0.118 ...": means of the epoch so far */

#endif
