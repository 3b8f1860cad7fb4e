/* conv2d_dw of stride 1 between few channels: dot products of the rows of gy with shifts of the rows of x. */
#include <string.h>

#include "nodes/kernels/conv_small.h"
#include "nodes/kernels/gemm.h"

enum { SIDE = CAK_SMALL_SIDE, LANES = CAK_SMALL_LANES };

typedef struct job {
    cak_small s;
    const cak_small_isa *isa;
    const real *x, *gy;
    double *partial; /* [batch, bands, out, taps] */
    real *threads;   /* per thread: a tile of x, the last columns of gy */
} job;

static int64_t taps(const cak_small *s) { return s->out * s->taps; }
static int64_t last_reals(const cak_small *s) { return (s->rows + 1) * LANES; } /* with what padding writes behind them */
static int64_t thread_reals(const cak_small *s) { return cak_small_tile_reals(s->in) + last_reals(s); }
static int64_t partial_bytes(const cak_small *s)
{
    return cak_small_room(s->batch * s->bands * taps(s) * (int64_t)sizeof(double));
}

size_t cak_small_dw_scratch(const cak_shape *w, const cak_shape *y)
{
    cak_small s = cak_small_plan(&(cak_conv_attr){ 1, 0, 1 }, y, w, y); /* neither x nor the padding matters to the bands */
    return (size_t)partial_bytes(&s) + (size_t)(thread_reals(&s) * cak_threads()) * sizeof(real);
}

/* Halves onto halves. */
static double add_lanes(const real *sum)
{
    double half[LANES / 2];
    for (int i = 0; i < LANES / 2; i++) half[i] = (double)sum[i] + (double)sum[i + LANES / 2];
    for (int n = LANES / 4; n > 0; n /= 2)
        for (int i = 0; i < n; i++) half[i] += half[i + n];
    return half[0];
}

typedef struct part { /* columns of a tile whose products are summed by one call */
    const real *x, *g;
    int64_t n, rows, g_row;
} part;

/* Taps k .. k + kh - 1, l .. l + kw - 1 of a channel. Rows apart by the dilation meet the same rows of x. */
static void add_block(const job *j, const part *p, int64_t k, int64_t kh, int64_t l, int64_t kw, double *partial)
{
    const cak_small *s = &j->s;
    real sum[SIDE * SIDE * LANES];
    int64_t d = s->dilation;
    for (int64_t first = 0; first < cak_min64(d, p->rows); first++) {
        const real *x = p->x + (first + k * d) * s->pitch + l * d, *g = p->g + first * p->g_row;
        j->isa->dots[kh - 1][kw - 1](
            &(cak_small_dots){ p->n, (p->rows - first + d - 1) / d, x, g, d * s->pitch, d, d * p->g_row, sum });
        for (int64_t t = 0; t < kh * kw; t++) partial[(k + t / kw) * s->kw + l + t % kw] += add_lanes(sum + t * LANES);
    }
}

static void add_taps(const job *j, const part *p, double *partial)
{
    int64_t kh = j->s.kh, kw = j->s.kw, high = (kh + SIDE - 1) / SIDE, wide = (kw + SIDE - 1) / SIDE;
    for (int64_t v = 0; v < high; v++)
        for (int64_t h = 0; h < wide; h++) {
            int64_t k = cak_gemm_tile_row(kh, high, v), l = cak_gemm_tile_row(kw, wide, h);
            add_block(j, p, k, cak_gemm_tile_row(kh, high, v + 1) - k, l, cak_gemm_tile_row(kw, wide, h + 1) - l, partial);
        }
}

/* Whole vectors of gy where it lies, then the columns left over, with zeros beside them. */
static void run_tile(const job *j, const cak_small_tile *t, double *partial, real *room)
{
    const cak_small *s = &j->s;
    real *last = room + cak_small_tile_reals(s->in);
    int64_t whole = t->columns / LANES * LANES, rest = t->columns - whole;
    cak_small_fill(s, t, j->x, room);
    for (int64_t m = 0; m < s->out; m++) {
        const real *gy = j->gy + ((t->sample * s->out + m) * s->h + t->row) * s->w + t->column;
        if (rest) j->isa->pad(&(cak_small_rows){ t->rows, rest, 0, last, LANES, gy + whole, s->w });
        for (int64_t c = 0; c < s->in; c++, partial += s->kh * s->kw) {
            const real *x = room + c * s->plane;
            if (whole) add_taps(j, &(part){ x, gy, whole, t->rows, s->w }, partial);
            if (rest) add_taps(j, &(part){ x + whole, last, LANES, t->rows, LANES }, partial);
        }
    }
}

static void run_band(const job *j, int64_t sample, int64_t band, double *partial)
{
    real *room = j->threads + thread_reals(&j->s) * cak_thread();
    memset(partial, 0, (size_t)taps(&j->s) * sizeof *partial);
    for (int64_t i = 0; i < j->s.segments; i++) {
        cak_small_tile t = cak_small_tile_at(&j->s, sample, band, i);
        run_tile(j, &t, partial, room);
    }
}

static real fold(const job *j, int64_t tap)
{
    const double *partial = j->partial + tap;
    double all = 0;
    for (int64_t b = 0; b < j->s.batch; b++) {
        double sum = 0;
        for (int64_t i = 0; i < j->s.bands; i++, partial += taps(&j->s)) sum += *partial;
        all += (double)(real)sum;
    }
    return (real)all;
}

void cak_small_dw(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                  const real *gy, real *gw, void *scratch)
{
    job j = { .s = cak_small_plan(a, xs, ws, ys), .isa = cak_small_isa_get(), .x = x, .gy = gy, .partial = scratch };
    int64_t n = taps(&j.s), bands = j.s.batch * j.s.bands;
    j.threads = (real *)((char *)scratch + partial_bytes(&j.s));
    CAK_PARALLEL_FOR (i, bands, j.s.batch * j.s.h * j.s.w * n) run_band(&j, i / j.s.bands, i % j.s.bands, j.partial + i * n);
    CAK_PARALLEL_FOR (t, n, bands * n) gw[t] = fold(&j, t);
}
