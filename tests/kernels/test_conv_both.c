/* conv2d and its adjoints against plain loops in long double, over shapes, instruction sets and thread counts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/rng.h"
#include "nodes/kernels/conv.h"
#include "nodes/kernels/conv_small.h"
#include "nodes/kernels/gemm.h"
#include "tests/support/kernel_test.h"

extern const cak_node cak_node_conv2d, cak_node_conv2d_dx, cak_node_conv2d_dw;

typedef struct problem {
    cak_conv_attr a;
    cak_view x, w, g;
} problem;

static const char *const isas[] = { "generic", "avx2", "avx512" };

static problem make(int64_t b, int64_t c, int64_t h, int64_t w, int64_t o, int64_t kh, int64_t kw, int64_t s, int64_t p,
                    int64_t d)
{
    problem q = { .a = { s, p, d } };
    q.x = random_view(CAK_SHAPE(b, c, h, w), 1);
    q.w = random_view(CAK_SHAPE(o, c, kh, kw), 2);
    q.g = random_view(CAK_SHAPE(b, o, (h + 2 * p - (kh - 1) * d - 1) / s + 1, (w + 2 * p - (kw - 1) * d - 1) / s + 1), 3);
    return q;
}

static int64_t pick(int seed, int k, int64_t lo, int64_t hi)
{
    return lo + (int64_t)cak_rng_below((uint64_t)seed, 9, 0, (uint64_t)k, (uint64_t)(hi - lo + 1));
}

/* A random problem whose kernel fits the padded input. */
static problem make_random(int seed)
{
    static const int64_t kernels[] = { 1, 2, 3, 4, 5 };
    int64_t s = pick(seed, 0, 1, 3), p = pick(seed, 1, 0, 3), d = pick(seed, 2, 1, 3);
    int64_t kh = kernels[pick(seed, 3, 0, 4)], kw = kernels[pick(seed, 4, 0, 4)];
    int64_t h = pick(seed, 5, 1, 19), w = pick(seed, 6, 1, seed % 3 ? 21 : 75);
    if (h + 2 * p < (kh - 1) * d + 1) h = (kh - 1) * d + 1;
    if (w + 2 * p < (kw - 1) * d + 1) w = (kw - 1) * d + 1;
    return make(pick(seed, 7, 1, 3), pick(seed, 8, 1, seed % 5 ? 5 : 20), h, w, pick(seed, 9, 1, seed % 4 ? 5 : 27), kh, kw, s, p,
                d);
}

typedef struct answer { /* results of the plain loops and the sums of the absolute values of their terms */
    long double *y, *dx, *dw, *ys, *dxs, *dws;
} answer;

static long double *zeros(cak_view v) { return calloc((size_t)cak_shape_size(&v.shape), sizeof(long double)); }

static void add_term(const problem *q, const answer *r, int64_t xi, int64_t wi, int64_t gi)
{
    long double x = q->x.data[xi], w = q->w.data[wi], g = q->g.data[gi];
    r->y[gi] += x * w, r->ys[gi] += fabsl(x * w);
    r->dx[xi] += g * w, r->dxs[xi] += fabsl(g * w);
    r->dw[wi] += g * x, r->dws[wi] += fabsl(g * x);
}

static answer solve(const problem *q)
{
    answer r = { zeros(q->g), zeros(q->x), zeros(q->w), zeros(q->g), zeros(q->x), zeros(q->w) };
    const int64_t *xd = q->x.shape.dim, *wd = q->w.shape.dim, *gd = q->g.shape.dim;
    for (int64_t wi = 0; wi < cak_shape_size(&q->w.shape); wi++)
        for (int64_t b = 0; b < xd[0]; b++)
            for (int64_t i = 0; i < gd[2]; i++)
                for (int64_t j = 0; j < gd[3]; j++) {
                    int64_t o = wi / (wd[1] * wd[2] * wd[3]), c = wi / (wd[2] * wd[3]) % wd[1];
                    int64_t y = i * q->a.stride + wi / wd[3] % wd[2] * q->a.dilation - q->a.pad;
                    int64_t x = j * q->a.stride + wi % wd[3] * q->a.dilation - q->a.pad;
                    if (y < 0 || y >= xd[2] || x < 0 || x >= xd[3]) continue;
                    add_term(q, &r, ((b * xd[1] + c) * xd[2] + y) * xd[3] + x, wi, ((b * wd[0] + o) * gd[2] + i) * gd[3] + j);
                }
    return r;
}

