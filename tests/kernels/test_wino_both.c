/* Winograd convolution forward and backward against plain loops, over sizes, instruction sets and thread counts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/kernels/gemm.h"
#include "nodes/kernels/wino.h"
#include "tests/support/kernel_test.h"

static const char *const isas[] = { "generic", "avx2", "avx512" };

enum { GUARD = 16 }; /* numbers behind each result and scratch that must stay */

typedef struct problem {
    cak_wino g;
    cak_view x, w, gy; /* x and gy are blocked */
} problem;

static problem make(int64_t batch, int64_t c, int64_t o, int64_t height, int64_t width)
{
    int64_t h = (height - 2) / 2 + 1, w = (width - 2) / 2 + 1;
    return (problem){ .g = { batch, c, height, width, o, h, w },
                      .x = random_view(CAK_SHAPE(batch, c / 16, height, width, 16), 1),
                      .w = random_view(CAK_SHAPE(o, c, 4, 4), 2),
                      .gy = random_view(CAK_SHAPE(batch, o / 16, h, w, 16), 3) };
}

static real *guarded(int64_t n)
{
    real *p = empty_view(CAK_SHAPE(n + GUARD)).data;
    for (int64_t i = 0; i < n + GUARD; i++) p[i] = (real)NAN;
    return p;
}

static void check_guard(const real *p, int64_t n)
{
    for (int i = 0; i < GUARD; i++) ck_assert_msg(isnan(p[n + i]), "written beyond the end");
}

/* y and gx of a problem; also what is forbidden to write. */
static cak_view forward(const problem *q)
{
    const cak_wino *g = &q->g;
    int64_t filters = cak_wino_filter_reals(g->c, g->o), scratch = (int64_t)(cak_wino_forward_scratch(g) / sizeof(real));
    cak_view y = { .shape = q->gy.shape, .data = guarded(cak_shape_size(&q->gy.shape)) };
    real *u = guarded(filters), *s = guarded(scratch);
    cak_wino_filter(g->c, g->o, q->w.data, u);
    cak_wino_forward(g, q->x.data, u, y.data, s);
    check_guard(u, filters), check_guard(s, scratch), check_guard(y.data, cak_shape_size(&y.shape));
    return y;
}

static cak_view backward(const problem *q)
{
    const cak_wino *g = &q->g;
    int64_t filters = cak_wino_filter_reals(g->c, g->o), scratch = (int64_t)(cak_wino_dx_scratch(g) / sizeof(real));
    cak_view gx = { .shape = q->x.shape, .data = guarded(cak_shape_size(&q->x.shape)) };
    real *u = guarded(filters), *s = guarded(scratch);
    cak_wino_filter_dx(g->c, g->o, q->w.data, u);
    cak_wino_dx(g, q->gy.data, u, gx.data, s);
    check_guard(u, filters), check_guard(s, scratch), check_guard(gx.data, cak_shape_size(&gx.shape));
    return gx;
}

static int64_t at(const cak_view *v, int64_t b, int64_t channel, int64_t row, int64_t column)
{
    const int64_t *n = v->shape.dim;
    return (((b * n[1] + channel / 16) * n[2] + row) * n[3] + column) * 16 + channel % 16;
}

typedef struct answer {
    long double *y, *gx;
} answer;

static void add_terms(const problem *q, answer r, int64_t b, int64_t o, int64_t i, int64_t j)
{
    int64_t to = at(&q->gy, b, o, i, j);
    for (int64_t c = 0; c < q->g.c; c++)
        for (int64_t tap = 0; tap < 16; tap++) {
            int64_t row = 2 * i - 1 + tap / 4, column = 2 * j - 1 + tap % 4;
            if (row < 0 || column < 0 || row >= q->g.height || column >= q->g.width) continue;
            int64_t from = at(&q->x, b, c, row, column);
            long double w = q->w.data[(o * q->g.c + c) * 16 + tap];
            r.y[to] += w * q->x.data[from];
            r.gx[from] += w * q->gy.data[to];
        }
}

static answer solve(const problem *q)
{
    answer r = { calloc((size_t)cak_shape_size(&q->gy.shape), sizeof *r.y),
                 calloc((size_t)cak_shape_size(&q->x.shape), sizeof *r.gx) };
    for (int64_t b = 0; b < q->g.batch; b++)
        for (int64_t o = 0; o < q->g.o; o++)
            for (int64_t i = 0; i < q->g.h; i++)
                for (int64_t j = 0; j < q->g.w; j++) add_terms(q, r, b, o, i, j);
    return r;
}

