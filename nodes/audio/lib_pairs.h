/* Controls and pairs: which clip goes with which, and how far apart they are. */
#ifndef CAK_LIB_PAIRS_H
#define CAK_LIB_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/arena.h"

typedef enum cak_control_dist { CAK_CONTROL_UNIFORM, CAK_CONTROL_FEATURE, CAK_CONTROL_CONSTANT } cak_control_dist;

typedef struct cak_pairing { /* everything that decides the items */
    int n;                   /* clips */
    cak_control_dist dist;
    double lo, hi;         /* uniform(lo, hi); lo + (hi - lo) feature; constant: hi */
    int64_t seed, round;   /* of Python's random; decimals kept */
    const double *feature; /* [n] in [0, 1] */
    double identity_fraction;
    bool fix_parity, shuffled_controls, repair_every_epoch;
    uint64_t run_seed; /* for the two options above */
} cak_pairing;

typedef struct cak_item { /* one sample of an epoch */
    int input, target;    /* clips */
    double control;
} cak_item;

typedef struct cak_pairs cak_pairs;

cak_pairs *cak_pairs_open(cak_arena *a, const cak_pairing *p); /* n >= 2 */
int64_t cak_pairs_items(const cak_pairs *q);                   /* of an epoch: 2 n */
const double *cak_pairs_controls(const cak_pairs *q);          /* [n] one value per clip */
/* Items of an epoch before shuffling. */
void cak_pairs_epoch(cak_pairs *q, uint64_t epoch, cak_item *out);

typedef struct cak_pair_summary {                       /* of epoch 0 */
    int64_t identity, transformation, distinct, unused; /* items; different pairs; clips that are in no pair of two */
    double mean, sd, min, max;                          /* of the controls of the transformation items; sd of the population */
} cak_pair_summary;
cak_pairs *cak_pair_loader_pairs(void *loader); /* of an open pair_loader */
cak_pair_summary cak_pairs_summary(cak_arena *a, cak_pairs *q);

#endif
