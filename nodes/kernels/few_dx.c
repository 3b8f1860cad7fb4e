/* Gradient of the image of few channels: products with pixels as rows and taps as lanes, then the taps that meet at a pixel are added. */
#include <string.h>

#include "nodes/kernels/few.h"
#include "nodes/kernels/few_tile.h"

/* x falls into cells of stride x stride pixels, the first one beginning with the padding. A kernel, with zeros between its taps where it is
** dilated and behind them, is a grid of cells: z[pixel of y] holds what it adds to each pixel of each of them, and a cell of gx is the
** sum over (a, b) of part (a, b) of z at the pixel a rows and b columns before it. */
enum { ROWS = 32 }; /* rows of cells of a strip */

typedef struct job {
    const cak_few *g;
    const cak_few_isa *isa;
    int64_t down, across;  /* cells of a kernel */
    int64_t cell, lanes;   /* numbers of a cell (all channels); of z at a pixel, rounded up to whole vectors */
    int64_t rows, columns; /* cells of x */
    const real *gy;
    real *gx;
    int64_t *at, *ahead; /* of each channel of gy at a pixel; of what is fetched while it is multiplied */
    real *packed;        /* [O][lanes] */
    real *rooms;         /* per thread */
} job;

typedef struct strip { /* rows of cells that one thread computes */
    int64_t sample, from, end;
    real *z;           /* `down` rows, each with across - 1 pixels before it */
    real *pixels;      /* a row of cells: [line of a cell][column] */
    const real **part; /* of z, in the order in which they are added */
} strip;

static int64_t cells(int64_t n, int64_t every) { return (n + every - 1) / every; }

static job plan(const cak_few *g)
{
    int64_t s = g->a.stride, d = g->a.dilation;
    job j = { .g = g, .down = cells((g->kh - 1) * d + 1, s), .across = cells((g->kw - 1) * d + 1, s), .cell = g->c * s * s };
    j.lanes = cak_round_up(j.down * j.across * j.cell, CAK_FEW_LANES);
    j.rows = cells(g->height + g->a.pad, s);
    j.columns = cells(g->width + g->a.pad, s);
    return j;
}

static int64_t parts(const job *j) { return j->down * j->across; }
static int64_t z_row(const job *j) { return (j->across - 1 + j->columns) * j->lanes; }
static int64_t pixel_reals(const job *j) { return cak_round_up(j->columns * j->cell, CAK_FEW_LANES); }
static int64_t room_reals(const job *j)
{
    int64_t pointers = parts(j) * (int64_t)sizeof(void *) / (int64_t)sizeof(real);
    return z_row(j) * j->down + pixel_reals(j) + cak_round_up(pointers, CAK_FEW_LANES);
}

size_t cak_few_dx_scratch(const cak_few *g)
{
    job j = plan(g);
    return (size_t)(g->o * j.lanes + room_reals(&j) * cak_threads()) * sizeof(real) + (size_t)(2 * g->o) * sizeof *j.at;
}

/* Lane ((a * across + b) * C + c) * s * s + i * s + k has tap (a * s + i, b * s + k) of channel c. */
static void pack(const job *j, const real *w)
{
    const cak_few *g = j->g;
    int64_t s = g->a.stride, d = g->a.dilation;
    memset(j->packed, 0, (size_t)(g->o * j->lanes) * sizeof *j->packed);
    for (int64_t o = 0; o < g->o; o++) {
        int64_t block = o / CAK_FEW_LANES * g->h * g->w * CAK_FEW_LANES, lane = o % CAK_FEW_LANES;
        j->at[o] = block + lane;
        j->ahead[o] = block + (CAK_FEW_AHEAD + lane) * CAK_FEW_LANES; /* as many pixels as there are lanes */
        for (int64_t t = 0; t < cak_few_taps(g); t++) {
            int64_t c = t / (g->kh * g->kw), row = t / g->kw % g->kh * d, column = t % g->kw * d;
            int64_t part = (row / s * j->across + column / s) * g->c + c;
            j->packed[o * j->lanes + (part * s + row % s) * s + column % s] = w[o * cak_few_taps(g) + t];
        }
    }
}

static real *z_of(const job *j, const strip *t, int64_t row) { return t->z + (row + j->down) % j->down * z_row(j); }

