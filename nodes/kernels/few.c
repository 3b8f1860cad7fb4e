/* Convolution of an image of few channels and the gradient of its weights; lanes are output channels. */
#include "nodes/kernels/few.h"

#include <string.h>

#include "nodes/kernels/few_tile.h"

extern const cak_few_isa cak_few_generic, cak_few_avx2, cak_few_avx512;

const cak_few_isa *cak_few_isa_get(void)
{
    static const cak_few_isa *const tables[CAK_ISAS] = {
        [CAK_GENERIC] = &cak_few_generic, [CAK_AVX2] = &cak_few_avx2, [CAK_AVX512] = &cak_few_avx512
    };
    return tables[cak_isa_get()->index];
}

static int64_t tiles_of(int64_t rows, int64_t most) { return (rows + most - 1) / most; }

void cak_few_products(const cak_few_isa *isa, int vectors, int64_t rows, cak_few_product p)
{
    int64_t tiles = tiles_of(rows, isa->product_rows[vectors - 1]);
    for (int64_t t = 0; t < tiles; t++) {
        int64_t row = cak_gemm_tile_row(rows, tiles, t), n = cak_gemm_tile_row(rows, tiles, t + 1) - row;
        cak_few_product part = p;
        part.a += row * p.a_row;
        for (int v = 0; v < vectors; v++) part.c[v] += row * p.c_row;
        isa->product[vectors - 1][n - 1](&part);
    }
}

/* ---- padded rows of x ---- */

static int64_t span(const cak_few *g) { return (g->kh - 1) * g->a.dilation + 1; }
static int64_t pitch(const cak_few *g) { return (g->w - 1) * g->a.stride + (g->kw - 1) * g->a.dilation + 1; }
static int64_t row_reals(const cak_few *g) { return cak_round_up(g->c * span(g) * pitch(g), CAK_FEW_LANES); }

int64_t cak_few_window_reals(const cak_few *g)
{
    int64_t at = (cak_few_taps(g) * (int64_t)sizeof(int64_t) + (int64_t)sizeof(real) - 1) / (int64_t)sizeof(real);
    return row_reals(g) + cak_round_up(at, CAK_FEW_LANES);
}

cak_few_window cak_few_window_open(const cak_few *g, const real *x, real *room)
{
    return (cak_few_window){ g, x, room, (int64_t *)(void *)(room + row_reals(g)), 0 };
}

static void copy_row(const cak_few_window *w, int64_t row, int64_t channel)
{
    const cak_few *g = w->g;
    int64_t n = pitch(g), y = row - g->a.pad, left = cak_min64(g->a.pad, n), inner = cak_min64(g->width, n - left);
    real *to = w->rows + (channel * span(g) + row % span(g)) * n;
    if (y < 0 || y >= g->height) {
        memset(to, 0, (size_t)n * sizeof *to);
        return;
    }
    memset(to, 0, (size_t)left * sizeof *to);
    memcpy(to + left, w->x + (channel * g->height + y) * g->width, (size_t)inner * sizeof *to);
    memset(to + left + inner, 0, (size_t)(n - left - inner) * sizeof *to);
}

void cak_few_window_move(cak_few_window *w, int64_t row)
{
    const cak_few *g = w->g;
    int64_t first = row * g->a.stride, end = first + span(g), tap = 0;
    for (int64_t r = cak_max64(first, w->next); r < end; r++)
        for (int64_t c = 0; c < g->c; c++) copy_row(w, r, c);
    w->next = end;
    for (int64_t c = 0; c < g->c; c++)
        for (int64_t i = 0; i < g->kh; i++) {
            int64_t line = (c * span(g) + (first + i * g->a.dilation) % span(g)) * pitch(g);
            for (int64_t j = 0; j < g->kw; j++) w->at[tap++] = line + j * g->a.dilation;
        }
}

/* ---- what forward and dw have in common: strips of rows of y ---- */

enum { ROWS = 16 }; /* rows of a strip */

static int64_t strips(const cak_few *g) { return (g->h + ROWS - 1) / ROWS; } /* of a sample */
static int64_t weights(const cak_few *g) { return cak_few_taps(g) * g->o; }
static inline int64_t work(const cak_few *g) { return g->batch * g->h * g->w * g->o * cak_few_taps(g); }

/* Where vector v of the first pixel of a row lies in y. */
static int64_t vector_at(const cak_few *g, const cak_few_isa *isa, int64_t sample, int64_t row, int64_t v)
{
    int64_t channel = v * isa->lanes, image = sample * cak_few_images(g->o) + channel / CAK_FEW_LANES;
    return (image * g->h + row) * g->w * CAK_FEW_LANES + channel % CAK_FEW_LANES;
}

/* ---- forward ---- */

size_t cak_few_forward_scratch(const cak_few *g)
{
    return (size_t)(weights(g) + cak_few_window_reals(g) * cak_threads()) * sizeof(real);
}

