/* The micro-kernel for one instruction set; the including file defines its name, vector width, MR and the list TILES. */
#include "nodes/kernels/gemm.h"

/* Two vectors wide: 2 * mr accumulators, two vectors of b and one broadcast element of a fill the register file. */
enum { LANES = VECTOR_BYTES / sizeof(real), WIDE = 2, NR = LANES * WIDE };
typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

__attribute__((always_inline)) static inline void tile(const int m, int64_t k, const real *restrict a, const real *restrict b,
                                                       real *restrict c, int64_t ldc, bool add)
{
    vec sum[MR][WIDE];
#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 2
        for (int j = 0; j < WIDE; j++) sum[i][j] = add ? *(const vec *)(c + i * ldc + j * LANES) : (vec){ 0 };
    for (int64_t l = 0; l < k; l++, a += m, b += NR) {
        vec b0 = *(const vec *)b, b1 = *(const vec *)(b + LANES);
#pragma GCC unroll 16
        for (int i = 0; i < m; i++) {
            sum[i][0] += b0 * a[i];
            sum[i][1] += b1 * a[i];
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 2
        for (int j = 0; j < WIDE; j++) *(vec *)(c + i * ldc + j * LANES) = sum[i][j];
}

#define TILE(m)                                                                                   \
    static void tile_##m(int64_t k, const real *a, const real *b, real *c, int64_t ldc, bool add) \
    {                                                                                             \
        tile(m, k, a, b, c, ldc, add);                                                            \
    }
TILES
#undef TILE
#define TILE(m) tile_##m,
static cak_gemm_tile *const tiles[] = { TILES };
_Static_assert(sizeof tiles / sizeof *tiles == MR, "one tile per number of rows");

/* Steps 1 and 2 are the common ones and become moves and shuffles. */
static void pick(real *restrict to, const real *restrict from, int64_t n, int64_t every)
{
    if (every == 1)
        for (int64_t i = 0; i < n; i++) to[i] = from[i];
    else if (every == 2)
        for (int64_t i = 0; i < n; i++) to[i] = from[2 * i];
    else
        for (int64_t i = 0; i < n; i++) to[i] = from[i * every];
}

extern const cak_isa ISA_TABLE;
const cak_isa ISA_TABLE = { .name = ISA_NAME, .mr = MR, .nr = NR, .tile = tiles, .pick = pick };
