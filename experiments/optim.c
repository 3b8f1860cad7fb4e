/* Adam as torch.optim.Adam computes it, and norms. */
#include "experiments/optim.h"

#include <math.h>

#include "graph/par.h"

const cak_attr cak_adam_rows[] = {
    { .name = "lr",
      .doc = "learning rate",
      .kind = CAK_NUM,
      .offset = offsetof(cak_adam_attr, lr),
      .def = 1e-3,
      .min = 0,
      .max = 1e6 },
    { .name = "betas",
      .doc = "decay of the first and second moment",
      .kind = CAK_NUMS,
      .offset = offsetof(cak_adam_attr, betas),
      .def_text = "[0.9, 0.999]",
      .min = 0,
      .max = 0.9999999 },
    { .name = "eps",
      .doc = "added to the denominator",
      .kind = CAK_NUM,
      .offset = offsetof(cak_adam_attr, eps),
      .def = 1e-8,
      .min = 0,
      .max = 1 },
    { .kind = CAK_END },
};

void cak_adam_open(cak_arena *a, cak_adam *o, int n, real *const *value, const int64_t *size)
{
    o->n = n;
    o->value = value;
    o->size = size;
    o->step = 0;
    o->m = cak_arena_alloc(a, ((size_t)n + 1) * sizeof *o->m);
    o->v = cak_arena_alloc(a, ((size_t)n + 1) * sizeof *o->v);
    for (int i = 0; i < n; i++) {
        o->v[i] = cak_arena_alloc(a, (size_t)size[i] * sizeof(real));
        if (o->attr.betas.v[0] > 0) o->m[i] = cak_arena_alloc(a, (size_t)size[i] * sizeof(real));
    }
}

void cak_adam_update(cak_adam *o, const real *const *grad)
{
    double b1 = o->attr.betas.v[0], b2 = o->attr.betas.v[1], t = (double)++o->step;
    real lr = (real)(o->attr.lr / (1 - pow(b1, t))), root = (real)sqrt(1 - pow(b2, t)), eps = (real)o->attr.eps;
    real keep1 = (real)b1, new1 = (real)(1 - b1), keep2 = (real)b2, new2 = (real)(1 - b2);
    for (int i = 0; i < o->n; i++) {
        const real *g = grad[i];
        real *p = o->value[i], *m = o->m[i], *v = o->v[i];
        if (!g) continue;
        CAK_PARALLEL_FOR (k, o->size[i], o->size[i]) {
            v[k] = keep2 * v[k] + new2 * g[k] * g[k];
            real first = m ? (m[k] = keep1 * m[k] + new1 * g[k]) : g[k];
            p[k] -= lr * first / (CAK_MATH(sqrt)(v[k]) / root + eps);
        }
    }
}

double cak_norm2(const real *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sum;
}