/* z of row `row` of y, zeros where y has no pixels. */
static void multiply(const job *j, const strip *t, int64_t row)
{
    const cak_few *g = j->g;
    int64_t before = (j->across - 1) * j->lanes, pixels = cak_min64(g->w, j->columns), vectors = j->lanes / j->isa->lanes;
    real *z = z_of(j, t, row);
    if (row < 0 || row >= g->h) {
        memset(z, 0, (size_t)z_row(j) * sizeof *z);
        return;
    }
    memset(z, 0, (size_t)before * sizeof *z);
    memset(z + before + pixels * j->lanes, 0, (size_t)((j->columns - pixels) * j->lanes) * sizeof *z);
    for (int64_t v = 0; v < vectors; v += CAK_FEW_WIDE) {
        real *to = z + before + v * j->isa->lanes;
        cak_few_products(j->isa, (int)cak_min64(CAK_FEW_WIDE, vectors - v), pixels,
                         (cak_few_product){ .k = g->o,
                                            .a = j->gy + (t->sample * g->o * g->h + row * CAK_FEW_LANES) * g->w,
                                            .at = j->at,
                                            .ahead = j->ahead,
                                            .a_row = CAK_FEW_LANES,
                                            .b = j->packed + v * j->isa->lanes,
                                            .b_k = j->lanes,
                                            .c = { to, to + j->isa->lanes },
                                            .c_row = j->lanes });
    }
}

/* A pixel is the sum of its parts of z in their order. */
static void meet(const job *j, const strip *t)
{
    int64_t s = j->g->a.stride;
    for (int64_t i = 0; i < j->columns; i++)
        for (int64_t q = 0; q < j->cell; q++) {
            real sum = t->part[0][i * j->lanes + q];
            for (int64_t p = 1; p < parts(j); p++) sum += t->part[p][i * j->lanes + q];
            t->pixels[(q / s * j->columns + i) * s + q % s] = sum;
        }
}

typedef real quad __attribute__((vector_size(4 * sizeof(real)), aligned(sizeof(real)), may_alias));

/* The same for a kernel of 2 x 2 cells of 2 x 2 pixels. */
static void meet_quads(const job *j, const strip *t)
{
    const real *z0 = t->part[0], *z1 = t->part[1], *z2 = t->part[2], *z3 = t->part[3];
    real *restrict above = t->pixels, *restrict below = above + 2 * j->columns;
    for (int64_t i = 0; i < j->columns; i++, above += 2, below += 2) {
        int64_t at = i * j->lanes;
        quad sum = *(const quad *)(z0 + at) + *(const quad *)(z1 + at) + *(const quad *)(z2 + at) + *(const quad *)(z3 + at);
        above[0] = sum[0], above[1] = sum[1];
        below[0] = sum[2], below[1] = sum[3];
    }
}

static void add_parts(const job *j, const strip *t, int64_t row)
{
    for (int64_t a = 0; a < j->down; a++)
        for (int64_t b = 0; b < j->across; b++) {
            int64_t p = a * j->across + b;
            t->part[p] = z_of(j, t, row - a) + (j->across - 1 - b) * j->lanes + p * j->cell;
        }
    if (j->down == 2 && j->across == 2 && j->cell == 4) meet_quads(j, t);
    else meet(j, t);
}

/* Pixels that are not padding. */
static void put_pixels(const job *j, const strip *t, int64_t row)
{
    const cak_few *g = j->g;
    const real *pixels = t->pixels + g->a.pad;
    int64_t s = g->a.stride;
    for (int64_t line = 0; line < g->c * s; line++, pixels += j->columns * s) {
        int64_t y = row * s + line % s - g->a.pad;
        if (y < 0 || y >= g->height) continue;
        memcpy(j->gx + ((t->sample * g->c + line / s) * g->height + y) * g->width, pixels, (size_t)g->width * sizeof *pixels);
    }
}

static void run_strip(const job *j, strip t)
{
    t.z = j->rooms + room_reals(j) * cak_thread();
    t.pixels = t.z + z_row(j) * j->down;
    t.part = (const real **)(void *)(t.pixels + pixel_reals(j));
    for (int64_t i = t.from - j->down + 1; i < t.from; i++) multiply(j, &t, i);
    for (int64_t i = t.from; i < t.end; i++) {
        multiply(j, &t, i);
        add_parts(j, &t, i);
        put_pixels(j, &t, i);
    }
}

void cak_few_dx(const cak_few *g, const real *gy, const real *w, real *gx, void *scratch)
{
    job j = plan(g);
    j.isa = cak_few_isa_get();
    j.gy = gy, j.gx = gx;
    j.packed = scratch;
    j.rooms = j.packed + g->o * j.lanes;
    j.at = (int64_t *)(void *)(j.rooms + room_reals(&j) * cak_threads());
    j.ahead = j.at + g->o;
    pack(&j, w);
    int64_t strips = cells(j.rows, ROWS);
    CAK_PARALLEL_FOR (i, g->batch * strips, g->batch * g->h * g->w * g->o * j.lanes) {
        int64_t from = i % strips * ROWS;
        run_strip(&j, (strip){ .sample = i / strips, .from = from, .end = cak_min64(j.rows, from + ROWS) });
    }
}
