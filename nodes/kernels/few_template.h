/* The micro-kernels of few_tile.h for one instruction set; the including file defines its table's name, vector width and sizes of tiles. */
#include "nodes/kernels/few_tile.h"

enum { LANES = VECTOR_BYTES / sizeof(real) };
typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
#define INLINE __attribute__((always_inline)) static inline

INLINE void chains(const int rows, const int wide, const int64_t a_row, const cak_few_product *p)
{
    vec sum[PRODUCT_ROWS_1][CAK_FEW_WIDE] = { 0 };
    const real *b = p->b;
    for (int64_t k = 0; k < p->k; k++, b += p->b_k) {
        const real *a = p->a + p->at[k];
        __builtin_prefetch(p->a + p->ahead[k]);
        vec b0 = *(const vec *)b, b1 = wide > 1 ? *(const vec *)(b + LANES) : b0;
#pragma GCC unroll 32
        for (int r = 0; r < rows; r++) {
            sum[r][0] += b0 * a[r * a_row];
            if (wide > 1) sum[r][1] += b1 * a[r * a_row];
        }
    }
#pragma GCC unroll 32
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < wide; v++) *(vec *)(p->c[v] + r * p->c_row) = sum[r][v];
}

/* The steps of the layers of a network become displacements of the instructions. */
INLINE void product(const int rows, const int wide, const cak_few_product *p)
{
    if (p->a_row == 2) chains(rows, wide, 2, p);
    else if (p->a_row == CAK_FEW_LANES) chains(rows, wide, CAK_FEW_LANES, p);
    else chains(rows, wide, p->a_row, p);
}

INLINE void sum(const int rows, const int wide, const cak_few_sum *s)
{
    vec sum[SUM_ROWS][CAK_FEW_WIDE] = { 0 };
    const real *a[SUM_ROWS];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) a[r] = s->a + s->at[r];
    const real *c0 = s->b[0], *c1 = wide > 1 ? s->b[1] : c0;
    int64_t i = 0, a_k = s->a_k;
    for (int64_t k = s->k; k > 0; k--, i += a_k, c0 += CAK_FEW_LANES, c1 += CAK_FEW_LANES) {
        vec b0 = *(const vec *)c0, b1 = wide > 1 ? *(const vec *)c1 : b0;
        __builtin_prefetch(c0 + CAK_FEW_AHEAD * CAK_FEW_LANES);
        if (wide > 1 && (int)LANES == (int)CAK_FEW_LANES) __builtin_prefetch(c1 + CAK_FEW_AHEAD * CAK_FEW_LANES);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            sum[r][0] += b0 * a[r][i];
            if (wide > 1) sum[r][1] += b1 * a[r][i];
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < wide; v++) {
            vec *c = (vec *)(s->c + r * s->c_row + v * LANES);
            if (s->add) sum[r][v] += *c;
            *c = sum[r][v];
        }
}

#define TILE(rows) \
    static void product_1_##rows(const cak_few_product *p) { product(rows, 1, p); }
PRODUCT_TILES_1
#undef TILE
#define TILE(rows) product_1_##rows,
static cak_few_product_tile *const products_1[] = { PRODUCT_TILES_1 };
#undef TILE
#define TILE(rows)                                                                  \
    static void product_2_##rows(const cak_few_product *p) { product(rows, 2, p); } \
    static void sum_1_##rows(const cak_few_sum *s) { sum(rows, 1, s); }             \
    static void sum_2_##rows(const cak_few_sum *s) { sum(rows, 2, s); }
TILES
#undef TILE
#define TILE(rows) product_2_##rows,
static cak_few_product_tile *const products_2[] = { TILES };
#undef TILE
#define TILE(rows) sum_1_##rows,
static cak_few_sum_tile *const sums_1[] = { TILES };
#undef TILE
#define TILE(rows) sum_2_##rows,
static cak_few_sum_tile *const sums_2[] = { TILES };
#undef TILE
_Static_assert(sizeof products_1 / sizeof *products_1 == PRODUCT_ROWS_1 && sizeof sums_2 / sizeof *sums_2 == SUM_ROWS,
               "one tile per number of rows");

extern const cak_few_isa FEW_TABLE;
const cak_few_isa FEW_TABLE = { .lanes = LANES,
                                .product_rows = { PRODUCT_ROWS_1, SUM_ROWS },
                                .sum_rows = SUM_ROWS,
                                .product = { products_1, products_2 },
                                .sum = { sums_1, sums_2 } };
