/* conv2d and conv2d_dx: strips of output columns, gathered into panels, times the packed weights. */
#include "nodes/kernels/conv.h"

#include <string.h>

#include "nodes/kernels/conv_taps.h"
#include "nodes/kernels/gemm.h"

int cak_runs(int64_t from, int64_t n, int64_t rows, int64_t width, int64_t nr, cak_run *run)
{
    int64_t sample = from / (rows * width), row = from / width % rows, column = from % width;
    int k = 0;
    for (int64_t at = 0; at < n; at += run[k++].n) {
        int64_t room = cak_min64(width - column, n - at);
        if (nr) room = cak_min64(room, nr - at % nr);
        run[k] = (cak_run){ sample, row, column, room, at };
        column += room;
        if (column < width) continue;
        column = 0;
        if (++row < rows) continue;
        row = 0;
        sample++;
    }
    return k;
}

cak_taps cak_forward_taps(const cak_conv_attr *a, int64_t in, int64_t kernel, int64_t out)
{
    return (cak_taps){ .in = in,
                       .out = out,
                       .n = out,
                       .every = 1,
                       .taps = kernel,
                       .k_every = 1,
                       .step = a->stride,
                       .at = -a->pad,
                       .at_every = a->dilation };
}

/* Phase `first` of the input gradient: taps k with k * dilation = first + pad (mod stride). */
static cak_taps phase_taps(const cak_conv_attr *a, int64_t in, int64_t kernel, int64_t out, int64_t first)
{
    int64_t s = a->stride, d = a->dilation, k = 0, every = 1;
    while (every * d % s) every++;
    while (k < every && (first + a->pad - k * d) % s) k++;
    return (cak_taps){ .in = in,
                       .out = out,
                       .n = (out - first + s - 1) / s,
                       .first = first,
                       .every = s,
                       .taps = k < every && k < kernel ? (kernel - k + every - 1) / every : 0,
                       .k_first = k,
                       .k_every = every,
                       .step = 1,
                       .at = (first + a->pad - k * d) / s,
                       .at_every = -(every * d / s) };
}

typedef struct loop { /* y[b, m, out] = sum over channels and taps of w[m, channel, tap] * x[b, channel, in] */
    cak_taps v, h;
    int64_t batch, channels, rows;
    const real *x, *w;
    real *y;
    int64_t w_row, w_channel, w_line; /* strides of w */
    const cak_isa *isa;
    real *packed; /* w: blocks of CAK_GEMM_K, each in tiles */
    real *strips; /* per thread: packed x, then y */
    int64_t strip;
} loop;

static int64_t depth(const loop *l) { return l->channels * l->v.taps * l->h.taps; }
static int64_t columns(const loop *l) { return l->batch * l->v.n * l->h.n; }

static size_t loop_scratch(int64_t rows, int64_t k)
{
    int64_t reals = cak_round_up(rows * k, CAK_GEMM_STEP) + CAK_GEMM_N * (CAK_GEMM_K + rows) * cak_threads();
    return (size_t)reals * sizeof(real);
}

typedef struct place { /* position k of the sum: channel, vertical tap, horizontal tap */
    int64_t channel, v, h;
} place;

static place place_of(const loop *l, int64_t k)
{
    return (place){ k / (l->v.taps * l->h.taps), k / l->h.taps % l->v.taps, k % l->h.taps };
}

static void next_place(const loop *l, place *p)
{
    if (++p->h < l->h.taps) return;
    p->h = 0;
    if (++p->v < l->v.taps) return;
    p->v = 0;
    p->channel++;
}

static void pack_weights(const loop *l)
{
    int64_t tiles = cak_gemm_tiles(l->isa, l->rows), all = depth(l);
    CAK_PARALLEL_FOR (t, tiles, l->rows * all) {
        int64_t row = cak_gemm_tile_row(l->rows, tiles, t), rows = cak_gemm_tile_row(l->rows, tiles, t + 1) - row;
        place p = { 0 };
        for (int64_t k = 0; k < all; k++, next_place(l, &p)) {
            int64_t block = k / CAK_GEMM_K * CAK_GEMM_K, size = cak_min64(CAK_GEMM_K, all - block);
            real *to = l->packed + l->rows * block + row * size + (k - block) * rows;
            const real *from = l->w + row * l->w_row + p.channel * l->w_channel +
                               (l->v.k_first + p.v * l->v.k_every) * l->w_line + l->h.k_first + p.h * l->h.k_every;
            for (int64_t i = 0; i < rows; i++) to[i] = from[i * l->w_row];
        }
    }
}

/* n values of a row of x from position `at` in steps; outside of the row there are zeros. */
static void pick_padded(const loop *l, real *to, const real *row, int64_t at, int64_t n)
{
    int64_t step = l->h.step, lo = 0, hi = n;
    while (lo < n && at + lo * step < 0) to[lo++] = 0;
    while (hi > lo && at + (hi - 1) * step >= l->h.in) to[--hi] = 0;
    if (hi > lo) l->isa->pick(to + lo, row + at + lo * step, hi - lo, step);
}

