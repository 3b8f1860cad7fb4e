/* Choice of the instruction set, the loop over tiles and panels, and the plain matrix product. */
#include "nodes/kernels/gemm.h"

#include <stdlib.h>
#include <string.h>

extern const cak_isa cak_isa_generic, cak_isa_avx2, cak_isa_avx512;

static bool always(void) { return true; }
static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}

static const struct choice {
    const cak_isa *isa;
    bool (*have)(void);
} choices[] = { { &cak_isa_avx512, has_avx512 }, { &cak_isa_avx2, has_avx2 }, { &cak_isa_generic, always } };

static _Atomic(const cak_isa *) chosen;

/* The best one, or the best one of this name. */
static const cak_isa *find_isa(const char *name)
{
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (choices[i].have() && (!name || !strcmp(choices[i].isa->name, name))) return choices[i].isa;
    return NULL;
}

bool cak_isa_set(const char *name)
{
    const cak_isa *isa = find_isa(name);
    if (isa) chosen = isa;
    return isa != NULL;
}

const cak_isa *cak_isa_get(void)
{
    const cak_isa *isa = chosen;
    if (isa) return isa;
    const char *name = getenv("CAK_ISA");
    isa = name ? find_isa(name) : NULL;
    if (!isa) isa = find_isa(NULL);
    chosen = isa; /* several threads that come here first agree on the answer */
    return isa;
}

int64_t cak_gemm_strip(int64_t n)
{
    int64_t want = cak_round_up((n + CAK_GEMM_STRIPS - 1) / CAK_GEMM_STRIPS, CAK_GEMM_STEP);
    return cak_max64(2 * CAK_GEMM_STEP, cak_min64(CAK_GEMM_N, want));
}

void cak_gemm_panels(const cak_isa *isa, int64_t m, int64_t n, int64_t k, const real *a, const real *b, real *c, int64_t ldc,
                     bool add)
{
    int64_t tiles = cak_gemm_tiles(isa, m);
    for (int64_t j = 0; j < n; j += isa->nr)
        for (int64_t t = 0; t < tiles; t++) {
            int64_t row = cak_gemm_tile_row(m, tiles, t), rows = cak_gemm_tile_row(m, tiles, t + 1) - row;
            isa->tile[rows - 1](k, a + row * k, b + j * k, c + row * ldc + j, ldc, add);
        }
}

void cak_gemm_pack(const cak_isa *isa, int64_t m, int64_t k, cak_matrix a, real *packed)
{
    int64_t tiles = cak_gemm_tiles(isa, m);
    CAK_PARALLEL_FOR (t, tiles, m * k) {
        int64_t row = cak_gemm_tile_row(m, tiles, t), rows = cak_gemm_tile_row(m, tiles, t + 1) - row;
        for (int64_t k0 = 0; k0 < k; k0 += CAK_GEMM_K) {
            int64_t block = cak_min64(CAK_GEMM_K, k - k0);
            real *to = packed + m * k0 + row * block;
            for (int64_t l = 0; l < block; l++)
                for (int64_t i = 0; i < rows; i++) to[l * rows + i] = a.data[(row + i) * a.row + (k0 + l) * a.column];
        }
    }
}

/* ---- plain product: the longer side of y becomes the columns ---- */

typedef struct product {
    int64_t m, n, k;
    cak_matrix a, b;
    real *y;
    int64_t y_row, y_column;
    real *packed; /* a: blocks of CAK_GEMM_K, each in tiles */
} product;

static int64_t strip_reals(int64_t m, int64_t n) { return cak_gemm_strip(n) * (CAK_GEMM_K + m); }

size_t cak_gemm_scratch(int64_t m, int64_t n, int64_t k)
{
    int64_t rows = cak_min64(m, n), columns = cak_max64(m, n);
    int64_t reals = cak_round_up(rows * k, CAK_GEMM_STEP) + strip_reals(rows, columns) * cak_threads();
    return (size_t)reals * sizeof(real);
}

static void pack_b(const product *p, int64_t nr, int64_t from, int64_t n, int64_t k0, int64_t k, real *to)
{
    for (int64_t j = 0; j < cak_round_up(n, nr); j++)
        for (int64_t l = 0; l < k; l++)
            to[j / nr * nr * k + l * nr + j % nr] = j < n ? p->b.data[(k0 + l) * p->b.row + (from + j) * p->b.column] : 0;
}

static void product_strip(const product *p, const cak_isa *isa, int64_t from, int64_t n, real *b)
{
    int64_t wide = cak_gemm_strip(p->n);
    real *c = b + wide * CAK_GEMM_K;
    for (int64_t k0 = 0; k0 < cak_max64(1, p->k); k0 += CAK_GEMM_K) {
        int64_t k = cak_min64(CAK_GEMM_K, p->k - k0);
        pack_b(p, isa->nr, from, n, k0, k, b);
        cak_gemm_panels(isa, p->m, cak_round_up(n, isa->nr), k, p->packed + p->m * k0, b, c, wide, k0 > 0);
    }
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < n; j++) p->y[i * p->y_row + (from + j) * p->y_column] = c[i * wide + j];
}

void cak_gemm(int64_t m, int64_t n, int64_t k, cak_matrix a, cak_matrix b, real *y, void *scratch)
{
    product p = { m, n, k, a, b, y, n, 1, scratch };
    if (m > n) {
        cak_matrix at = { a.data, a.column, a.row }, bt = { b.data, b.column, b.row };
        p = (product){ n, m, k, bt, at, y, 1, n, scratch };
    }
    const cak_isa *isa = cak_isa_get();
    int64_t wide = cak_gemm_strip(p.n), each = strip_reals(p.m, p.n);
    real *strips = p.packed + cak_round_up(p.m * k, CAK_GEMM_STEP);
    cak_gemm_pack(isa, p.m, k, p.a, p.packed);
    CAK_PARALLEL_FOR (s, (p.n + wide - 1) / wide, p.m * p.n * k)
        product_strip(&p, isa, s * wide, cak_min64(wide, p.n - s * wide), strips + each * cak_thread());
}
