/* The distributions of sweep parameters, by W&B's names, and what each needs. */
#ifndef CAK_SWEEP_DISTRIBUTION_H
#define CAK_SWEEP_DISTRIBUTION_H

struct cak_sweep_param;

enum {
    CAK_DIST_VALUE = 1,
    CAK_DIST_VALUES = 2,
    CAK_DIST_LIMITS = 4,    /* min, max */
    CAK_DIST_WHOLE = 8,     /* integers only */
    CAK_DIST_POSITIVE = 16, /* min > 0 */
    CAK_DIST_EXPONENT = 32, /* min and max are exponents of e */
    CAK_DIST_Q = 64,        /* multiples of q */
    CAK_DIST_NORMAL = 128,  /* mu, sigma */
    CAK_DIST_BETA = 256     /* a, b */
};

typedef struct cak_distribution {
    const char *name;
    unsigned needs;
    double (*quantile)(const struct cak_sweep_param *p, double u); /* NULL: one of the values */
} cak_distribution;
extern const cak_distribution cak_distributions[]; /* ends with a row without name */

#endif
