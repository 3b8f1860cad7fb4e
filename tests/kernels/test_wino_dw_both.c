/* Weight gradients of the Winograd convolution against plain loops in long double, over shapes, instruction sets and thread counts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/arena.h"
#include "graph/par.h"
#include "nodes/kernels/gemm.h"
#include "nodes/kernels/wino.h"
#include "tests/support/kernel_test.h"

enum { TAPS = 16, GUARD = 256 };

static const char *const isas[] = { "generic", "avx2", "avx512" };

typedef struct problem {
    cak_wino g;
    cak_view x, gy;
} problem;

static problem make(int64_t batch, int64_t c, int64_t height, int64_t width, int64_t o)
{
    problem q = { .g = { batch, c, height, width, o, (height - 2) / 2 + 1, (width - 2) / 2 + 1 } };
    q.x = random_view(CAK_SHAPE(batch, c / CAK_LANES, height, width, CAK_LANES), 1);
    q.gy = random_view(CAK_SHAPE(batch, o / CAK_LANES, q.g.h, q.g.w, CAK_LANES), 2);
    return q;
}

/* gw[o, c, tap] by the formula */
static long double term(const problem *q, int64_t o, int64_t c, int64_t tap)
{
    const cak_wino *g = &q->g;
    long double sum = 0;
    for (int64_t b = 0; b < g->batch; b++) {
        const real *x = q->x.data + (b * g->c + c / CAK_LANES * CAK_LANES) * g->height * g->width + c % CAK_LANES;
        const real *gy = q->gy.data + (b * g->o + o / CAK_LANES * CAK_LANES) * g->h * g->w + o % CAK_LANES;
        for (int64_t i = 0; i < g->h; i++)
            for (int64_t j = 0; j < g->w; j++) {
                int64_t row = 2 * i - 1 + tap / 4, column = 2 * j - 1 + tap % 4;
                if (row < 0 || row >= g->height || column < 0 || column >= g->width) continue;
                sum += (long double)x[(row * g->width + column) * CAK_LANES] * (long double)gy[(i * g->w + j) * CAK_LANES];
            }
    }
    return sum;
}

typedef struct result {
    cak_view m, gw;
} result;

static result run(const problem *q)
{
    const cak_wino *g = &q->g;
    result r = { empty_view(CAK_SHAPE(cak_wino_filter_reals(g->c, g->o))), empty_view(CAK_SHAPE(g->o, g->c, 4, 4)) };
    size_t bytes = cak_wino_dw_scratch(g);
    unsigned char *scratch = cak_slab_alloc(bytes + GUARD, "test");
    memset(scratch, 0xff, bytes + GUARD);
    cak_wino_dw(g, q->x.data, q->gy.data, r.m.data, scratch);
    for (size_t i = bytes; i < bytes + GUARD; i++) ck_assert_msg(scratch[i] == 0xff, "written past the scratch");
    cak_slab_free(scratch, bytes + GUARD);
    for (int64_t i = 0; i < cak_shape_size(&r.m.shape); i++) /* the places beyond O too: m is added up as a whole */
        ck_assert_msg(isfinite((double)r.m.data[i]), "m[%d]", (int)i);
    cak_wino_filter_dw(g->c, g->o, r.m.data, r.gw.data);
    return r;
}

/* The difference from the formula relative to its length, over every `every`-th weight. */
static double difference(const problem *q, const real *gw, int64_t every)
{
    double error = 0, size = 0;
    for (int64_t i = 0; i < q->g.o * q->g.c * TAPS; i += every) {
        double want = (double)term(q, i / TAPS / q->g.c, i / TAPS % q->g.c, i % TAPS), d = (double)gw[i] - want;
        error += d * d;
        size += want * want;
    }
    return size > 0 ? sqrt(error / size) : sqrt(error);
}

