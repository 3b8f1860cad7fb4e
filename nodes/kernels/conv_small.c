/* conv2d and conv2d_dx of stride 1 between few channels: padded tiles, and chains of multiply-adds along their rows. */
#include "nodes/kernels/conv_small.h"

#include <string.h>

#include "nodes/kernels/gemm.h"

enum {
    COLUMNS = 1536, /* most columns of a tile, */
    AREA = 4096,    /* most outputs, except where that makes too few */
    ROWS = 8,       /* rows, */
    ROOM = 32768    /* and most reals of a channel that is read: they stay in the second-level cache */
};

extern const cak_small_isa cak_small_generic, cak_small_avx2, cak_small_avx512;

const cak_small_isa *cak_small_isa_get(void)
{
    static const cak_small_isa *const tables[CAK_ISAS] = {
        [CAK_GENERIC] = &cak_small_generic, [CAK_AVX2] = &cak_small_avx2, [CAK_AVX512] = &cak_small_avx512
    };
    return tables[cak_isa_get()->index];
}

/* ---- tiles ---- */

static int64_t parts(int64_t n, int64_t most) { return (n + most - 1) / most; }

static cak_small cut(cak_small s)
{
    int64_t below = (s.kh - 1) * s.dilation, beside = (s.kw - 1) * s.dilation;
    s.taps = s.in * s.kh * s.kw;
    s.segments = parts(s.w, COLUMNS);
    s.columns = parts(s.w, s.segments);
    s.segments = parts(s.w, s.columns);
    s.bands = parts(s.h, cak_max64(ROWS, AREA / s.columns));
    s.rows = parts(s.h, s.bands);
    s.bands = parts(s.h, s.rows);
    s.pitch = s.columns + beside;
    s.plane = cak_round_up((s.rows + below) * s.pitch + CAK_SMALL_LANES + beside, CAK_SMALL_LANES);
    return s;
}

cak_small cak_small_plan(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys)
{
    return cut((cak_small){ .batch = xs->dim[0],
                            .in = ws->dim[1],
                            .out = ws->dim[0],
                            .kh = ws->dim[2],
                            .kw = ws->dim[3],
                            .dilation = a->dilation,
                            .top = a->pad,
                            .left = a->pad,
                            .height = xs->dim[2],
                            .width = xs->dim[3],
                            .h = ys->dim[2],
                            .w = ys->dim[3] });
}

/* A convolution of gy with the kernel turned around. */
static cak_small plan_dx(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys)
{
    return cut((cak_small){ .batch = xs->dim[0],
                            .in = ws->dim[0],
                            .out = ws->dim[1],
                            .kh = ws->dim[2],
                            .kw = ws->dim[3],
                            .dilation = a->dilation,
                            .top = (ws->dim[2] - 1) * a->dilation - a->pad,
                            .left = (ws->dim[3] - 1) * a->dilation - a->pad,
                            .height = ys->dim[2],
                            .width = ys->dim[3],
                            .h = xs->dim[2],
                            .w = xs->dim[3] });
}

int64_t cak_small_tile_reals(int64_t channels) { return channels * ROOM; }
int64_t cak_small_room(int64_t bytes) { return cak_round_up(bytes, CAK_SMALL_LANES * (int64_t)sizeof(real)); }

bool cak_small_channels(const cak_shape *w) { return cak_max64(w->dim[0], w->dim[1]) <= CAK_SMALL_CHANNELS; }

static bool fits(cak_small s) { return s.pitch <= 2 * s.columns && s.plane <= ROOM; }

bool cak_small_takes(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys)
{
    return a->stride == 1 && cak_small_channels(ws) && fits(cak_small_plan(a, xs, ws, ys)) && fits(plan_dx(a, xs, ws, ys));
}

cak_small_tile cak_small_tile_at(const cak_small *s, int64_t sample, int64_t band, int64_t segment)
{
    int64_t row = band * s->rows, column = segment * s->columns;
    return (cak_small_tile){ sample, row, cak_min64(s->rows, s->h - row), column, cak_min64(s->columns, s->w - column) };
}

static int64_t clamp(int64_t i, int64_t low, int64_t high) { return cak_max64(low, cak_min64(i, high)); }

