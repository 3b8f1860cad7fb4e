/* Optimisers: plain loops over parameters, outside the graph. */
#ifndef CAK_OPTIM_H
#define CAK_OPTIM_H

#include "graph/arena.h"
#include "graph/node.h"

typedef struct cak_adam_attr {
    double lr;
    cak_nums betas;
    double eps;
} cak_adam_attr;
extern const cak_attr cak_adam_rows[]; /* lr, betas, eps: names and defaults of torch.optim.Adam */

typedef struct cak_adam { /* one optimiser with its own state; several may drive the same parameter */
    cak_adam_attr attr;
    int n;               /* parameters */
    real *const *value;  /* [n] what it moves */
    const int64_t *size; /* [n] elements */
    real **m, **v;       /* [n] first and second moments; m[i] is NULL when beta1 is 0 */
    uint64_t step;       /* updates done */
} cak_adam;

void cak_adam_open(cak_arena *a, cak_adam *o, int n, real *const *value, const int64_t *size);
/* m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  value -= lr m^ / (sqrt(v^) + eps);  grad[i] NULL: parameter i is left alone */
void cak_adam_update(cak_adam *o, const real *const *grad);

double cak_norm2(const real *x, int64_t n); /* sum of squares, in an order that the thread count does not change */

#endif