static void check_everywhere(const problem *q, int64_t every)
{
    const double tol = sizeof(real) == 4 ? 1e-6 : 2e-15;
    for (int i = 0; i < 3; i++) {
        if (!cak_isa_set(isas[i])) continue;
        double d = difference(q, run(q).gw.data, every);
        ck_assert_msg(d <= tol, "%s, x [%d,%d,%d,%d], %d outputs: %.2e", isas[i], (int)q->g.batch, (int)q->g.c, (int)q->g.height,
                      (int)q->g.width, (int)q->g.o, d);
    }
}

/* Every way in which tiles reach beyond an image, and images smaller than a tile. */
START_TEST(test_edges)
{
    for (int64_t height = 2; height < 16; height++)
        for (int64_t width = 2; width < 16; width += 1 + height % 2) {
            problem q = make(1 + (height + width) % 3, 16, height, width, 16);
            check_everywhere(&q, FEWER == 1 ? 1 : 5);
            release_views();
        }
}
END_TEST

START_TEST(test_channels)
{
    static const int64_t c[] = { 16, 32, 48, 64 }, o[] = { 48, 64, 32, 128 };
    for (int i = 0; i < 4; i++) {
        problem q = make(2, c[i], 16, 21, o[i]);
        check_everywhere(&q, FEWER == 1 ? 7 : 29);
        release_views();
    }
}
END_TEST

/* Several strips and sections, a section of one strip; long sums lose no more than short ones. */
START_TEST(test_long_sums)
{
    problem whole = make(1, 16, 512 / FEWER, 646 / FEWER, 16), batch = make(20 / FEWER, 16, 64, 64, 32);
    problem more = make(1, 16, 384, 386, 16); /* 33 strips, the last one in a section of its own */
    check_everywhere(&more, 257 * FEWER);
    check_everywhere(&whole, 131 * FEWER);
    check_everywhere(&batch, 257 * FEWER);
    release_views();
}
END_TEST

START_TEST(test_same_bits)
{
    int threads = cak_threads();
    problem q[] = { make(3, 16, 70, 61, 48), make(1, 32, 9, 10, 64), make(40 / FEWER, 16, 65, 66, 16) };
    for (int i = 0; i < 3; i++) {
        result first[3];
        for (int k = 0; k < 3; k++) {
            if (!cak_isa_set(isas[k])) continue;
            first[k] = run(&q[i]);
            for (int t = 1; t <= 3; t++) {
                cak_threads_set(t);
                result r = run(&q[i]);
                ck_assert_msg(same_bits(first[k].m, r.m) && same_bits(first[k].gw, r.gw), "%s, problem %d, %d threads", isas[k],
                              i, t);
            }
            cak_threads_set(threads);
        }
        if (cak_isa_set("avx512")) ck_assert_msg(same_bits(first[1].m, first[2].m), "avx2 and avx512 differ, problem %d", i);
    }
    release_views();
}
END_TEST

/* cak_wino_filter_dw is linear, so that m may be added up before. */
START_TEST(test_parts_of_a_batch)
{
    problem q = make(4, 16, 20, 30, 16), half = q;
    result all = run(&q);
    half.g.batch = 2;
    result a = run(&half);
    half.x.data += 2 * q.g.c * q.g.height * q.g.width;
    half.gy.data += 2 * q.g.o * q.g.h * q.g.w;
    result b = run(&half);
    for (int64_t i = 0; i < cak_shape_size(&a.m.shape); i++) a.m.data[i] += b.m.data[i];
    cak_wino_filter_dw(q.g.c, q.g.o, a.m.data, a.gw.data);
    ck_assert_double_le(difference(&q, a.gw.data, 1), sizeof(real) == 4 ? 1e-6 : 2e-15);
    ck_assert_double_le(difference(&q, all.gw.data, 1), sizeof(real) == 4 ? 1e-6 : 2e-15);
    release_views();
}
END_TEST

SUITE(wino_dw, test_edges, test_channels, test_long_sums, test_same_bits, test_parts_of_a_batch)
