/* Philox4x32-10 (Random123) as a pure function of seed, stream, step and index. */
#include "graph/rng.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

uint64_t cak_rng_stream(const char *name) { return XXH64(name, strlen(name), 0); }

/* Counter: index and step; key: seed and stream folded into 64 bits. */
uint64_t cak_rng_bits(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index)
{
    uint64_t k = (seed + 0x9e3779b97f4a7c15u) ^ (stream * 0xbf58476d1ce4e5b9u);
    philox4x32_ctr_t c = { { (uint32_t)index, (uint32_t)(index >> 32), (uint32_t)step, (uint32_t)(step >> 32) } };
    philox4x32_key_t key = { { (uint32_t)k, (uint32_t)(k >> 32) } };
    philox4x32_ctr_t r = philox4x32(c, key);
    return (uint64_t)r.v[1] << 32 | r.v[0];
}

double cak_rng_uniform(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index)
{
    return (double)(cak_rng_bits(seed, stream, step, index) >> 11) * 0x1p-53;
}

double cak_rng_normal(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index)
{
    uint64_t second = stream ^ 0x5851f42d4c957f2du; /* the angle comes from a stream of its own */
    double u = 1 - cak_rng_uniform(seed, stream, step, index), v = cak_rng_uniform(seed, second, step, index);
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

uint64_t cak_rng_below(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index, uint64_t n)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, x; /* values at and above limit would favour small results */
    for (uint64_t retry = 0;; retry++) {
        x = cak_rng_bits(seed, stream + retry, step, index);
        if (x < limit) return x % n;
    }
}

void cak_rng_permutation(uint64_t seed, uint64_t stream, uint64_t step, int n, int *out)
{
    for (int i = 0; i < n; i++) out[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int k = (int)cak_rng_below(seed, stream, step, (uint64_t)i, (uint64_t)i + 1), t = out[i];
        out[i] = out[k];
        out[k] = t;
    }
}
