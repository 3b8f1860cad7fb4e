/* Checking the points of a sweep: each configuration is composed and checked as `cak check` would, and points that have the same program or
** the same data are found. */
#ifndef CAK_SWEEP_CHECK_H
#define CAK_SWEEP_CHECK_H

#include "experiments/experiment.h"
#include "experiments/sweep.h"

typedef struct cak_sweep_checked {
    const char **config_hash; /* by point */
    cak_train_attr *train;    /* by point */
    int *program,
        *data; /* by point: which of the different graphs, of the different `data` sections; -1: the point has mistakes */
    int *program_of, *data_of; /* the first point that has it */
    int n_programs, n_data;
} cak_sweep_checked;

/* NULL after an error. The same mistake of many points is recorded once. Memory of `a`. */
cak_sweep_checked *cak_sweep_check(cak_arena *a, cak_diag *d, const cak_sweep *s);

cak_config *cak_point_compose(cak_diag *d, const cak_sweep *s, const cak_point *p); /* like cak_config_load() */
const char *cak_point_text(cak_arena *a, const cak_sweep *s, const cak_point *p);   /* "hp.lr=1e-4 seed=0" */

#endif
