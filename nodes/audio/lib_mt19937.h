/* Python's random module, as far as the author's control sampler uses it: random.seed(int), random.random(), random.uniform(). */
#ifndef CAK_LIB_MT19937_H
#define CAK_LIB_MT19937_H

#include <stdint.h>

enum { CAK_MT_WORDS = 624 };
typedef struct cak_mt19937 {
    uint32_t word[CAK_MT_WORDS];
    int next;
} cak_mt19937;

void cak_mt_seed(cak_mt19937 *m, uint64_t seed);             /* random.seed(seed) */
uint32_t cak_mt_next(cak_mt19937 *m);                        /* 32 bits, genrand_int32 */
double cak_mt_random(cak_mt19937 *m);                        /* [0, 1), 53 bits */
double cak_mt_uniform(cak_mt19937 *m, double lo, double hi); /* random.uniform(lo, hi) */

#endif
