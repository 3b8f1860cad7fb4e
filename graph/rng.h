/* Counter-based random numbers (Philox4x32-10): a value is a pure function of (seed, stream name, step, index), so nothing has to be
** stored to resume a run and no thread can change a draw. */
#ifndef CAK_RNG_H
#define CAK_RNG_H

#include <stdint.h>

uint64_t cak_rng_stream(const char *name);                                                         /* key of a stream name */
uint64_t cak_rng_bits(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index);              /* 64 random bits */
double cak_rng_uniform(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index);             /* [0, 1), 53 bits */
double cak_rng_normal(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index);              /* mean 0, sd 1 (Box-Muller) */
uint64_t cak_rng_below(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index, uint64_t n); /* 0 .. n-1, unbiased */
void cak_rng_permutation(uint64_t seed, uint64_t stream, uint64_t step, int n, int *out);          /* Fisher-Yates */

#endif
