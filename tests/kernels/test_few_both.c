/* Convolutions of few channels against plain loops in long double, over shapes, instruction sets and thread counts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/arena.h"
#include "graph/rng.h"
#include "nodes/kernels/few.h"
#include "nodes/kernels/gemm.h"
#include "tests/support/kernel_test.h"

enum { LANES = 16 };

static const char *const isas[] = { "generic", "avx2", "avx512" };

typedef struct problem {
    cak_few g;
    cak_view x, w, gy; /* gy blocked */
} problem;

static cak_shape blocked(const cak_few *g) { return CAK_SHAPE(g->batch, g->o / LANES, g->h, g->w, LANES); }

static problem make(int64_t b, int64_t c, int64_t height, int64_t width, int64_t o, int64_t kh, int64_t kw, cak_conv_attr a)
{
    problem q = { .g = { .a = a, .batch = b, .c = c, .height = height, .width = width, .o = o, .kh = kh, .kw = kw } };
    q.g.h = (height + 2 * a.pad - (kh - 1) * a.dilation - 1) / a.stride + 1;
    q.g.w = (width + 2 * a.pad - (kw - 1) * a.dilation - 1) / a.stride + 1;
    q.x = random_view(CAK_SHAPE(b, c, height, width), 1);
    q.w = random_view(CAK_SHAPE(o, c, kh, kw), 2);
    q.gy = random_view(blocked(&q.g), 3);
    return q;
}

static int64_t pick(int seed, int k, int64_t lo, int64_t hi)
{
    return lo + (int64_t)cak_rng_below((uint64_t)seed, 9, 0, (uint64_t)k, (uint64_t)(hi - lo + 1));
}

/* A random problem whose kernel fits the padded input. */
static problem make_random(int seed)
{
    cak_conv_attr a = { pick(seed, 0, 1, 3), pick(seed, 1, 0, 4), pick(seed, 2, 1, 3) };
    int64_t kh = pick(seed, 3, 1, 5), kw = pick(seed, 4, 1, 5);
    int64_t height = pick(seed, 5, 1, seed % 4 ? 12 : 50), width = pick(seed, 6, 1, seed % 3 ? 21 : 75);
    height = cak_max64(height, (kh - 1) * a.dilation + 1 - 2 * a.pad);
    width = cak_max64(width, (kw - 1) * a.dilation + 1 - 2 * a.pad);
    return make(pick(seed, 7, 1, 3), pick(seed, 8, 1, CAK_FEW), height, width, LANES * pick(seed, 9, 1, 3), kh, kw, a);
}

typedef struct answer { /* results of the plain loops and the sums of the absolute values of their terms */
    long double *y, *dx, *dw, *ys, *dxs, *dws;
} answer;

static long double *zeros(cak_view v) { return calloc((size_t)cak_shape_size(&v.shape), sizeof(long double)); }

static void add_term(const problem *q, const answer *r, int64_t xi, int64_t wi, int64_t yi)
{
    long double x = q->x.data[xi], w = q->w.data[wi], gy = q->gy.data[yi];
    r->y[yi] += x * w, r->ys[yi] += fabsl(x * w);
    r->dx[xi] += gy * w, r->dxs[xi] += fabsl(gy * w);
    r->dw[wi] += gy * x, r->dws[wi] += fabsl(gy * x);
}

static int64_t blocked_at(const cak_few *g, int64_t b, int64_t o, int64_t i, int64_t j)
{
    return (((b * g->o / LANES + o / LANES) * g->h + i) * g->w + j) * LANES + o % LANES;
}

static answer solve(const problem *q)
{
    const cak_few *g = &q->g;
    answer r = { zeros(q->gy), zeros(q->x), zeros(q->w), zeros(q->gy), zeros(q->x), zeros(q->w) };
    for (int64_t wi = 0; wi < cak_shape_size(&q->w.shape); wi++)
        for (int64_t b = 0; b < g->batch; b++)
            for (int64_t i = 0; i < g->h; i++)
                for (int64_t j = 0; j < g->w; j++) {
                    int64_t o = wi / (g->c * g->kh * g->kw), c = wi / (g->kh * g->kw) % g->c;
                    int64_t y = i * g->a.stride + wi / g->kw % g->kh * g->a.dilation - g->a.pad;
                    int64_t x = j * g->a.stride + wi % g->kw * g->a.dilation - g->a.pad;
                    if (y < 0 || y >= g->height || x < 0 || x >= g->width) continue;
                    add_term(q, &r, ((b * g->c + c) * g->height + y) * g->width + x, wi, blocked_at(g, b, o, i, j));
                }
    return r;
}

static void forget(answer *r) { free(r->y), free(r->dx), free(r->dw), free(r->ys), free(r->dxs), free(r->dws); }

typedef struct result {
    cak_view y, dx, dw;
} result;

/* Scratch is poisoned before and guarded behind. */
enum { GUARD = 256 };

static unsigned char *scratch_open(size_t bytes)
{
    unsigned char *scratch = cak_slab_alloc(bytes + GUARD, "test");
    memset(scratch, 0xff, bytes + GUARD);
    return scratch;
}

static void scratch_close(unsigned char *scratch, size_t bytes)
{
    for (size_t i = bytes; i < bytes + GUARD; i++) ck_assert_msg(scratch[i] == 0xff, "written past the scratch");
    cak_slab_free(scratch, bytes + GUARD);
}