static void forward_strip(const cak_few *g, const cak_few_isa *isa, int64_t strip, const real *x, const real *packed, real *y,
                          real *room)
{
    int64_t sample = strip / strips(g), from = strip % strips(g) * ROWS, vectors = g->o / isa->lanes;
    cak_few_window w = cak_few_window_open(g, x + sample * g->c * g->height * g->width, room);
    for (int64_t i = from; i < cak_min64(g->h, from + ROWS); i++) {
        cak_few_window_move(&w, i);
        for (int64_t v = 0; v < vectors; v += CAK_FEW_WIDE) {
            int wide = (int)cak_min64(CAK_FEW_WIDE, vectors - v);
            cak_few_product p = { .k = cak_few_taps(g),
                                  .a = w.rows,
                                  .at = w.at,
                                  .ahead = w.at,
                                  .a_row = g->a.stride,
                                  .b = packed + v * isa->lanes,
                                  .b_k = g->o,
                                  .c_row = CAK_FEW_LANES };
            for (int n = 0; n < wide; n++) p.c[n] = y + vector_at(g, isa, sample, i, v + n);
            cak_few_products(isa, wide, g->w, p);
        }
    }
}

void cak_few_forward(const cak_few *g, const real *x, const real *w, real *y, void *scratch)
{
    const cak_few_isa *isa = cak_few_isa_get();
    int64_t taps = cak_few_taps(g);
    real *packed = scratch, *rooms = packed + weights(g);
    for (int64_t t = 0; t < taps; t++)
        for (int64_t o = 0; o < g->o; o++) packed[t * g->o + o] = w[o * taps + t];
    CAK_PARALLEL_FOR (s, g->batch * strips(g), work(g))
        forward_strip(g, isa, s, x, packed, y, rooms + cak_few_window_reals(g) * cak_thread());
}

/* ---- gradient of the weights ---- */

enum { SEGMENT = 128 }; /* pixels of a chain: exact enough, and their gy stays in the first-level cache */

size_t cak_few_dw_scratch(const cak_few *g)
{
    return (size_t)(weights(g) * g->batch * strips(g) + cak_few_window_reals(g) * cak_threads()) * sizeof(real);
}

/* All taps for the pixels of a segment; s describes those of the first tap. */
static void dw_segment(const cak_few_window *w, const cak_few_isa *isa, int wide, cak_few_sum s)
{
    int64_t taps = cak_few_taps(w->g), tiles = tiles_of(taps, isa->sum_rows);
    for (int64_t t = 0; t < tiles; t++) {
        int64_t tap = cak_gemm_tile_row(taps, tiles, t), rows = cak_gemm_tile_row(taps, tiles, t + 1) - tap;
        cak_few_sum part = s;
        part.at += tap;
        part.c += tap * s.c_row;
        isa->sum[wide - 1][rows - 1](&part);
    }
}

static void dw_row(const cak_few_window *w, const cak_few_isa *isa, const real *gy, int64_t sample, int64_t row, real *partial,
                   bool add)
{
    const cak_few *g = w->g;
    int64_t vectors = g->o / isa->lanes;
    for (int64_t j = 0; j < g->w; j += SEGMENT)
        for (int64_t v = 0; v < vectors; v += CAK_FEW_WIDE) {
            int wide = (int)cak_min64(CAK_FEW_WIDE, vectors - v);
            cak_few_sum s = { .k = cak_min64(SEGMENT, g->w - j),
                              .a = w->rows + j * g->a.stride,
                              .at = w->at,
                              .a_k = g->a.stride,
                              .c = partial + v * isa->lanes,
                              .c_row = g->o,
                              .add = add || j > 0 };
            for (int n = 0; n < wide; n++) s.b[n] = gy + vector_at(g, isa, sample, row, v + n) + j * CAK_FEW_LANES;
            dw_segment(w, isa, wide, s);
        }
}

/* partial: [taps][O], the sum over a strip */
static void dw_strip(const cak_few *g, const cak_few_isa *isa, int64_t strip, const real *x, const real *gy, real *partial,
                     real *room)
{
    int64_t sample = strip / strips(g), from = strip % strips(g) * ROWS;
    cak_few_window w = cak_few_window_open(g, x + sample * g->c * g->height * g->width, room);
    for (int64_t i = from; i < cak_min64(g->h, from + ROWS); i++) {
        cak_few_window_move(&w, i);
        dw_row(&w, isa, gy, sample, i, partial, i > from);
    }
}

/* As conv2d_dw: the sum, in double, over the samples of their gradients, each the sum, in double, of its strips, rounded to real. */
static void fold(const cak_few *g, const real *partial, real *gw)
{
    int64_t taps = cak_few_taps(g);
    for (int64_t t = 0; t < taps; t++)
        for (int64_t o = 0; o < g->o; o++) {
            double total = 0;
            for (int64_t b = 0; b < g->batch; b++) {
                double sum = 0;
                for (int64_t s = 0; s < strips(g); s++) sum += (double)partial[(b * strips(g) + s) * weights(g) + t * g->o + o];
                total += (double)(real)sum;
            }
            gw[o * taps + t] = (real)total;
        }
}

void cak_few_dw(const cak_few *g, const real *x, const real *gy, real *gw, void *scratch)
{
    const cak_few_isa *isa = cak_few_isa_get();
    real *partial = scratch, *rooms = partial + weights(g) * g->batch * strips(g);
    CAK_PARALLEL_FOR (s, g->batch * strips(g), work(g))
        dw_strip(g, isa, s, x, gy, partial + s * weights(g), rooms + cak_few_window_reals(g) * cak_thread());
    fold(g, partial, gw);
}
