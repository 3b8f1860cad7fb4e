/* Loops over taps, for conv2d and for the phases of conv2d_dx: strips of output columns, gathered into panels, times the packed weights. */
#include "nodes/kernels/conv.h"

#include <string.h>

#include "nodes/kernels/conv_small.h"
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
    return (cak_taps){
        .in = in, .out = out, .n = out, .taps = kernel, .k_every = 1, .step = a->stride, .at = -a->pad, .at_every = a->dilation
    };
}

cak_taps cak_phase_taps(const cak_conv_attr *a, int64_t in, int64_t kernel, int64_t out, int64_t first)
{
    int64_t s = a->stride, d = a->dilation, k = 0, every = 1;
    while (every * d % s) every++;
    while (k < every && (first + a->pad - k * d) % s) k++;
    return (cak_taps){ .in = in,
                       .out = out,
                       .n = (out - first + s - 1) / s,
                       .taps = k < every && k < kernel ? (kernel - k + every - 1) / every : 0,
                       .k_first = k,
                       .k_every = every,
                       .step = 1,
                       .at = (first + a->pad - k * d) / s,
                       .at_every = -(every * d / s) };
}

/* y[b, m, out] = sum over channels and taps of w[m, channel, tap] * x[b, channel, in] for all outputs; with s phases on each axis, phase
** (i, j) holds the outputs at s * row + i, s * column + j of a common grid, and has taps of its own. */
typedef struct loop {
    cak_taps v[CAK_CONV_STRIDE], h[CAK_CONV_STRIDE];
    int64_t phases, v_phases, h_phases; /* stride of the output; phases that have an output */
    int64_t batch, channels, rows;
    const real *x, *w;
    real *y;
    int64_t w_row, w_channel, w_line; /* strides of w */
    const cak_isa *isa;
    real *packed; /* w of all phases: blocks of CAK_GEMM_K, each in tiles */
    real *strips; /* per thread: packed x, then y of the horizontal phases */
    int64_t strip;
} loop;

typedef struct phase { /* one phase of a loop */
    const cak_taps *v, *h;
    int64_t depth; /* terms of its sums */
    real *packed;  /* its weights */
} phase;

/* Phases in order of rows; start with { 0 }. */
static phase next_phase(const loop *l, const phase *last, int64_t i, int64_t j)
{
    phase p = { &l->v[i], &l->h[j], l->channels * l->v[i].taps * l->h[j].taps, l->packed };
    if (last->packed) p.packed = last->packed + l->rows * last->depth;
    return p;
}

static int64_t columns(const loop *l) { return l->batch * l->v[0].n * l->h[0].n; }
static int64_t thread_reals(int64_t rows, int64_t phases) { return CAK_GEMM_N * (CAK_GEMM_K + rows * phases); }

static size_t loop_scratch(int64_t rows, int64_t k, int64_t phases)
{
    int64_t reals = cak_round_up(rows * k, CAK_GEMM_STEP) + thread_reals(rows, phases) * cak_threads();
    return (size_t)reals * sizeof(real);
}

typedef struct place { /* position k of a sum: channel, vertical tap, horizontal tap */
    int64_t channel, v, h;
} place;

static place place_of(const phase *p, int64_t k)
{
    return (place){ k / (p->v->taps * p->h->taps), k / p->h->taps % p->v->taps, k % p->h->taps };
}

static void next_place(const phase *p, place *at)
{
    if (++at->h < p->h->taps) return;
    at->h = 0;
    if (++at->v < p->v->taps) return;
    at->v = 0;
    at->channel++;
}

static void pack_weights(const loop *l, const phase *p)
{
    int64_t tiles = cak_gemm_tiles(l->isa, l->rows);
    CAK_PARALLEL_FOR (t, tiles, l->rows * p->depth) {
        int64_t row = cak_gemm_tile_row(l->rows, tiles, t), rows = cak_gemm_tile_row(l->rows, tiles, t + 1) - row;
        place at = { 0 };
        for (int64_t k = 0; k < p->depth; k++, next_place(p, &at)) {
            int64_t block = k / CAK_GEMM_K * CAK_GEMM_K, size = cak_min64(CAK_GEMM_K, p->depth - block);
            real *to = p->packed + l->rows * block + row * size + (k - block) * rows;
            const real *from = l->w + row * l->w_row + at.channel * l->w_channel +
                               (p->v->k_first + at.v * p->v->k_every) * l->w_line + p->h->k_first + at.h * p->h->k_every;
            for (int64_t i = 0; i < rows; i++) to[i] = from[i * l->w_row];
        }
    }
}

