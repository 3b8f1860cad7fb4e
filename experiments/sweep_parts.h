/* What the files that read, draw and expand sweeps share: parameters, and the values they can take. */
#ifndef CAK_SWEEP_PARTS_H
#define CAK_SWEEP_PARTS_H

#include "experiments/sweep.h"

typedef struct cak_sweep_param {
    const char *key;
    cak_pos at; /* of the key */
    const struct cak_distribution *dist;
    const char **value; /* constant and categorical: n values as YAML flow text */
    int n;
    double *probability; /* of the values; NULL: equal ones */
    double min, max, mu, sigma, q, a, b;
} cak_sweep_param;

/* Does the value of an override, "hp.lr=1e-4,1e-3", read as several for multirun? */
bool cak_multirun_several(cak_arena *a, const char *override);

/* The parameters of `parameters:`, nested blocks as dotted keys; false after recording every mistake. */
bool cak_sweep_params(cak_arena *a, cak_diag *d, cak_yaml *map, cak_sweep_param **out, int *n);

/* Warn of a distribution over exponents whose limits look like values. */
void cak_param_warn(cak_diag *d, const cak_sweep_param *p);

bool cak_param_listed(const cak_sweep_param *p);   /* n values, known one by one */
bool cak_param_constant(const cak_sweep_param *p); /* one value */
/* Turn a range of integers into a list, so that a grid can walk through it; E1202 for a distribution that has no list. */
bool cak_param_enumerate(cak_arena *a, cak_diag *d, cak_sweep_param *p);
/* The value at the quantile u in (0, 1); NULL: it is not finite. */
const char *cak_param_draw(cak_arena *a, const cak_sweep_param *p, double u);

enum { CAK_SWEEP_MAX_POINTS = 100000 };
/* Points from parameters: s->key, s->pair_by, s->method and s->seed are there already. run_cap 0: none is given. */
bool cak_sweep_expand(cak_diag *d, cak_sweep *s, cak_sweep_param *param, int64_t run_cap, cak_pos at);
/* False for what a run writes about itself, which is no part of what it is: "log.tensorboard", "+log.step_metrics". */
bool cak_key_identifies(const char *key);
void cak_point_identify(const cak_sweep *s, cak_point *p); /* set the id from the values */

/* A value on one line, so that an override can hold it. */
const char *cak_sweep_value(cak_arena *a, const cak_yaml *n);
/* Everything but the points: of a plan that exists. */
cak_sweep *cak_sweep_read(cak_diag *d, const char *path);
/* A sweep from text; `name` stands for the file in messages. */
cak_sweep *cak_sweep_parse(cak_diag *d, const char *name, const char *text);

#endif
