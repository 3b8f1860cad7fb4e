/* Random numbers: Philox against its published vectors, distributions, permutations. */
#include "graph/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "tests/support/suite.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

/* Known-answer vectors of Random123 (kat_vectors, philox4x32 with 10 rounds). */
START_TEST(known_answers)
{
    static const struct {
        uint32_t ctr[4], key[2], want[4];
    } kat[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { ~0u, ~0u, ~0u, ~0u }, { ~0u, ~0u }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (int i = 0; i < 3; i++) {
        philox4x32_ctr_t c;
        philox4x32_key_t k;
        memcpy(c.v, kat[i].ctr, sizeof c.v);
        memcpy(k.v, kat[i].key, sizeof k.v);
        c = philox4x32(c, k);
        ck_assert(!memcmp(c.v, kat[i].want, sizeof c.v));
    }
}
END_TEST

/* The mapping of (seed, stream, step, index) to key and counter is part of every saved run: it must never change. */
START_TEST(mapping)
{
    uint64_t stream = cak_rng_stream("shuffle"), seed = 7, step = 0x100000002, index = 0x300000004;
    uint64_t key = XXH3_64bits_withSeed(&stream, sizeof stream, seed);
    philox4x32_ctr_t c = { { 4, 3, 2, 1 } };
    philox4x32_key_t k = { { (uint32_t)key, (uint32_t)(key >> 32) } };
    c = philox4x32(c, k);
    ck_assert_uint_eq(cak_rng_bits(seed, stream, step, index), c.v[0] | (uint64_t)c.v[1] << 32);
    ck_assert_uint_eq(stream, XXH3_64bits("shuffle", 7));
    ck_assert(cak_rng_uniform(seed, stream, step, index) == (double)(cak_rng_bits(seed, stream, step, index) >> 11) * 0x1p-53);
}
END_TEST

START_TEST(every_argument_counts)
{
    uint64_t base = cak_rng_bits(1, 2, 3, 4);
    ck_assert_uint_eq(base, cak_rng_bits(1, 2, 3, 4));
    ck_assert_uint_ne(base, cak_rng_bits(2, 2, 3, 4));
    ck_assert_uint_ne(base, cak_rng_bits(1, 3, 3, 4));
    ck_assert_uint_ne(base, cak_rng_bits(1, 2, 4, 4));
    ck_assert_uint_ne(base, cak_rng_bits(1, 2, 3, 5));
    ck_assert_uint_ne(base, cak_rng_bits(1 + (1ull << 40), 2, 3, 4));
    ck_assert_uint_ne(base, cak_rng_bits(1, 2, 3 + (1ull << 40), 4));
    ck_assert_uint_ne(base, cak_rng_bits(1, 2, 3, 4 + (1ull << 40)));
}
END_TEST

/* Moments of n draws within five standard errors; the values do not change between runs. */
START_TEST(moments)
{
    enum { N = 100000 };
    double u1 = 0, u2 = 0, z1 = 0, z2 = 0, z4 = 0, lag = 0, before = 0;
    for (uint64_t i = 0; i < N; i++) {
        double u = cak_rng_uniform(1, 2, 3, i) - 0.5, z = cak_rng_normal(1, 2, 4, i);
        ck_assert(u >= -0.5 && u < 0.5 && isfinite(z));
        u1 += u, u2 += u * u, z1 += z, z2 += z * z, z4 += z * z * z * z, lag += u * before;
        before = u;
    }
    double se = 5 / sqrt(N);
    ck_assert(fabs(u1 / N) < se * sqrt(1.0 / 12) && fabs(u2 / N - 1.0 / 12) < se * sqrt(1.0 / 180) && fabs(lag / N) < se / 12);
    ck_assert(fabs(z1 / N) < se && fabs(z2 / N - 1) < se * sqrt(2) && fabs(z4 / N - 3) < se * sqrt(96));
}
END_TEST

START_TEST(below)
{
    int count[7] = { 0 };
    for (uint64_t i = 0; i < 70000; i++) {
        uint64_t v = cak_rng_below(1, 2, 3, i, 7);
        ck_assert(v < 7);
        count[v]++;
    }
    for (int k = 0; k < 7; k++) ck_assert(abs(count[k] - 10000) < 500);
    for (uint64_t i = 0; i < 100; i++) ck_assert_uint_eq(cak_rng_below(1, 2, 3, i, 1), 0);
}
END_TEST

/* For n = 3/4 of 2^64 every fourth draw must be thrown away; otherwise the multiples of 3 would come twice as often as the rest. */
START_TEST(below_is_unbiased)
{
    enum { N = 20000 };
    const uint64_t n = 3ull << 62;
    double sum = 0;
    int parts[3] = { 0 };
    for (uint64_t i = 0; i < N; i++) {
        uint64_t v = cak_rng_below(1, 2, 3, i, n);
        ck_assert(v < n);
        sum += (double)v / (double)n;
        parts[v % 3]++;
    }
    ck_assert(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    for (int k = 0; k < 3; k++) ck_assert(abs(parts[k] - N / 3) < 350); /* sd 67 */
}
END_TEST

START_TEST(permutations)
{
    enum { N = 5 };
    int p[400], seen[400] = { 0 }, count[N][N] = { { 0 } };
    cak_rng_permutation(1, 2, 3, 400, p);
    for (int i = 0; i < 400; i++) {
        ck_assert(p[i] >= 0 && p[i] < 400 && !seen[p[i]]);
        seen[p[i]] = 1;
    }
    for (uint64_t step = 0; step < 20000; step++) {
        cak_rng_permutation(1, 2, step, N, p);
        for (int i = 0; i < N; i++) count[i][p[i]]++;
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) ck_assert(abs(count[i][k] - 4000) < 300); /* sd 57 */
    cak_rng_permutation(1, 2, 3, 1, p);
    ck_assert_int_eq(p[0], 0);
}
END_TEST

SUITE(rng, known_answers, mapping, every_argument_counts, moments, below, below_is_unbiased, permutations)