static void forget(answer *r) { free(r->y), free(r->dx), free(r->dw), free(r->ys), free(r->dxs), free(r->dws); }

typedef struct result {
    cak_view y, dx, dw;
} result;

static result run(const problem *q)
{
    struct {
        cak_conv_attr a;
        cak_shape like;
    } a = { .a = q->a };
    result r = { empty_view(q->g.shape), empty_view(q->x.shape), empty_view(q->w.shape) };
    run_kernel(&cak_node_conv2d, &a, (cak_view[]){ q->x, q->w }, 2, r.y);
    run_kernel(&cak_node_conv2d_dx, &a, (cak_view[]){ q->g, q->w }, 2, r.dx);
    run_kernel(&cak_node_conv2d_dw, &a, (cak_view[]){ q->x, q->g }, 2, r.dw);
    return r;
}

static bool same(result a, result b) { return same_bits(a.y, b.y) && same_bits(a.dx, b.dx) && same_bits(a.dw, b.dw); }

static void check(const problem *q, const answer *want, const char *what)
{
    const double tol = sizeof(real) == 4 ? 3e-6 : 4e-15;
    result r = run(q);
    double y = worst_error(r.y.data, want->y, want->ys, cak_shape_size(&r.y.shape));
    double dx = worst_error(r.dx.data, want->dx, want->dxs, cak_shape_size(&r.dx.shape));
    double dw = worst_error(r.dw.data, want->dw, want->dws, cak_shape_size(&r.dw.shape));
    ck_assert_msg(y <= tol && dx <= tol && dw <= tol, "%s: conv2d %.2e, dx %.2e, dw %.2e", what, y, dx, dw);
}

static void check_everywhere(const problem *q, const char *what)
{
    answer want = solve(q);
    for (int i = 0; i < 3; i++)
        if (cak_isa_set(isas[i])) check(q, &want, what);
    forget(&want);
}

START_TEST(test_random_shapes)
{
    for (int seed = 0; seed < 150; seed++) {
        problem q = make_random(seed);
        char what[200];
        const int64_t *x = q.x.shape.dim, *w = q.w.shape.dim;
        snprintf(what, sizeof what, "x [%d,%d,%d,%d], w [%d,.,%d,%d], stride %d, pad %d, dilation %d", (int)x[0], (int)x[1],
                 (int)x[2], (int)x[3], (int)w[0], (int)w[2], (int)w[3], (int)q.a.stride, (int)q.a.pad, (int)q.a.dilation);
        check_everywhere(&q, what);
        release_views();
    }
}
END_TEST

START_TEST(test_layers_of_the_critic)
{
    problem q[] = { make(3, 1, 33, 41, 32, 4, 4, 2, 1, 1), make(2, 32, 16, 21, 64, 4, 4, 2, 1, 1),
                    make(2, 64, 9, 10, 128, 4, 4, 2, 1, 1), make(2, 1, 40, 50, 1, 3, 3, 1, 1, 1) };
    const char *names[] = { "conv1", "conv2", "conv3", "detector" };
    for (int i = 0; i < 4; i++) check_everywhere(&q[i], names[i]);
    release_views();
}
END_TEST

/* More than one strip, chunk and block of every loop. */
START_TEST(test_many_chunks)
{
    problem q = make(3, 2, 90, 70, 3, 3, 3, 1, 1, 1), deep = make(1, 90, 5, 5, 3, 3, 3, 1, 1, 1);
    check_everywhere(&q, "large image");
    check_everywhere(&deep, "many channels");
    release_views();
}
END_TEST

