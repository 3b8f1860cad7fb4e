/* conv2d_dw of stride 1 between few channels: every tap is a dot product of gy with a shift of x. */
#include <string.h>

#include "nodes/kernels/conv_small.h"
#include "nodes/kernels/gemm.h"

typedef struct job {
    cak_small s;
    const cak_small_isa *isa;
    const real *x, *gy;
    double *partial; /* [batch, bands, out, taps] */
    int64_t *at;
    real *threads; /* per thread: a tile of x, a tile of gy, sums */
} job;

static int64_t size(const job *j) { return j->s.out * j->s.taps; }
static int64_t sum_reals(int64_t taps) { return taps * CAK_SMALL_LANES; }
static int64_t thread_reals(int64_t channels, int64_t taps)
{
    return cak_small_tile_reals(channels) + cak_small_flat_reals() + sum_reals(taps);
}

static int64_t partial_bytes(const cak_small *s)
{
    return cak_small_room(s->batch * s->bands * s->out * s->taps * (int64_t)sizeof(double));
}
static int64_t offset_bytes(const cak_small *s) { return cak_small_room(s->taps * (int64_t)sizeof(int64_t)); }

size_t cak_small_dw_scratch(const cak_shape *w, const cak_shape *y)
{
    cak_small s = cak_small_plan(&(cak_conv_attr){ 1, 0, 1 }, y, w, y); /* neither the padding nor x matters to the bands */
    return (size_t)(partial_bytes(&s) + offset_bytes(&s)) + (size_t)(thread_reals(s.in, s.taps) * cak_threads()) * sizeof(real);
}

/* Rows of gy in the places that the outputs of a tile have; zeros between them take what is dropped out of the sums. */
static void fill_gradient(const job *j, const cak_small_tile *t, int64_t channel, real *to)
{
    const cak_small *s = &j->s;
    const real *gy = j->gy + ((t->sample * s->out + channel) * s->h + t->row) * s->w;
    for (int64_t i = 0; i < t->rows; i++)
        cak_small_fill_row(to + i * s->pitch, s->pitch, gy + i * s->w, t->column, t->column + t->columns);
    memset(to + t->rows * s->pitch, 0, CAK_SMALL_LANES * sizeof *to);
}

static double add_lanes(const real *sum)
{
    double all = 0;
    for (int l = 0; l < CAK_SMALL_LANES; l++) all += (double)sum[l];
    return all;
}

static void run_tile(const job *j, const cak_small_tile *t, double *partial, real *room)
{
    const cak_small *s = &j->s;
    real *g = room + cak_small_tile_reals(s->in), *sum = g + cak_small_flat_reals();
    int64_t n = cak_round_up(t->rows * s->pitch, CAK_SMALL_LANES), groups = (s->taps + j->isa->taps - 1) / j->isa->taps;
    cak_small_fill(s, t, j->x, room);
    for (int64_t m = 0; m < s->out; m++, partial += s->taps) {
        fill_gradient(j, t, m, g);
        for (int64_t k = 0; k < groups; k++) {
            int64_t first = cak_gemm_tile_row(s->taps, groups, k), taps = cak_gemm_tile_row(s->taps, groups, k + 1) - first;
            j->isa->dots[taps - 1](&(cak_small_dots){ n, j->at + first, room, g, sum + sum_reals(first) });
        }
        for (int64_t k = 0; k < s->taps; k++) partial[k] += add_lanes(sum + sum_reals(k));
    }
}

static void run_band(const job *j, int64_t sample, int64_t band, double *partial)
{
    memset(partial, 0, (size_t)size(j) * sizeof *partial);
    for (int64_t i = 0; i < j->s.segments; i++) {
        cak_small_tile t = cak_small_tile_at(&j->s, sample, band, i);
        run_tile(j, &t, partial, j->threads + thread_reals(j->s.in, j->s.taps) * cak_thread());
    }
}

static real fold(const job *j, int64_t element)
{
    double all = 0;
    const double *partial = j->partial + element;
    for (int64_t b = 0; b < j->s.batch; b++) {
        double sum = 0;
        for (int64_t i = 0; i < j->s.bands; i++, partial += size(j)) sum += *partial;
        all += (double)(real)sum;
    }
    return (real)all;
}

void cak_small_dw(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *x,
                  const real *gy, real *gw, void *scratch)
{
    job j = { .s = cak_small_plan(a, xs, ws, ys), .isa = cak_small_isa_get(), .x = x, .gy = gy, .partial = scratch };
    int64_t tasks = j.s.batch * j.s.bands;
    j.at = (int64_t *)((char *)scratch + partial_bytes(&j.s));
    j.threads = (real *)((char *)j.at + offset_bytes(&j.s));
    cak_small_offsets(&j.s, j.at);
    CAK_PARALLEL_FOR (i, tasks, j.s.batch * j.s.h * j.s.w * size(&j))
        run_band(&j, i / j.s.bands, i % j.s.bands, j.partial + i * size(&j));
    CAK_PARALLEL_FOR (e, size(&j), tasks * size(&j)) gw[e] = fold(&j, e);
}
