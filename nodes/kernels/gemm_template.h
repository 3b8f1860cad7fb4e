/* The micro-kernel for one instruction set; the including file defines its name, vector width, MR and the list TILES. */
#include "nodes/kernels/gemm.h"

/* Two vectors wide: 2 * mr accumulators, two vectors of b and one broadcast element of a fill the register file. */
enum { LANES = VECTOR_BYTES / sizeof(real), WIDE = 2, NR = LANES * WIDE };
typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

/* What the next steps read and write comes to the second-level cache while these multiply. */
__attribute__((always_inline)) static inline void fetch(const real *const *ahead)
{
#pragma GCC unroll 4
    for (int i = 0; i < CAK_GEMM_AHEAD; i++)
#pragma GCC unroll 4
        for (int line = 0; line < CAK_GEMM_LINES; line++) __builtin_prefetch((const char *)ahead[i] + line * 64, 0, 2);
}

/* A chain of multiply-adds for each of m * NR outputs, kept in registers from the first block to the last. a is read element by element:
** row i, position l of a block at a[i * a_row + l * a_k]; b is read in vectors from b[l * b_k]. */
__attribute__((always_inline)) static inline void tile(const int m, int64_t blocks, int64_t k, const real *restrict a,
                                                       int64_t a_block, int64_t a_row, int64_t a_k, const real *restrict b,
                                                       int64_t b_k, real *restrict c, int64_t ldc, bool add,
                                                       const real *const *ahead)
{
    vec sum[MR][WIDE];
#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 2
        for (int j = 0; j < WIDE; j++) sum[i][j] = add ? *(const vec *)(c + i * ldc + j * LANES) : (vec){ 0 };
    for (int64_t block = 0; block < blocks; block++, a += a_block) {
        const real *at = a;
        if (ahead) fetch(ahead + block * CAK_GEMM_AHEAD);
        for (int64_t l = 0; l < k; l++, at += a_k, b += b_k) {
            vec b0 = *(const vec *)b, b1 = *(const vec *)(b + LANES);
#pragma GCC unroll 16
            for (int i = 0; i < m; i++) {
                sum[i][0] += b0 * at[i * a_row];
                sum[i][1] += b1 * at[i * a_row];
            }
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#pragma GCC unroll 2
        for (int j = 0; j < WIDE; j++) *(vec *)(c + i * ldc + j * LANES) = sum[i][j];
}

#define TILE(m)                                                                                                                \
    static void tile_##m(int64_t k, const real *a, const real *b, real *c, int64_t ldc, bool add)                              \
    {                                                                                                                          \
        tile(m, 1, k, a, 0, 1, m, b, NR, c, ldc, add, NULL);                                                                   \
    }                                                                                                                          \
    static void columns_##m(int64_t k, const real *a, int64_t a_k, const real *b, int64_t b_k, real *c, int64_t ldc, bool add) \
    {                                                                                                                          \
        tile(m, 1, k, a, 0, 1, a_k, b, b_k, c, ldc, add, NULL);                                                                \
    }                                                                                                                          \
    static void rows_##m(int64_t blocks, const real *a, int64_t a_block, const real *b, real *c, bool add)                     \
    {                                                                                                                          \
        tile(m, blocks, CAK_GEMM_ROW, a, a_block, CAK_GEMM_ROW, 1, b, CAK_GEMM_STEP, c, CAK_GEMM_STEP, add, NULL);             \
    }                                                                                                                          \
    static void ahead_##m(int64_t blocks, const real *a, int64_t a_block, const real *b, real *c, const real *const *places)   \
    {                                                                                                                          \
        tile(m, blocks, CAK_GEMM_ROW, a, a_block, CAK_GEMM_ROW, 1, b, CAK_GEMM_STEP, c, CAK_GEMM_STEP, false, places);         \
    }
TILES
#undef TILE
#define TILE(m) tile_##m,
static cak_gemm_tile *const tiles[] = { TILES };
#undef TILE
#define TILE(m) columns_##m,
static cak_gemm_columns *const columns[] = { TILES };
#undef TILE
#define TILE(m) rows_##m,
static cak_gemm_rows *const rows[] = { TILES };
#undef TILE
#define TILE(m) ahead_##m,
static cak_gemm_ahead *const aheads[] = { TILES };
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
const cak_isa ISA_TABLE = { .name = ISA_NAME,
                            .index = ISA_INDEX,
                            .mr = MR,
                            .nr = NR,
                            .tile = tiles,
                            .tile_columns = columns,
                            .tile_rows = rows,
                            .tile_ahead = aheads,
                            .pick = pick };
