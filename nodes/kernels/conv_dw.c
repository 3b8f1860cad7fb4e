/* conv2d_dw: the sum runs over pixels; each (sample, chunk of rows) has a partial sum of its own, folded in a fixed order. */
#include <string.h>

#include "nodes/kernels/conv.h"
#include "nodes/kernels/conv_small.h"
#include "nodes/kernels/conv_taps.h"
#include "nodes/kernels/gemm.h"

enum {
    CHUNKS = 16,  /* most chunks of a sample */
    FOLD = 512,   /* elements that are folded at a time */
    PIXELS = 1024 /* a chunk has about so many pixels or more, so that folding costs little */
};

typedef struct job {
    cak_taps v, h;
    int64_t batch, channels, rows, k; /* gw is [rows, k] with k = channels * kh * kw */
    const real *x, *gy;
    int64_t ldc;           /* k rounded up to whole panels */
    int64_t chunk, chunks; /* rows of y in a chunk; chunks of a sample */
    int64_t wave;          /* samples whose partial sums exist at the same time */
    const cak_isa *isa;
    double *sum;   /* [rows, ldc] over the samples done */
    real *partial; /* [wave, chunks, rows, ldc] */
    real *panels;  /* per thread: packed gy, packed x */
} job;

/* The cutting depends on the shape alone. */
static void cut(job *j, const cak_shape *ws, const cak_shape *ys)
{
    int64_t h = ys->dim[2], w = ys->dim[3], rows = cak_max64((PIXELS + w - 1) / w, (h + CHUNKS - 1) / CHUNKS);
    j->batch = ys->dim[0];
    j->channels = ws->dim[1];
    j->rows = ws->dim[0];
    j->k = ws->dim[1] * ws->dim[2] * ws->dim[3];
    j->ldc = cak_round_up(j->k, CAK_GEMM_STEP);
    j->chunk = cak_min64(rows, h);
    j->chunks = (h + j->chunk - 1) / j->chunk;
    j->wave = cak_min64(j->batch, cak_max64(1, CHUNKS / j->chunks));
}

static int64_t thread_reals(const job *j) { return cak_round_up(CAK_GEMM_K * (j->rows + CAK_GEMM_STEP), CAK_GEMM_STEP); }

size_t cak_conv_dw_scratch(const cak_shape *w, const cak_shape *y)
{
    job j = { 0 };
    cut(&j, w, y);
    int64_t size = j.rows * j.ldc;
    size_t panels =
        (size_t)size * sizeof(double) + (size_t)(size * j.wave * j.chunks + thread_reals(&j) * cak_threads()) * sizeof(real);
    size_t small = cak_small_channels(w) ? cak_small_dw_scratch(w, y) : 0;
    return small > panels ? small : panels;
}

/* gy, pixels first: tiles of [pixel][row]. */
static void pack_gradient(const job *j, const cak_run *run, int runs, int64_t n, real *a)
{
    int64_t tiles = cak_gemm_tiles(j->isa, j->rows);
    for (int64_t t = 0; t < tiles; t++) {
        int64_t row = cak_gemm_tile_row(j->rows, tiles, t), rows = cak_gemm_tile_row(j->rows, tiles, t + 1) - row;
        for (int64_t m = 0; m < rows; m++)
            for (int r = 0; r < runs; r++) {
                const real *from = j->gy + ((run[r].sample * j->rows + row + m) * j->v.n + run[r].row) * j->h.n + run[r].column;
                real *to = a + row * n + run[r].at * rows + m;
                for (int64_t i = 0; i < run[r].n; i++) to[i * rows] = from[i];
            }
    }
}

typedef struct taps { /* neighbouring columns of a panel: taps first .. first + n - 1 of one line of the kernel */
    int64_t first, n;
} taps;

static void copy_taps(real *to, int64_t nr, const real *from, int64_t step, int64_t pixels, int64_t n, int64_t every)
{
    if (n == 4 && every == 1) /* the usual widths as constants: whole moves instead of a loop */
        for (int64_t i = 0; i < pixels; i++) memcpy(to + i * nr, from + i * step, 4 * sizeof *to);
    else if (n == 3 && every == 1)
        for (int64_t i = 0; i < pixels; i++) memcpy(to + i * nr, from + i * step, 3 * sizeof *to);
    else
        for (int64_t i = 0; i < pixels; i++)
            for (int64_t t = 0; t < n; t++) to[i * nr + t] = from[i * step + t * every];
}

static void copy_edge(real *to, const real *row, int64_t at, int64_t width, int64_t n, int64_t every)
{
    for (int64_t t = 0; t < n; t++) to[t] = at + t * every >= 0 && at + t * every < width ? row[at + t * every] : 0;
}

