/* The order of the items of an epoch. */
#include "nodes/audio/lib_loader.h"

#include "graph/rng.h"

cak_order cak_order_open(cak_arena *a, int64_t items, uint64_t seed, bool shuffle)
{
    cak_order o = { .n = (int)items, .epoch = -1, .seed = seed, .stream = cak_rng_stream("shuffle") };
    if (shuffle) o.at = cak_arena_alloc(a, (size_t)items * sizeof *o.at);
    return o;
}

int64_t cak_order_at(cak_order *o, int64_t epoch, int64_t i)
{
    if (!o->at) return i;
    if (o->epoch != epoch) cak_rng_permutation(o->seed, o->stream, (uint64_t)epoch, o->n, o->at);
    o->epoch = epoch;
    return o->at[i];
}