/* Rows and columns of x that the tile has, between zeros. */
void cak_small_fill(const cak_small *s, const cak_small_tile *t, const real *x, real *to)
{
    const cak_small_isa *isa = cak_small_isa_get();
    int64_t rows = t->rows + (s->kh - 1) * s->dilation, row = t->row - s->top, column = t->column - s->left;
    int64_t above = clamp(-row, 0, rows), end = clamp(s->height - row, above, rows);
    int64_t left = clamp(-column, 0, s->pitch), right = clamp(s->width - column, left, s->pitch);
    int64_t behind = (rows - end) * s->pitch + CAK_SMALL_LANES + (s->kw - 1) * s->dilation;
    for (int64_t c = 0; c < s->in; c++, to += s->plane) {
        const real *from = x + ((t->sample * s->in + c) * s->height * s->width + (row + above) * s->width + column + left);
        memset(to, 0, (size_t)(above * s->pitch) * sizeof *to);
        isa->pad(&(cak_small_rows){ end - above, right - left, left, to + above * s->pitch, s->pitch, from, s->width });
        memset(to + end * s->pitch, 0, (size_t)behind * sizeof *to);
    }
}

/* ---- the loop over tiles ---- */

typedef struct weights { /* strides of w: element [written][read][k][l] */
    const real *w;
    int64_t out, in, k, l;
} weights;

size_t cak_small_scratch(const cak_shape *w)
{
    int64_t channels = cak_max64(w->dim[0], w->dim[1]), taps = channels * w->dim[2] * w->dim[3];
    return (size_t)cak_small_room(channels * taps * (int64_t)sizeof(real)) +
           (size_t)(cak_small_tile_reals(channels) * cak_threads()) * sizeof(real);
}

static void pack(const cak_small *s, const weights *w, real *to)
{
    for (int64_t m = 0; m < s->out; m++)
        for (int64_t c = 0; c < s->in; c++)
            for (int64_t k = 0; k < s->kh; k++)
                for (int64_t l = 0; l < s->kw; l++) *to++ = w->w[m * w->out + c * w->in + k * w->k + l * w->l];
}

static void run_tile(const cak_small *s, const cak_small_tile *t, const real *x, const real *w, real *y, real *room)
{
    const cak_small_isa *isa = cak_small_isa_get();
    cak_small_chain c = { .n = t->columns,
                          .channels = s->in,
                          .kh = s->kh,
                          .kw = s->kw,
                          .plane = s->plane,
                          .x_row = s->pitch,
                          .k_step = s->dilation * s->pitch,
                          .l_step = s->dilation,
                          .y_row = s->w };
    cak_small_fill(s, t, x, room);
    for (int64_t m = 0; m < s->out; m++) {
        real *to = y + ((t->sample * s->out + m) * s->h + t->row) * s->w + t->column;
        c.w = w + m * s->taps;
        for (int64_t i = 0; i < t->rows; i += CAK_SMALL_ROWS) {
            c.x = room + i * s->pitch, c.y = to + i * s->w;
            isa->chain[cak_min64(CAK_SMALL_ROWS, t->rows - i) - 1](&c);
        }
    }
}

static void run(const cak_small *s, const weights *w, const real *x, real *y, void *scratch)
{
    real *packed = scratch, *threads = (real *)((char *)scratch + cak_small_room(s->out * s->taps * (int64_t)sizeof(real)));
    int64_t tiles = s->bands * s->segments;
    pack(s, w, packed);
    CAK_PARALLEL_FOR (i, s->batch * tiles, s->batch * s->out * s->h * s->w * s->taps) {
        cak_small_tile t = cak_small_tile_at(s, i / tiles, i % tiles / s->segments, i % s->segments);
        run_tile(s, &t, x, packed, y, threads + cak_small_tile_reals(s->in) * cak_thread());
    }
}

void cak_small_forward(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                       const real *w, real *y, void *scratch)
{
    const int64_t *k = ws->dim;
    cak_small s = cak_small_plan(a, xs, ws, ys);
    run(&s, &(weights){ w, k[1] * k[2] * k[3], k[2] * k[3], k[3], 1 }, x, y, scratch);
}

void cak_small_dx(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *gy,
                  const real *w, real *gx, void *scratch)
{
    const int64_t *k = ws->dim;
    cak_small s = plan_dx(a, xs, ws, ys);
    run(&s, &(weights){ w + k[2] * k[3] - 1, k[2] * k[3], k[1] * k[2] * k[3], -k[3], -1 }, gy, gx, scratch);
}
