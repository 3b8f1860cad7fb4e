/* conv2d_dx: the choice between the ways and, for few input channels, products first and sums of shifted products after. */
#include <string.h>

#include "nodes/kernels/conv.h"
#include "nodes/kernels/conv_small.h"
#include "nodes/kernels/conv_taps.h"
#include "nodes/kernels/gemm.h"

/* With few input channels a phase would copy gy once per tap for little arithmetic. Instead z[c, tap, q] = sum over o of
** w[o, c, tap] * gy[o, q] copies gy once, and gx[c, y] is the sum of z over the taps that reach y. */
enum {
    FEW = 8,              /* channels */
    PRODUCTS = 128 * 1024 /* products that a band of rows may hold, so that they stay in the second-level cache */
};

typedef struct bands {
    const cak_conv_attr *a;
    int64_t batch, outputs, channels, kh, kw; /* outputs: channels of gy */
    int64_t h, w, height, width;              /* of gy; of gx */
    int64_t rows;                             /* of gy in a band, without the neighbours it also needs */
    const real *gy;
    real *gx, *packed, *threads;
    const cak_isa *isa;
} bands;

static int64_t taps(const bands *d) { return d->channels * d->kh * d->kw; }
static int64_t halo(const bands *d)
{
    return (d->kh - 1) * d->a->dilation / d->a->stride + 1;
} /* rows of gy a row of gx reaches back */
static int64_t ldz(const bands *d) { return cak_round_up((d->rows + halo(d)) * d->w, CAK_GEMM_STEP); }
static int64_t row_reals(const bands *d) { return cak_round_up(d->width + d->a->stride, CAK_GEMM_STEP); }
static int64_t thread_reals(const bands *d) { return taps(d) * ldz(d) + CAK_GEMM_N * CAK_GEMM_K + row_reals(d); }

static bands make_bands(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys)
{
    bands d = { .a = a,
                .batch = ys->dim[0],
                .outputs = ws->dim[0],
                .channels = ws->dim[1],
                .kh = ws->dim[2],
                .kw = ws->dim[3],
                .h = ys->dim[2],
                .w = ys->dim[3],
                .height = xs->dim[2],
                .width = xs->dim[3] };
    d.rows = cak_min64((d.height + a->stride - 1) / a->stride, cak_max64(4, PRODUCTS / (taps(&d) * d.w)));
    return d;
}

/* z for rows first .. end - 1 of gy; buffer b. */
static void make_products(const bands *d, int64_t sample, int64_t first, int64_t end, real *z, real *b)
{
    int64_t all = (end - first) * d->w, image = d->h * d->w, nr = d->isa->nr;
    const real *gy = d->gy + sample * d->outputs * image + first * d->w;
    for (int64_t j = 0; j < all; j += CAK_GEMM_N)
        for (int64_t k0 = 0; k0 < d->outputs; k0 += CAK_GEMM_K) {
            int64_t n = cak_min64(CAK_GEMM_N, all - j), k = cak_min64(CAK_GEMM_K, d->outputs - k0);
            for (int64_t l = 0; l < k; l++)
                for (int64_t i = 0; i < n; i += nr) {
                    int64_t m = cak_min64(nr, n - i);
                    real *to = b + i * k + l * nr;
                    memcpy(to, gy + (k0 + l) * image + j + i, (size_t)m * sizeof *to);
                    memset(to + m, 0, (size_t)(nr - m) * sizeof *to);
                }
            cak_gemm_panels(d->isa, taps(d), cak_round_up(n, nr), k, d->packed + taps(d) * k0, b, z + j, ldz(d), k0 > 0);
        }
}

/* sum[i] += z[i + shift], where that is in the row. */
static void add_shifted(real *restrict sum, const real *restrict z, int64_t n, int64_t shift, int64_t width)
{
    for (int64_t i = cak_max64(0, -shift); i < cak_min64(n, width - shift); i++) sum[i] += z[i + shift];
}