/* The pixels of a run, for taps next to each other; zeros outside of x. */
static void pack_run(const job *j, const cak_run *run, int64_t line, taps t, real *to)
{
    int64_t nr = j->isa->nr, step = j->h.step, every = j->h.at_every, lo = 0, hi = run->n;
    int64_t channel = line / j->v.taps, y = step * run->row + j->v.at + line % j->v.taps * every;
    if (y < 0 || y >= j->v.in) {
        for (int64_t i = 0; i < run->n; i++) memset(to + i * nr, 0, (size_t)t.n * sizeof *to);
        return;
    }
    const real *row = j->x + ((run->sample * j->channels + channel) * j->v.in + y) * j->h.in;
    int64_t at = step * run->column + j->h.at + t.first * every, last = at + (t.n - 1) * every;
    for (; lo < hi && at + lo * step < 0; lo++) copy_edge(to + lo * nr, row, at + lo * step, j->h.in, t.n, every);
    for (; hi > lo && last + (hi - 1) * step >= j->h.in; hi--)
        copy_edge(to + (hi - 1) * nr, row, at + (hi - 1) * step, j->h.in, t.n, every);
    if (hi > lo) copy_taps(to + lo * nr, nr, row + at + lo * step, step, hi - lo, t.n, every);
}

/* x, pixels first: columns first .. first + nr - 1 of [pixel][channel, kernel line, tap]. */
static void pack_panel(const job *j, const cak_run *run, int runs, int64_t pixels, int64_t first, real *b)
{
    int64_t nr = j->isa->nr, end = cak_min64(first + nr, j->k);
    if (end < first + nr) memset(b, 0, (size_t)(nr * pixels) * sizeof *b);
    for (int64_t c = first; c < end;) {
        int64_t line = c / j->h.taps;
        taps t = { c % j->h.taps, cak_min64(end - c, j->h.taps - c % j->h.taps) };
        for (int r = 0; r < runs; r++) pack_run(j, &run[r], line, t, b + run[r].at * nr + c - first);
        c += t.n;
    }
}

static void run_chunk(const job *j, int64_t sample, int64_t chunk, real *partial)
{
    cak_run run[CAK_GEMM_K];
    real *a = j->panels + thread_reals(j) * cak_thread(), *b = a + cak_round_up(CAK_GEMM_K * j->rows, CAK_GEMM_STEP);
    int64_t image = j->v.n * j->h.n, from = chunk * j->chunk * j->h.n, end = cak_min64(from + j->chunk * j->h.n, image);
    for (int64_t p = from; p < end; p += CAK_GEMM_K) {
        int64_t n = cak_min64(CAK_GEMM_K, end - p);
        int runs = cak_runs(sample * image + p, n, j->v.n, j->h.n, 0, run);
        pack_gradient(j, run, runs, n, a);
        for (int64_t c = 0; c < j->k; c += j->isa->nr) {
            pack_panel(j, run, runs, n, c, b);
            cak_gemm_panels(j->isa, j->rows, j->isa->nr, n, a, b, partial + c, j->ldc, p > from);
        }
    }
}

/* Elements from .. from + n - 1 of one sample: its chunks in order, then onto the sum over the samples before it. */
static void fold_block(const job *j, int64_t sample, int64_t from, int64_t n)
{
    double sum[FOLD] = { 0 };
    int64_t size = j->rows * j->ldc;
    for (int64_t c = 0; c < j->chunks; c++) {
        const real *partial = j->partial + (sample * j->chunks + c) * size + from;
        for (int64_t i = 0; i < n; i++) sum[i] += (double)partial[i];
    }
    for (int64_t i = 0; i < n; i++) j->sum[from + i] += (double)(real)sum[i];
}

static void fold(const job *j, int64_t samples)
{
    int64_t size = j->rows * j->ldc;
    CAK_PARALLEL_FOR (block, (size + FOLD - 1) / FOLD, size * samples * j->chunks) {
        int64_t from = block * FOLD;
        for (int64_t b = 0; b < samples; b++) fold_block(j, b, from, cak_min64(FOLD, size - from));
    }
}

void cak_conv_dw(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                 const real *gy, real *gw, void *scratch)
{
    if (cak_small_takes(a, xs, ws, ys)) {
        cak_small_dw(a, xs, ws, ys, x, gy, gw, scratch);
        return;
    }
    job j = { .x = x, .gy = gy, .isa = cak_isa_get() };
    j.v = cak_forward_taps(a, xs->dim[2], ws->dim[2], ys->dim[2]);
    j.h = cak_forward_taps(a, xs->dim[3], ws->dim[3], ys->dim[3]);
    cut(&j, ws, ys);
    int64_t size = j.rows * j.ldc;
    j.sum = scratch;
    j.partial = (real *)(j.sum + size);
    j.panels = j.partial + size * j.wave * j.chunks;
    memset(j.sum, 0, (size_t)size * sizeof *j.sum);
    for (int64_t b = 0; b < j.batch; b += j.wave) {
        int64_t samples = cak_min64(j.wave, j.batch - b);
        CAK_PARALLEL_FOR (i, samples * j.chunks, samples * j.v.n * j.h.n * size)
            run_chunk(&j, b + i / j.chunks, i % j.chunks, j.partial + i * size);
        fold(&j, samples);
    }
    for (int64_t m = 0; m < j.rows; m++)
        for (int64_t i = 0; i < j.k; i++) gw[m * j.k + i] = (real)j.sum[m * j.ldc + i];
}
