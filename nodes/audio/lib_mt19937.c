/* Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), seeded and read the way Python does. */
#include "nodes/audio/lib_mt19937.h"

enum { N = CAK_MT_WORDS, M = 397 };

static void seed_word(cak_mt19937 *m, uint32_t seed)
{
    m->word[0] = seed;
    for (uint32_t i = 1; i < N; i++) m->word[i] = 1812433253u * (m->word[i - 1] ^ m->word[i - 1] >> 30) + i;
}

/* init_by_array with the seed cut into 32-bit words, the least significant first. */
void cak_mt_seed(cak_mt19937 *m, uint64_t seed)
{
    uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) }, *w = m->word;
    uint32_t n_key = key[1] ? 2 : 1, i = 1, j = 0;
    seed_word(m, 19650218u);
    for (int k = N; k > 0; k--) {
        w[i] = (w[i] ^ (w[i - 1] ^ w[i - 1] >> 30) * 1664525u) + key[j] + j;
        j = (j + 1) % n_key;
        if (++i == N) w[0] = w[N - 1], i = 1;
    }
    for (int k = N - 1; k > 0; k--) {
        w[i] = (w[i] ^ (w[i - 1] ^ w[i - 1] >> 30) * 1566083941u) - i;
        if (++i == N) w[0] = w[N - 1], i = 1;
    }
    w[0] = 0x80000000u;
    m->next = N;
}

static void refill(cak_mt19937 *m)
{
    for (int i = 0; i < N; i++) {
        uint32_t y = (m->word[i] & 0x80000000u) | (m->word[(i + 1) % N] & 0x7fffffffu);
        m->word[i] = m->word[(i + M) % N] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    m->next = 0;
}

uint32_t cak_mt_next(cak_mt19937 *m)
{
    if (m->next == N) refill(m);
    uint32_t y = m->word[m->next++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

double cak_mt_random(cak_mt19937 *m)
{
    uint32_t a = cak_mt_next(m) >> 5, b = cak_mt_next(m) >> 6;
    return ((double)a * 67108864.0 + (double)b) * 0x1p-53;
}

double cak_mt_uniform(cak_mt19937 *m, double lo, double hi) { return lo + (hi - lo) * cak_mt_random(m); }