static result run(const problem *q)
{
    result r = { empty_view(q->gy.shape), empty_view(q->x.shape), empty_view(q->w.shape) };
    size_t y = cak_few_forward_scratch(&q->g), dx = cak_few_dx_scratch(&q->g), dw = cak_few_dw_scratch(&q->g);
    unsigned char *scratch = scratch_open(y);
    cak_few_forward(&q->g, q->x.data, q->w.data, r.y.data, scratch);
    scratch_close(scratch, y);
    scratch = scratch_open(dx);
    cak_few_dx(&q->g, q->gy.data, q->w.data, r.dx.data, scratch);
    scratch_close(scratch, dx);
    scratch = scratch_open(dw);
    cak_few_dw(&q->g, q->x.data, q->gy.data, r.dw.data, scratch);
    scratch_close(scratch, dw);
    return r;
}

static bool same(result a, result b) { return same_bits(a.y, b.y) && same_bits(a.dx, b.dx) && same_bits(a.dw, b.dw); }

static void check(const problem *q, const answer *want)
{
    const double tol = sizeof(real) == 4 ? 2e-6 : 4e-15;
    result r = run(q);
    double y = worst_error(r.y.data, want->y, want->ys, cak_shape_size(&r.y.shape));
    double dx = worst_error(r.dx.data, want->dx, want->dxs, cak_shape_size(&r.dx.shape));
    double dw = worst_error(r.dw.data, want->dw, want->dws, cak_shape_size(&r.dw.shape));
    const cak_few *g = &q->g;
    ck_assert_msg(y <= tol && dx <= tol && dw <= tol,
                  "%s, x [%d,%d,%d,%d], w [%d,.,%d,%d], stride %d, pad %d, dilation %d: forward %.2e, dx %.2e, dw %.2e",
                  cak_isa_get()->name, (int)g->batch, (int)g->c, (int)g->height, (int)g->width, (int)g->o, (int)g->kh, (int)g->kw,
                  (int)g->a.stride, (int)g->a.pad, (int)g->a.dilation, y, dx, dw);
}

static void check_everywhere(const problem *q)
{
    answer want = solve(q);
    for (int i = 0; i < 3; i++)
        if (cak_isa_set(isas[i])) check(q, &want);
    forget(&want);
}

START_TEST(test_random_shapes)
{
    for (int seed = 0; seed < 120; seed++) {
        problem q = make_random(seed);
        check_everywhere(&q);
        release_views();
    }
}
END_TEST

/* The first layer of the critic, with more than one strip, segment and tile of every loop. */
START_TEST(test_first_layer)
{
    const cak_conv_attr a = { 2, 1, 1 };
    problem q[] = { make(2, 1, 65, 41, 32, 4, 4, a), make(1, 1, 8, 1292, 32, 4, 4, a), make(1, 1, 150, 9, 32, 4, 4, a),
                    make(4, 1, 64, 64, 16, 4, 4, a), make(1, 2, 5, 600, 48, 3, 5, a) };
    for (int i = 0; i < 5; i++) check_everywhere(&q[i]);
    release_views();
}
END_TEST

/* Padding, stride and dilation beyond the kernel and the image. */
START_TEST(test_extremes)
{
    problem q[] = {
        make(1, 1, 1, 1, 16, 1, 1, (cak_conv_attr){ 1, 0, 1 }),    make(2, 2, 3, 2, 16, 2, 3, (cak_conv_attr){ 1, 9, 2 }),
        make(1, 1, 40, 40, 32, 3, 3, (cak_conv_attr){ 16, 2, 1 }), make(1, 3, 20, 30, 16, 3, 2, (cak_conv_attr){ 2, 1, 9 }),
        make(1, 4, 18, 19, 48, 7, 7, (cak_conv_attr){ 2, 3, 1 }),  make(1, 1, 4, 5, 16, 4, 4, (cak_conv_attr){ 2, 8, 1 })
    };
    for (int i = 0; i < 6; i++) check_everywhere(&q[i]);
    release_views();
}
END_TEST

START_TEST(test_same_bits)
{
    int threads = cak_threads();
    const cak_conv_attr a = { 2, 1, 1 };
    problem q[] = { make(3, 1, 130, 91, 32, 4, 4, a), make(2, 3, 90, 37, 48, 3, 3, (cak_conv_attr){ 1, 1, 2 }), make_random(4),
                    make_random(12) };
    for (int i = 0; i < 4; i++) {
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
START_TEST(test_one_sample_at_a_time)
{
    problem q = make(3, 1, 150, 141, 32, 4, 4, (cak_conv_attr){ 2, 1, 1 }); /* several strips */
    result all = run(&q);
    int64_t nx = cak_shape_size(&q.x.shape) / 3, ny = cak_shape_size(&q.gy.shape) / 3, nw = cak_shape_size(&q.w.shape);
    double sum[512] = { 0 };
    ck_assert_int_le(nw, 512);
    for (int b = 0; b < 3; b++) {
        problem one = q;
        one.x.data += b * nx, one.gy.data += b * ny;
        one.g.batch = one.x.shape.dim[0] = one.gy.shape.dim[0] = 1;
        result r = run(&one);
        ck_assert(!memcmp(r.y.data, all.y.data + b * ny, (size_t)ny * sizeof(real)));
        ck_assert(!memcmp(r.dx.data, all.dx.data + b * nx, (size_t)nx * sizeof(real)));
        for (int64_t i = 0; i < nw; i++) sum[i] += (double)r.dw.data[i];
    }
    for (int64_t i = 0; i < nw; i++) ck_assert((real)sum[i] == all.dw.data[i]);
    release_views();
}
END_TEST

SUITE(few, test_random_shapes, test_first_layer, test_extremes, test_same_bits, test_one_sample_at_a_time)