/* n values of a row of x from position `at` in steps; outside of the row there are zeros. */
static void pick_padded(const cak_isa *isa, real *to, const real *row, const cak_taps *h, int64_t at, int64_t n)
{
    int64_t step = h->step, lo = 0, hi = n;
    while (lo < n && at + lo * step < 0) to[lo++] = 0;
    while (hi > lo && at + (hi - 1) * step >= h->in) to[--hi] = 0;
    if (hi > lo) isa->pick(to + lo, row + at + lo * step, hi - lo, step);
}

typedef struct strip { /* neighbouring columns of the grid */
    int64_t n;
    int runs;
    cak_run run[CAK_GEMM_N];
} strip;

/* Panels of the strip for positions k0 .. k0 + k - 1 of the sums. One channel at a time: long reads from few pages. */
static void pack_strip(const loop *l, const phase *p, const strip *s, int64_t k0, int64_t k, real *b)
{
    int64_t nr = l->isa->nr;
    if (k == 0) return; /* a phase that no tap reaches: its sums are empty */
    if (s->n % nr) memset(b + s->n / nr * nr * k, 0, (size_t)(nr * k) * sizeof *b);
    place at = place_of(p, k0);
    for (int64_t i = 0; i < k; i++, b += nr, next_place(p, &at))
        for (const cak_run *r = s->run; r < s->run + s->runs; r++) {
            real *to = b + r->at / nr * nr * k + r->at % nr;
            int64_t y = p->v->step * r->row + p->v->at + at.v * p->v->at_every;
            int64_t x = p->h->step * r->column + p->h->at + at.h * p->h->at_every;
            int64_t row = ((r->sample * l->channels + at.channel) * p->v->in + y) * p->h->in;
            if (y < 0 || y >= p->v->in) memset(to, 0, (size_t)r->n * sizeof *to);
            else pick_padded(l->isa, to, l->x + row, p->h, x, r->n);
        }
}

void cak_weave(real *restrict to, const real *restrict from, int64_t apart, int64_t n, int64_t s, int64_t room)
{
    int64_t whole = cak_min64(n, room / s);
    if (s == 1) memcpy(to, from, (size_t)whole * sizeof *to);
    else if (s == 2)
        for (int64_t i = 0; i < whole; i++) to[2 * i] = from[i], to[2 * i + 1] = from[apart + i];
    else
        for (int64_t j = 0; j < s; j++)
            for (int64_t i = 0; i < whole; i++) to[s * i + j] = from[j * apart + i];
    if (whole < n)
        for (int64_t j = 0; j < room - whole * s; j++) to[whole * s + j] = from[j * apart + whole];
}

/* Rows of vertical phase i; c holds the horizontal phases one after the other. */
static void unpack_strip(const loop *l, const strip *s, int64_t i, const real *c)
{
    int64_t apart = l->rows * l->strip, height = l->v[0].out, width = l->h[0].out;
    for (int64_t m = 0; m < l->rows; m++, c += l->strip)
        for (const cak_run *r = s->run; r < s->run + s->runs; r++) {
            int64_t row = r->row * l->phases + i, column = r->column * l->phases;
            if (row >= height) continue;
            cak_weave(l->y + ((r->sample * l->rows + m) * height + row) * width + column, c + r->at, apart, r->n, l->phases,
                      width - column);
        }
}