static bool is_small(const problem *q) { return cak_small_takes(&q->a, &q->x.shape, &q->w.shape, &q->g.shape); }

/* Between few channels: several tiles on either axis, columns left over, kernels of several blocks, padding beyond the kernel, images
** smaller than it, rows fewer than the dilation. */
START_TEST(test_few_channels)
{
    problem q[] = {
        make(2, 1, 65, 64, 1, 3, 3, 1, 1, 1), make(1, 1, 19, 1601, 1, 3, 3, 1, 1, 1), make(1, 2, 9, 3079, 1, 1, 3, 1, 2, 1),
        make(2, 4, 70, 61, 4, 3, 3, 1, 1, 1), make(1, 1, 300, 20, 1, 5, 5, 1, 2, 1),  make(1, 1, 900, 2, 1, 3, 3, 1, 1, 1),
        make(2, 4, 6, 33, 4, 3, 3, 1, 9, 1),  make(1, 1, 40, 40, 1, 3, 3, 1, 9, 9),   make(2, 3, 33, 31, 2, 4, 7, 1, 3, 2),
        make(1, 1, 2, 2, 1, 3, 3, 1, 1, 1),   make(3, 3, 1, 1, 2, 1, 1, 1, 0, 1),     make(1, 1, 31, 35, 3, 11, 2, 1, 5, 1),
        make(1, 2, 3, 40, 2, 2, 3, 1, 5, 6),  make(4, 1, 17, 16, 4, 3, 3, 1, 0, 1),   make(1, 2, 30, 15, 2, 3, 3, 1, 40, 1)
    };
    for (size_t i = 0; i < sizeof q / sizeof *q; i++) {
        char what[40];
        snprintf(what, sizeof what, "few channels, problem %d", (int)i);
        ck_assert_msg(is_small(&q[i]), "%s takes another way", what);
        check_everywhere(&q[i], what);
    }
    release_views();
}
END_TEST

/* What does not fit a tile or has another stride goes the way of many channels. */
START_TEST(test_not_small)
{
    problem q[] = { make(1, 1, 4, 4, 1, 3, 3, 1, 20, 20),    make(1, 1, 20, 30, 1, 3, 3, 2, 1, 1),
                    make(1, 1, 9, 1500, 1, 3, 3, 1, 10, 10), make(1, 1, 5, 4, 1, 1, 7, 1, 3, 1),
                    make(1, 5, 9, 9, 1, 3, 3, 1, 1, 1),      make(1, 1, 9, 9, 5, 3, 3, 1, 1, 1) };
    for (size_t i = 0; i < sizeof q / sizeof *q; i++) {
        ck_assert_msg(!is_small(&q[i]), "problem %d", (int)i);
        check_everywhere(&q[i], "not small");
    }
    release_views();
}
END_TEST

/* A pixel that is not finite changes the outputs that it belongs to, and no others. */
START_TEST(test_infinite_pixel)
{
    enum { H = 70, W = 61, ROW = 64, COLUMN = 60 };
    problem q = make(2, 1, H, W, 1, 3, 3, 1, 1, 1);
    result before = run(&q);
    q.x.data[ROW * W + COLUMN] = q.g.data[ROW * W + COLUMN] = (real)INFINITY;
    result after = run(&q);
    for (int64_t i = 0; i < 2 * H * W; i++) {
        bool near = i < H * W && llabs(i / W - ROW) <= 1 && llabs(i % W - COLUMN) <= 1;
        ck_assert_int_eq(isfinite(after.y.data[i]), !near);
        ck_assert_int_eq(isfinite(after.dx.data[i]), !near);
        if (near) continue;
        ck_assert(!memcmp(&after.y.data[i], &before.y.data[i], sizeof(real)));
        ck_assert(!memcmp(&after.dx.data[i], &before.dx.data[i], sizeof(real)));
    }
    release_views();
}
END_TEST

