/* What the loaders share: the order of the items of an epoch. */
#ifndef CAK_LIB_LOADER_H
#define CAK_LIB_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/arena.h"

typedef struct cak_order {
    int n;
    int *at; /* NULL: not shuffled */
    int64_t epoch;
    uint64_t seed, stream;
} cak_order;

cak_order cak_order_open(cak_arena *a, int64_t items, uint64_t seed, bool shuffle);
/* Item at place i of an epoch: a permutation that depends on (seed, epoch) alone. */
int64_t cak_order_at(cak_order *o, int64_t epoch, int64_t i);

#endif