static void run_strip(const loop *l, int64_t number)
{
    strip s = { .n = cak_min64(l->strip, columns(l) - number * l->strip) };
    real *b = l->strips + thread_reals(l->rows, l->phases) * cak_thread(), *c = b + CAK_GEMM_N * CAK_GEMM_K;
    phase p = { 0 };
    s.runs = cak_runs(number * l->strip, s.n, l->v[0].n, l->h[0].n, l->isa->nr, s.run);
    for (int64_t i = 0; i < l->v_phases; i++) {
        for (int64_t j = 0; j < l->h_phases; j++) {
            p = next_phase(l, &p, i, j);
            for (int64_t k0 = 0; k0 < cak_max64(1, p.depth); k0 += CAK_GEMM_K) {
                int64_t k = cak_min64(CAK_GEMM_K, p.depth - k0);
                pack_strip(l, &p, &s, k0, k, b);
                cak_gemm_panels(l->isa, l->rows, cak_round_up(s.n, l->isa->nr), k, p.packed + l->rows * k0, b,
                                c + j * l->rows * l->strip, l->strip, k0 > 0);
            }
        }
        unpack_strip(l, &s, i, c);
    }
}

static void run_loop(loop *l, int64_t k, void *scratch)
{
    int64_t n = columns(l);
    phase p = { 0 };
    l->isa = cak_isa_get();
    l->strip = cak_gemm_strip(n);
    l->packed = scratch;
    l->strips = l->packed + cak_round_up(l->rows * k, CAK_GEMM_STEP);
    for (int64_t i = 0; i < l->v_phases; i++)
        for (int64_t j = 0; j < l->h_phases; j++) {
            p = next_phase(l, &p, i, j);
            pack_weights(l, &p);
        }
    CAK_PARALLEL_FOR (s, (n + l->strip - 1) / l->strip, n * l->rows * k) run_strip(l, s);
}

size_t cak_conv_scratch(const cak_shape *w)
{
    size_t loops = loop_scratch(w->dim[0], w->dim[1] * w->dim[2] * w->dim[3], 1);
    size_t small = cak_small_channels(w) ? cak_small_scratch(w) : 0;
    return small > loops ? small : loops;
}

void cak_conv_forward(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                      const real *w, real *y, void *scratch)
{
    const int64_t *k = ws->dim;
    if (cak_small_takes(a, xs, ws, ys)) {
        cak_small_forward(a, xs, ws, ys, x, w, y, scratch);
        return;
    }
    loop l = { .phases = 1,
               .v_phases = 1,
               .h_phases = 1,
               .batch = xs->dim[0],
               .channels = k[1],
               .rows = k[0],
               .x = x,
               .w = w,
               .y = y,
               .w_row = k[1] * k[2] * k[3],
               .w_channel = k[2] * k[3],
               .w_line = k[3] };
    l.v[0] = cak_forward_taps(a, xs->dim[2], k[2], ys->dim[2]);
    l.h[0] = cak_forward_taps(a, xs->dim[3], k[3], ys->dim[3]);
    run_loop(&l, k[1] * k[2] * k[3], scratch);
}

size_t cak_conv_phases_scratch(const cak_conv_attr *a, const cak_shape *w)
{
    return loop_scratch(w->dim[1], w->dim[0] * w->dim[2] * w->dim[3], a->stride);
}

void cak_conv_phases(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *gy,
                     const real *w, real *gx, void *scratch)
{
    const int64_t *k = ws->dim;
    loop l = { .phases = a->stride,
               .v_phases = cak_min64(a->stride, xs->dim[2]),
               .h_phases = cak_min64(a->stride, xs->dim[3]),
               .batch = xs->dim[0],
               .channels = k[0],
               .rows = k[1],
               .x = gy,
               .w = w,
               .y = gx,
               .w_row = k[2] * k[3],
               .w_channel = k[1] * k[2] * k[3],
               .w_line = k[3] };
    for (int64_t i = 0; i < l.v_phases; i++) l.v[i] = cak_phase_taps(a, ys->dim[2], k[2], xs->dim[2], i);
    for (int64_t j = 0; j < l.h_phases; j++) l.h[j] = cak_phase_taps(a, ys->dim[3], k[3], xs->dim[3], j);
    run_loop(&l, k[0] * k[2] * k[3], scratch);
}