/* Panels of the strip for positions k0 .. k0 + k - 1 of the sum. */
static void pack_strip(const loop *l, const cak_run *run, int runs, int64_t n, int64_t k0, int64_t k, real *b)
{
    int64_t nr = l->isa->nr;
    if (k == 0) return; /* a phase that no tap reaches: the sum is empty */
    if (n % nr) memset(b + n / nr * nr * k, 0, (size_t)(nr * k) * sizeof *b);
    place p = place_of(l, k0);
    for (int64_t i = 0; i < k; i++, b += nr, next_place(l, &p)) /* one channel at a time: long reads from few pages */
        for (int r = 0; r < runs; r++) {
            real *to = b + run[r].at / nr * nr * k + run[r].at % nr;
            int64_t y = l->v.step * run[r].row + l->v.at + p.v * l->v.at_every;
            int64_t x = l->h.step * run[r].column + l->h.at + p.h * l->h.at_every;
            int64_t row = ((run[r].sample * l->channels + p.channel) * l->v.in + y) * l->h.in;
            if (y < 0 || y >= l->v.in) memset(to, 0, (size_t)run[r].n * sizeof *to);
            else pick_padded(l, to, l->x + row, x, run[r].n);
        }
}

static void unpack_strip(const loop *l, const cak_run *run, int runs, const real *c)
{
    for (int64_t m = 0; m < l->rows; m++, c += l->strip)
        for (int r = 0; r < runs; r++) {
            int64_t row = l->v.first + run[r].row * l->v.every, column = l->h.first + run[r].column * l->h.every;
            real *to = l->y + ((run[r].sample * l->rows + m) * l->v.out + row) * l->h.out + column;
            const real *from = c + run[r].at;
            if (l->h.every == 1) memcpy(to, from, (size_t)run[r].n * sizeof *to);
            else
                for (int64_t i = 0; i < run[r].n; i++) to[i * l->h.every] = from[i];
        }
}

static void run_strip(const loop *l, int64_t s)
{
    cak_run run[CAK_GEMM_N];
    real *b = l->strips + CAK_GEMM_N * (CAK_GEMM_K + l->rows) * cak_thread(), *c = b + CAK_GEMM_N * CAK_GEMM_K;
    int64_t from = s * l->strip, n = cak_min64(l->strip, columns(l) - from), all = depth(l);
    int runs = cak_runs(from, n, l->v.n, l->h.n, l->isa->nr, run);
    for (int64_t k0 = 0; k0 < cak_max64(1, all); k0 += CAK_GEMM_K) {
        int64_t k = cak_min64(CAK_GEMM_K, all - k0);
        pack_strip(l, run, runs, n, k0, k, b);
        cak_gemm_panels(l->isa, l->rows, cak_round_up(n, l->isa->nr), k, l->packed + l->rows * k0, b, c, l->strip, k0 > 0);
    }
    unpack_strip(l, run, runs, c);
}

static void run_loop(loop *l, void *scratch)
{
    int64_t n = columns(l), k = depth(l);
    l->isa = cak_isa_get();
    l->strip = cak_gemm_strip(n);
    l->packed = scratch;
    l->strips = l->packed + cak_round_up(l->rows * k, CAK_GEMM_STEP);
    pack_weights(l);
    CAK_PARALLEL_FOR (s, (n + l->strip - 1) / l->strip, n * l->rows * (k + 1)) run_strip(l, s);
}

size_t cak_conv_scratch(const cak_shape *x, const cak_shape *w, const cak_shape *y)
{
    (void)x, (void)y;
    return loop_scratch(w->dim[0], w->dim[1] * w->dim[2] * w->dim[3]);
}

void cak_conv_forward(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                      const real *w, real *y, void *scratch)
{
    const int64_t *k = ws->dim;
    loop l = { .batch = xs->dim[0],
               .channels = k[1],
               .rows = k[0],
               .x = x,
               .w = w,
               .y = y,
               .w_row = k[1] * k[2] * k[3],
               .w_channel = k[2] * k[3],
               .w_line = k[3] };
    l.v = cak_forward_taps(a, xs->dim[2], k[2], ys->dim[2]);
    l.h = cak_forward_taps(a, xs->dim[3], k[3], ys->dim[3]);
    run_loop(&l, scratch);
}

size_t cak_conv_dx_scratch(const cak_shape *x, const cak_shape *w, const cak_shape *y)
{
    (void)x, (void)y;
    return loop_scratch(w->dim[1], w->dim[0] * w->dim[2] * w->dim[3]);
}

void cak_conv_dx(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *gy,
                 const real *w, real *gx, void *scratch)
{
    const int64_t *k = ws->dim;
    loop l = { .batch = xs->dim[0],
               .channels = k[0],
               .rows = k[1],
               .x = gy,
               .w = w,
               .y = gx,
               .w_row = k[2] * k[3],
               .w_channel = k[1] * k[2] * k[3],
               .w_line = k[3] };
    for (int64_t i = 0; i < cak_min64(a->stride, xs->dim[2]); i++)
        for (int64_t j = 0; j < cak_min64(a->stride, xs->dim[3]); j++) {
            l.v = phase_taps(a, ys->dim[2], k[2], xs->dim[2], i);
            l.h = phase_taps(a, ys->dim[3], k[3], xs->dim[3], j);
            run_loop(&l, scratch);
        }
}