static double relative_error(cak_view got, const long double *want) /* in the Euclidean norm */
{
    long double error = 0, scale = 0;
    for (int64_t i = 0; i < cak_shape_size(&got.shape); i++) {
        error += (got.data[i] - want[i]) * (got.data[i] - want[i]);
        scale += want[i] * want[i];
    }
    return (double)sqrtl(error / scale);
}

static void check(const problem *q)
{
    const double tol = sizeof(real) == 4 ? 1e-6 : 2e-15;
    answer want = solve(q);
    for (int i = 0; i < 3; i++) {
        if (!cak_isa_set(isas[i])) continue;
        double y = relative_error(forward(q), want.y), gx = relative_error(backward(q), want.gx);
        ck_assert_msg(y <= tol && gx <= tol, "%s, %dx%dx%dx%d to %d channels: forward %.2e, dx %.2e", isas[i], (int)q->g.batch,
                      (int)q->g.c, (int)q->g.height, (int)q->g.width, (int)q->g.o, y, gx);
    }
    free(want.y), free(want.gx);
}

START_TEST(test_sizes)
{
    static const int64_t sizes[][2] = { { 2, 2 }, { 2, 3 },   { 3, 2 },   { 4, 5 },   { 5, 4 },   { 6, 7 },   { 7, 6 },
                                        { 8, 8 }, { 11, 13 }, { 12, 12 }, { 13, 18 }, { 14, 23 }, { 25, 19 }, { 2, 40 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        problem q = make(1 + (int64_t)i % 3, 16, 32, sizes[i][0], sizes[i][1]);
        check(&q);
        release_views();
    }
}
END_TEST

START_TEST(test_channels)
{
    static const int64_t channels[] = { 16, 32, 48, 64, 128 };
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 5; k++) {
            problem q = make(1, channels[i], channels[k], 9, 8);
            check(&q);
            release_views();
        }
}
END_TEST

/* Several blocks of tiles, with interior tiles, a block that is not full, tiles of several samples in one block and several blocks in one
** row of tiles. */
START_TEST(test_many_tiles)
{
    problem wide = make(2, 16, 16, 50, 95), deep = make(5, 64, 48, 16, 16), low = make(2, 16, 16, 4, 390);
    check(&wide);
    check(&deep);
    check(&low);
    release_views();
}
END_TEST

START_TEST(test_same_bits)
{
    int threads = cak_threads();
    problem q[] = { make(2, 32, 48, 61, 70), make(7, 16, 32, 16, 17) };
    for (int i = 0; i < 2; i++) {
        cak_view y[3], gx[3];
        for (int k = 0; k < 3; k++) {
            if (!cak_isa_set(isas[k])) continue;
            y[k] = forward(&q[i]), gx[k] = backward(&q[i]);
            for (int t = 1; t <= 3; t++) {
                cak_threads_set(t);
                ck_assert_msg(same_bits(y[k], forward(&q[i])), "%s, problem %d, %d threads: forward", isas[k], i, t);
                ck_assert_msg(same_bits(gx[k], backward(&q[i])), "%s, problem %d, %d threads: dx", isas[k], i, t);
            }
            cak_threads_set(threads);
        }
        if (cak_isa_set("avx512")) ck_assert_msg(same_bits(y[1], y[2]) && same_bits(gx[1], gx[2]), "avx2 and avx512 differ");
    }
    release_views();
}
END_TEST

/* A sample alone gives the bits it gives in a batch. */
START_TEST(test_one_sample_at_a_time)
{
    problem q = make(3, 32, 16, 20, 33);
    cak_view y = forward(&q), gx = backward(&q);
    int64_t nx = cak_shape_size(&q.x.shape) / 3, ny = cak_shape_size(&q.gy.shape) / 3;
    for (int b = 0; b < 3; b++) {
        problem one = q;
        one.g.batch = one.x.shape.dim[0] = one.gy.shape.dim[0] = 1;
        one.x.data += b * nx, one.gy.data += b * ny;
        ck_assert(!memcmp(forward(&one).data, y.data + b * ny, (size_t)ny * sizeof(real)));
        ck_assert(!memcmp(backward(&one).data, gx.data + b * nx, (size_t)nx * sizeof(real)));
    }
    release_views();
}
END_TEST

SUITE(wino, test_sizes, test_channels, test_many_tiles, test_same_bits, test_one_sample_at_a_time)