START_TEST(test_same_bits)
{
    int threads = cak_threads();
    problem q[] = { make(3, 5, 70, 61, 13, 4, 4, 2, 1, 1), make(2, 3, 50, 37, 7, 3, 3, 1, 1, 2), make_random(5), make_random(9),
                    make(3, 1, 170, 61, 1, 3, 3, 1, 1, 1), make(2, 2, 90, 75, 3, 5, 5, 1, 2, 2) };
    for (int i = 0; i < 6; i++) {
        result first[3];
        for (int k = 0; k < 3; k++) {
            if (!cak_isa_set(isas[k])) continue;
            first[k] = run(&q[i]);
            for (int t = 1; t <= 3; t++) {
                cak_threads_set(t);
                ck_assert_msg(same(first[k], run(&q[i])), "%s, problem %d, %d threads", isas[k], i, t);
            }
            cak_threads_set(threads);
        }
        if (cak_isa_set("avx512")) ck_assert_msg(same(first[1], first[2]), "avx2 and avx512 differ, problem %d", i);
    }
    release_views();
}
END_TEST

/* A sample alone gives the bits it gives in a batch; the weight gradient of a batch is the sum in double of those of its samples. */
static void check_samples(problem q)
{
    result all = run(&q);
    int64_t batch = q.x.shape.dim[0], nx = cak_shape_size(&q.x.shape) / batch, ng = cak_shape_size(&q.g.shape) / batch;
    int64_t nw = cak_shape_size(&q.w.shape);
    double sum[1000] = { 0 };
    ck_assert_int_lt(nw, 1000);
    for (int b = 0; b < batch; b++) {
        problem one = q;
        one.x.data += b * nx, one.g.data += b * ng;
        one.x.shape.dim[0] = one.g.shape.dim[0] = 1;
        result r = run(&one);
        ck_assert(!memcmp(r.y.data, all.y.data + b * ng, (size_t)ng * sizeof(real)));
        ck_assert(!memcmp(r.dx.data, all.dx.data + b * nx, (size_t)nx * sizeof(real)));
        for (int64_t i = 0; i < nw; i++) sum[i] += (double)r.dw.data[i];
    }
    for (int64_t i = 0; i < nw; i++) ck_assert((real)sum[i] == all.dw.data[i]);
}

START_TEST(test_one_sample_at_a_time)
{
    check_samples(make(3, 2, 150, 141, 5, 4, 4, 2, 1, 1)); /* several chunks of rows */
    check_samples(make(5, 2, 150, 141, 2, 3, 3, 1, 1, 1)); /* several bands */
    release_views();
}
END_TEST

START_TEST(test_adjoint_identities)
{
    for (int seed = 200; seed < 230; seed++) {
        problem q = make_random(seed);
        result r = run(&q);
        double t = inner_product(r.y, q.g), scale = sqrt(inner_product(r.y, r.y) * inner_product(q.g, q.g)) + 1e-30;
        double tol = sizeof(real) == 4 ? 1e-5 : 1e-13;
        ck_assert_msg(fabs(t - inner_product(r.dx, q.x)) <= tol * scale, "conv2d_dx, seed %d", seed);
        ck_assert_msg(fabs(t - inner_product(r.dw, q.w)) <= tol * scale, "conv2d_dw, seed %d", seed);
        release_views();
    }
}
END_TEST

START_TEST(test_isa_choice)
{
    ck_assert(!cak_isa_set("no such instruction set"));
    ck_assert(cak_isa_set("generic"));
    ck_assert_str_eq(cak_isa_get()->name, "generic");
    for (int i = 0; i < 3; i++)
        if (cak_isa_set(isas[i])) {
            ck_assert_int_eq(CAK_GEMM_STEP % cak_isa_get()->nr, 0);
            ck_assert_str_eq(cak_isa_get()->name, isas[i]);
        }
}
END_TEST

SUITE(conv, test_random_shapes, test_layers_of_the_critic, test_many_chunks, test_few_channels, test_not_small,
      test_infinite_pixel, test_same_bits, test_one_sample_at_a_time, test_adjoint_identities, test_isa_choice)
