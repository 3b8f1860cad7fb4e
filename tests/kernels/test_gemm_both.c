/* The matrix product against plain loops, over sizes, instruction sets and thread counts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "nodes/kernels/gemm.h"
#include "tests/support/kernel_test.h"

extern const cak_node cak_node_matmul;
static const char *const isas[] = { "generic", "avx2", "avx512" };
static const int64_t sizes[][3] = { { 1, 1, 1 },     { 16, 1, 128 },   { 128, 1, 16 }, { 1, 128, 16 }, { 7, 13, 5 },
                                    { 70, 33, 200 }, { 12, 600, 400 }, { 300, 20, 3 }, { 33, 65, 1 } };

static cak_view product(int size, bool tx, bool ty)
{
    const int64_t *n = sizes[size];
    struct {
        bool tx, ty;
    } a = { tx, ty };
    cak_view x = random_view(tx ? CAK_SHAPE(n[2], n[0]) : CAK_SHAPE(n[0], n[2]), 1);
    cak_view y = random_view(ty ? CAK_SHAPE(n[1], n[2]) : CAK_SHAPE(n[2], n[1]), 2);
    cak_view z = empty_view(CAK_SHAPE(n[0], n[1]));
    run_kernel(&cak_node_matmul, &a, (cak_view[]){ x, y }, 2, z);
    return z;
}

static double error_of(cak_view z, int size, bool tx, bool ty)
{
    int64_t m = sizes[size][0], n = sizes[size][1], k = sizes[size][2];
    cak_view x = random_view(CAK_SHAPE(m, k), 1), y = random_view(CAK_SHAPE(k, n), 2);
    long double *want = calloc((size_t)(m * n), sizeof *want), *scale = calloc((size_t)(m * n), sizeof *scale);
    for (int64_t i = 0; i < m * n; i++)
        for (int64_t l = 0; l < k; l++) {
            long double p = (long double)x.data[tx ? l * m + i / n : i / n * k + l] * y.data[ty ? i % n * k + l : l * n + i % n];
            want[i] += p, scale[i] += fabsl(p);
        }
    double worst = worst_error(z.data, want, scale, m * n);
    free(want), free(scale);
    return worst;
}

START_TEST(test_values)
{
    for (int i = 0; i < 3; i++)
        for (int s = 0; s < (int)(sizeof sizes / sizeof *sizes) && cak_isa_set(isas[i]); s++)
            for (int t = 0; t < 4; t++) {
                double e = error_of(product(s, t & 1, t & 2), s, t & 1, t & 2);
                ck_assert_msg(e <= (sizeof(real) == 4 ? 3e-6 : 4e-15), "%s, size %d, transposition %d: %.2e", isas[i], s, t, e);
            }
    release_views();
}
END_TEST

/* Every kernel for unpacked operands against one multiply-add after the other; what lies beyond m rows of nr columns stays as it was. */
enum { DEEP = 48, A_STEP = 19, B_STEP = 40, LDC = 33, A_BLOCK = 12 * CAK_GEMM_ROW + 5 };

static real chain(real sum, const real *a, int64_t a_k, const real *b, int64_t b_k, int64_t k)
{
    for (int64_t l = 0; l < k; l++) sum = CAK_MATH(fma)(b[l * b_k], a[l * a_k], sum);
    return sum;
}

/* Without full optimisation, as in builds with sanitizers, products and sums are not fused: then only nearly the same. */
static bool agrees(real got, real want)
{
    return FEWER == 1 ? got == want : CAK_MATH(fabs)(got - want) <= (real)1e-5 * (1 + CAK_MATH(fabs)(want));
}

static void check_columns(const cak_isa *isa, int m, bool add, const real *a, const real *b, real *c)
{
    for (int i = 0; i < m * LDC; i++) c[i] = (real)i;
    isa->tile_columns[m - 1](DEEP, a, A_STEP, b, B_STEP, c, LDC, add);
    for (int i = 0; i < m * LDC; i++) {
        real want = (real)i;
        if (i % LDC < isa->nr) want = chain(add ? want : 0, a + i / LDC, A_STEP, b + i % LDC, B_STEP, DEEP);
        ck_assert_msg(agrees(c[i], want), "%s: columns, %d rows, element %d", isa->name, m, i);
    }
}

static void check_rows(const cak_isa *isa, int m, bool add, const real *a, const real *b, real *c)
{
    for (int i = 0; i < (m + 1) * CAK_GEMM_STEP; i++) {
        int row = i / CAK_GEMM_STEP, column = i % CAK_GEMM_STEP;
        real want = (real)i;
        if (row < m && column < isa->nr) {
            if (!add) want = 0;
            for (int k = 0; k < DEEP; k += CAK_GEMM_ROW)
                want = chain(want, a + k / CAK_GEMM_ROW * A_BLOCK + row * CAK_GEMM_ROW, 1, b + k * CAK_GEMM_STEP + column,
                             CAK_GEMM_STEP, CAK_GEMM_ROW);
        }
        ck_assert_msg(agrees(c[i], want), "%s: rows, %d rows, element %d", isa->name, m, i);
    }
}

static void run_rows(const cak_isa *isa, int m, const real *a, const real *b, real *c)
{
    const real *ahead[DEEP / CAK_GEMM_ROW * CAK_GEMM_AHEAD] = { NULL }; /* a prefetch of any place is harmless */
    for (int add = 0; add < 2; add++) {
        for (int i = 0; i < (m + 1) * CAK_GEMM_STEP; i++) c[i] = (real)i;
        isa->tile_rows[m - 1](DEEP / CAK_GEMM_ROW, a, A_BLOCK, b, c, add);
        check_rows(isa, m, add, a, b, c);
    }
    for (int i = 0; i < (m + 1) * CAK_GEMM_STEP; i++) c[i] = (real)i;
    isa->tile_ahead[m - 1](DEEP / CAK_GEMM_ROW, a, A_BLOCK, b, c, ahead);
    check_rows(isa, m, false, a, b, c);
}

START_TEST(test_unpacked_operands)
{
    cak_view a = random_view(CAK_SHAPE(DEEP * A_BLOCK), 3), b = random_view(CAK_SHAPE(DEEP * B_STEP), 4);
    cak_view c = empty_view(CAK_SHAPE(13 * LDC));
    for (int i = 1; i < 3; i++) { /* the generic instruction set may have no fused multiply-add */
        if (!cak_isa_set(isas[i])) continue;
        const cak_isa *isa = cak_isa_get();
        ck_assert_int_eq(isa->index, i);
        for (int m = 1; m <= isa->mr; m++) {
            for (int add = 0; add < 2; add++) check_columns(isa, m, add, a.data, b.data, c.data);
            run_rows(isa, m, a.data, b.data, c.data);
        }
    }
    release_views();
}
END_TEST

START_TEST(test_same_bits)
{
    int threads = cak_threads();
    for (int s = 0; s < (int)(sizeof sizes / sizeof *sizes); s++) {
        cak_view first[3];
        for (int i = 0; i < 3; i++) {
            if (!cak_isa_set(isas[i])) continue;
            first[i] = product(s, false, false);
            for (int t = 1; t <= 3; t++) {
                cak_threads_set(t);
                ck_assert_msg(same_bits(first[i], product(s, false, false)), "%s, size %d, %d threads", isas[i], s, t);
            }
            cak_threads_set(threads);
        }
        if (cak_isa_set("avx512")) ck_assert(same_bits(first[1], first[2]));
    }
    release_views();
}
END_TEST

SUITE(gemm, test_values, test_unpacked_operands, test_same_bits)
