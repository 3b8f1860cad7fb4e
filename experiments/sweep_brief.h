/* Points for the eye: without what all of them have in common, drawn numbers with six digits. */
#ifndef CAK_SWEEP_BRIEF_H
#define CAK_SWEEP_BRIEF_H

#include "experiments/sweep.h"

typedef struct cak_brief {
    const cak_sweep *sweep;
    bool *varies;       /* by parameter: not equal in all points */
    const char *common; /* "train.epochs=1": the others; "" when there are none */
} cak_brief;

cak_brief cak_brief_open(cak_arena *a, const cak_sweep *s);               /* memory of `a` */
const char *cak_brief_point(cak_arena *a, const cak_brief *b, int point); /* "hp.lr=0.000123457 seed=1" */

#endif
