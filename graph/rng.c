/* Random numbers as a pure function of (seed, stream, step, index): Philox4x32-10 of Random123. */
#include "graph/rng.h"

#include <math.h>
#include <string.h>

#include <xxhash.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

typedef struct block { /* 128 random bits */
    uint64_t lo, hi;
} block;

uint64_t cak_rng_stream(const char *name) { return XXH3_64bits(name, strlen(name)); }

/* Seed and stream make the key, step and index the counter: streams are independent functions of the same counter. */
static block draw(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index)
{
    uint64_t key = XXH3_64bits_withSeed(&stream, sizeof stream, seed);
    philox4x32_key_t k = { { (uint32_t)key, (uint32_t)(key >> 32) } };
    philox4x32_ctr_t c = { { (uint32_t)index, (uint32_t)(index >> 32), (uint32_t)step, (uint32_t)(step >> 32) } };
    philox4x32_ctr_t r = philox4x32(c, k);
    return (block){ r.v[0] | (uint64_t)r.v[1] << 32, r.v[2] | (uint64_t)r.v[3] << 32 };
}

uint64_t cak_rng_bits(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index)
{
    return draw(seed, stream, step, index).lo;
}

static double unit(uint64_t bits) { return (double)(bits >> 11) * 0x1p-53; }

double cak_rng_uniform(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index)
{
    return unit(draw(seed, stream, step, index).lo);
}

double cak_rng_normal(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index)
{
    block b = draw(seed, stream, step, index);
    double radius = sqrt(-2 * log(1 - unit(b.lo))); /* 1 - unit is never 0 */
    return radius * cos(2 * M_PI * unit(b.hi));
}

/* Lemire's method: the high word of bits * n, drawn again (with the next key) in the few cases that would bias it. */
uint64_t cak_rng_below(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index, uint64_t n)
{
    uint64_t reject = n ? -n % n : 0; /* 2^64 mod n */
    for (;; stream++) {
        unsigned __int128 product = (unsigned __int128)cak_rng_bits(seed, stream, step, index) * n;
        if ((uint64_t)product >= reject) return (uint64_t)(product >> 64);
    }
}

void cak_rng_permutation(uint64_t seed, uint64_t stream, uint64_t step, int n, int *out)
{
    for (int i = 0; i < n; i++) {
        int j = (int)cak_rng_below(seed, stream, step, (uint64_t)i, (uint64_t)i + 1);
        out[i] = out[j];
        out[j] = i;
    }
}
