/* Checking the points of a sweep: each configuration is composed and checked as `cak check` would, and points that have the same program or
** the same data are found. */
#ifndef CAK_SWEEP_CHECK_H
#define CAK_SWEEP_CHECK_H

#include "experiments/sweep.h"

typedef struct cak_sweep_checked {
    const char **config_hash; /* by point */
    int *program,
        *data; /* by point: which of the different graphs, of the different `data` sections; -1: the point has mistakes */
    int *program_of, *data_of; /* the first point that has it */
    int n_programs, n_data;
} cak_sweep_checked;

/* NULL after an error. The same mistake of many points is recorded once. Memory of `a`. */
cak_sweep_checked *cak_sweep_check(cak_arena *a, cak_diag *d, const cak_sweep *s);

/* Digest of the configuration of a point, without building its graph; what a plan holds as config_hash. False after an error. */
bool cak_point_config_hash(cak_diag *d, const cak_sweep *s, const cak_point *p, char hex[33]);
const char *cak_point_text(cak_arena *a, const cak_sweep *s, const cak_point *p); /* "hp.lr=1e-4 seed=0" */

#endif
