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
    int64_t *at;  /* of each channel of gy at a pixel */
    real *packed; /* [O][lanes] */
    real *rooms;  /* per thread: `down` rows of z with across - 1 pixels of zeros before them, then a row of cells */
} job;

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

static int64_t z_row(const job *j) { return (j->across - 1 + j->columns) * j->lanes; }
static int64_t room_reals(const job *j) { return cak_round_up(z_row(j) * j->down + j->columns * j->cell, CAK_FEW_LANES); }

size_t cak_few_dx_scratch(const cak_few *g)
{
    job j = plan(g);
    return (size_t)(g->o * j.lanes + room_reals(&j) * cak_threads()) * sizeof(real) +
           (size_t)cak_round_up(g->o, CAK_FEW_LANES) * sizeof *j.at;
}

/* Lane ((a * across + b) * C + c) * s * s + i * s + k has tap (a * s + i, b * s + k) of channel c. */
static void pack(const job *j, const real *w)
{
    const cak_few *g = j->g;
    int64_t s = g->a.stride, d = g->a.dilation;
    memset(j->packed, 0, (size_t)(g->o * j->lanes) * sizeof *j->packed);
    for (int64_t o = 0; o < g->o; o++) {
        j->at[o] = o / CAK_FEW_LANES * g->h * g->w * CAK_FEW_LANES + o % CAK_FEW_LANES;
        for (int64_t t = 0; t < cak_few_taps(g); t++) {
            int64_t c = t / (g->kh * g->kw), row = t / g->kw % g->kh * d, column = t % g->kw * d;
            int64_t part = (row / s * j->across + column / s) * g->c + c;
            j->packed[o * j->lanes + (part * s + row % s) * s + column % s] = w[o * cak_few_taps(g) + t];
        }
    }
}

static real *z_of(const job *j, real *room, int64_t row) { return room + (row + j->down) % j->down * z_row(j); }

/* z of row `row` of y, zeros where y has no pixels. */
static void products(const job *j, int64_t sample, int64_t row, real *z)
{
    const cak_few *g = j->g;
    int64_t before = (j->across - 1) * j->lanes, pixels = cak_min64(g->w, j->columns), vectors = j->lanes / j->isa->lanes;
    if (row < 0 || row >= g->h) {
        memset(z, 0, (size_t)z_row(j) * sizeof *z);
        return;
    }
    memset(z, 0, (size_t)before * sizeof *z);
    memset(z + before + pixels * j->lanes, 0, (size_t)((j->columns - pixels) * j->lanes) * sizeof *z);
    for (int64_t v = 0; v < vectors; v += CAK_FEW_WIDE) {
        int wide = (int)cak_min64(CAK_FEW_WIDE, vectors - v);
        real *to = z + before + v * j->isa->lanes;
        cak_few_products(j->isa, wide, pixels,
                         (cak_few_product){ .k = g->o,
                                            .a = j->gy + (sample * g->o * g->h + row * CAK_FEW_LANES) * g->w,
                                            .at = j->at,
                                            .a_row = CAK_FEW_LANES,
                                            .b = j->packed + v * j->isa->lanes,
                                            .b_k = j->lanes,
                                            .c = { to, to + j->isa->lanes },
                                            .c_row = j->lanes });
    }
}

/* One row of cells: in a cell, the parts are added in their order. */
__attribute__((always_inline)) static inline void meet(const job *j, const int64_t cell, int64_t row, real *room,
                                                       real *restrict to)
{
    for (int64_t a = 0; a < j->down; a++)
        for (int64_t b = 0; b < j->across; b++) {
            const real *restrict z = z_of(j, room, row - a) + (j->across - 1 - b) * j->lanes + (a * j->across + b) * cell;
            bool add = a + b > 0;
            for (int64_t i = 0; i < j->columns; i++)
                for (int64_t q = 0; q < cell; q++) to[i * cell + q] = z[i * j->lanes + q] + (add ? to[i * cell + q] : 0);
        }
}

/* Numbers of one line of the cells of a row go to a row of x: s of each cell, the padding left out. */
static void put_row(const job *j, const real *from, real *to)
{
    int64_t s = j->g->a.stride, pad = j->g->a.pad, width = j->g->width;
    int64_t first = cells(pad, s), end = cak_max64(first, (width + pad) / s);
    for (int64_t i = 0; i < j->columns; i++) {
        if (i == first) /* whole cells */
            for (; i < end; i++)
                for (int64_t k = 0; k < s; k++) to[i * s + k - pad] = from[i * j->cell + k];
        for (int64_t k = 0; k < s && i < j->columns; k++)
            if (i * s + k >= pad && i * s + k - pad < width) to[i * s + k - pad] = from[i * j->cell + k];
    }
}

static void put_cells(const job *j, int64_t sample, int64_t row, const real *from)
{
    const cak_few *g = j->g;
    int64_t s = g->a.stride;
    for (int64_t c = 0; c < g->c; c++)
        for (int64_t i = 0; i < s; i++) {
            int64_t y = row * s + i - g->a.pad;
            if (y >= 0 && y < g->height)
                put_row(j, from + (c * s + i) * s, j->gx + ((sample * g->c + c) * g->height + y) * g->width);
        }
}

static void run_strip(const job *j, int64_t sample, int64_t from, int64_t end)
{
    real *room = j->rooms + room_reals(j) * cak_thread(), *row = room + z_row(j) * j->down;
    for (int64_t i = from - j->down + 1; i < from; i++) products(j, sample, i, z_of(j, room, i));
    for (int64_t i = from; i < end; i++) {
        products(j, sample, i, z_of(j, room, i));
        if (j->cell == 4) meet(j, 4, i, room, row);
        else meet(j, j->cell, i, room, row);
        put_cells(j, sample, i, row);
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
    pack(&j, w);
    int64_t strips = cells(j.rows, ROWS);
    CAK_PARALLEL_FOR (s, g->batch * strips, g->batch * g->h * g->w * g->o * j.lanes) {
        int64_t from = s % strips * ROWS;
        run_strip(&j, s / strips, from, cak_min64(j.rows, from + ROWS));
    }
}