/* Row y of a channel of gx from the products of rows first .. of gy; the horizontal phases are summed apart and then woven. */
static void gather_row(const bands *d, int64_t channel, int64_t y, int64_t first, const real *z, real *sum, real *gx)
{
    int64_t s = d->a->stride, apart = (d->width + s - 1) / s;
    cak_taps v = cak_phase_taps(d->a, d->h, d->kh, d->height, y % s);
    memset(sum, 0, (size_t)(apart * s) * sizeof *sum);
    for (int64_t j = 0; j < cak_min64(s, d->width); j++) {
        cak_taps h = cak_phase_taps(d->a, d->w, d->kw, d->width, j);
        for (int64_t t = 0; t < v.taps; t++) {
            int64_t row = y / s + v.at + t * v.at_every;
            if (row < 0 || row >= d->h) continue;
            for (int64_t u = 0; u < h.taps; u++) {
                int64_t tap = (channel * d->kh + v.k_first + t * v.k_every) * d->kw + h.k_first + u * h.k_every;
                add_shifted(sum + j * apart, z + tap * ldz(d) + (row - first) * d->w, h.n, h.at + u * h.at_every, d->w);
            }
        }
    }
    cak_weave(gx, sum, apart, apart, s, d->width);
}

static void run_band(const bands *d, int64_t sample, int64_t band)
{
    real *z = d->threads + thread_reals(d) * cak_thread(), *b = z + taps(d) * ldz(d), *sum = b + CAK_GEMM_N * CAK_GEMM_K;
    int64_t s = d->a->stride, y0 = band * d->rows * s, y1 = cak_min64(y0 + d->rows * s, d->height);
    int64_t low = y0 + d->a->pad - (d->kh - 1) * d->a->dilation, first = low > 0 ? (low + s - 1) / s : 0;
    int64_t end = cak_min64(d->h, (y1 - 1 + d->a->pad) / s + 1);
    make_products(d, sample, first, end, z, b);
    for (int64_t c = 0; c < d->channels; c++)
        for (int64_t y = y0; y < y1; y++)
            gather_row(d, c, y, first, z, sum, d->gx + ((sample * d->channels + c) * d->height + y) * d->width);
}

static bool is_few(const cak_shape *w) { return w->dim[1] < FEW; }

size_t cak_conv_dx_scratch(const cak_conv_attr *a, const cak_shape *x, const cak_shape *w, const cak_shape *y)
{
    if (cak_small_takes(a, x, w, y)) return cak_small_scratch(w);
    if (!is_few(w)) return cak_conv_phases_scratch(a, w);
    bands d = make_bands(a, x, w, y);
    return (size_t)(cak_round_up(taps(&d) * d.outputs, CAK_GEMM_STEP) + thread_reals(&d) * cak_threads()) * sizeof(real);
}

void cak_conv_dx(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *gy,
                 const real *w, real *gx, void *scratch)
{
    if (cak_small_takes(a, xs, ws, ys)) {
        cak_small_dx(a, xs, ws, ys, gy, w, gx, scratch);
        return;
    }
    if (!is_few(ws)) {
        cak_conv_phases(a, xs, ws, ys, gy, w, gx, scratch);
        return;
    }
    bands d = make_bands(a, xs, ws, ys);
    d.gy = gy, d.gx = gx, d.packed = scratch, d.isa = cak_isa_get();
    d.threads = d.packed + cak_round_up(taps(&d) * d.outputs, CAK_GEMM_STEP);
    cak_gemm_pack(d.isa, taps(&d), d.outputs, (cak_matrix){ w, 1, taps(&d) }, d.packed);
    int64_t count = (d.height + d.rows * a->stride - 1) / (d.rows * a->stride);
    CAK_PARALLEL_FOR (i, d.batch * count, d.batch * d.h * d.w * d.outputs) run_band(&d, i / count, i % count);
}
