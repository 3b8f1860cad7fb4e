/* Weight gradient of the Winograd convolution: strips of tiles are transformed, then summed over by products, one for each position. */
#include <string.h>

#include "nodes/kernels/wino.h"
#include "nodes/kernels/wino_dw_kernels.h"
#include "nodes/kernels/wino_transform.h"

extern const cak_wino_dw_kernels cak_wino_dw_generic, cak_wino_dw_avx2, cak_wino_dw_avx512;

static const cak_wino_dw_kernels *kernels_get(const cak_isa *isa)
{
    static const cak_wino_dw_kernels *const tables[CAK_ISAS] = {
        [CAK_GENERIC] = &cak_wino_dw_generic, [CAK_AVX2] = &cak_wino_dw_avx2, [CAK_AVX512] = &cak_wino_dw_avx512
    };
    return tables[isa->index];
}

/* gw = G' [ sum over tiles of (B' x B) (A gy A') ] G. The sum in brackets is m, [position][C/16][phase][16 of C][O rounded up to a panel]:
** a chain over the tiles of a strip, then a sum over the strips of a section, then one over the sections, so that rounding errors grow with
** the longest of the three instead of the number of tiles. Strips go on from one sample to the next. */
enum {
    TILES = 128,  /* of a strip: what the product of a position reads then stays in the caches next to a core */
    SECTION = 32, /* strips */
    RUN = 16,     /* tiles that are fetched from memory together */
    PAD = 16      /* keeps the positions of a strip out of each other's cache sets */
};

typedef struct job {
    const cak_wino *g;
    const real *x, *gy;
    int64_t rows, columns, tiles; /* of tiles: of one sample, and of all */
    int64_t strip;                /* tiles of a strip */
    int64_t depth, width;         /* rows and columns of a product: 4 C and O, rounded up */
    real *v, *y;                  /* [position][depth/16][tile][16], [position][panel of O][tile][CAK_WINO_PANEL] */
    real *section;                /* as m; unused where there is only one */
    const cak_wino_transforms *transforms;
    const cak_wino_dw_kernels *kernels;
} job;

static job plan(const cak_wino *g)
{
    job j = { .g = g, .rows = (g->h + CAK_WINO_OUT - 1) / CAK_WINO_OUT, .columns = (g->w + CAK_WINO_OUT - 1) / CAK_WINO_OUT };
    j.tiles = g->batch * j.rows * j.columns;
    j.strip = cak_min64(TILES, j.tiles);
    j.depth = CAK_WINO_PHASES * g->c;
    j.width = cak_wino_panels(g->o) * CAK_WINO_PANEL;
    return j;
}

static int64_t v_position(const job *j) { return j->depth * j->strip + PAD; }
static int64_t y_position(const job *j) { return j->width * j->strip + PAD; }
static int64_t section_reals(const job *j) { return j->tiles > SECTION * TILES ? cak_wino_filter_reals(j->g->c, j->g->o) : 0; }

size_t cak_wino_dw_scratch(const cak_wino *g)
{
    job j = plan(g);
    return (size_t)(CAK_WINO_POSITIONS * (v_position(&j) + y_position(&j)) + section_reals(&j)) * sizeof(real);
}

/* ---- transforms ---- */

typedef struct patch { /* n x n pixels of a block of channels */
    const real *data;
    int64_t line; /* from a row to the next */
} patch;

/* A part of an image [height, width, CAK_LANES]; where it reaches beyond the image it is copied to `edge`, with zeros. */
static patch patch_of(const real *image, int64_t height, int64_t width, int64_t row, int64_t column, int64_t n, real *edge)
{
    if (row >= 0 && column >= 0 && row + n <= height && column + n <= width)
        return (patch){ image + (row * width + column) * CAK_LANES, width * CAK_LANES };
    int64_t from = cak_max64(0, -column), end = cak_min64(n, width - column);
    memset(edge, 0, (size_t)(n * n * CAK_LANES) * sizeof *edge);
    for (int64_t i = cak_max64(0, -row); i < cak_min64(n, height - row); i++)
        memcpy(edge + (i * n + from) * CAK_LANES, image + ((row + i) * width + column + from) * CAK_LANES,
               (size_t)((end - from) * CAK_LANES) * sizeof *edge);
    return (patch){ edge, n * CAK_LANES };
}

/* Tile `first + t`, all channels. */
static void transform_tile(const job *j, int64_t first, int64_t t)
{
    const cak_wino *g = j->g;
    int64_t tile = first + t, sample = tile / (j->rows * j->columns), row = tile / j->columns % j->rows,
            column = tile % j->columns;
    real edge[2 * CAK_WINO_IN * 2 * CAK_WINO_IN * CAK_LANES];
    real *v = j->v + t * CAK_LANES;
    for (int64_t b = 0; b < g->c / CAK_LANES; b++) {
        const real *image = j->x + (sample * g->c / CAK_LANES + b) * g->height * g->width * CAK_LANES;
        patch p = patch_of(image, g->height, g->width, 6 * row - 1, 6 * column - 1, 2 * CAK_WINO_IN, edge);
        for (int phase = 0; phase < CAK_WINO_PHASES; phase++, v += j->strip * CAK_LANES)
            j->transforms->in(p.data + phase / 2 * p.line + phase % 2 * CAK_LANES, 2 * p.line, 2 * CAK_LANES, v, v_position(j));
    }
    for (int64_t b = 0; b < g->o / CAK_LANES; b++) {
        const real *image = j->gy + (sample * g->o / CAK_LANES + b) * g->h * g->w * CAK_LANES;
        patch p = patch_of(image, g->h, g->w, 3 * row, 3 * column, CAK_WINO_OUT, edge);
        int64_t lane = b * CAK_LANES, panel = lane / CAK_WINO_PANEL;
        j->kernels->transform(p.data, p.line, j->y + (panel * j->strip + t) * CAK_WINO_PANEL + lane % CAK_WINO_PANEL,
                              y_position(j));
    }
}

/* Lanes beyond O. */
static void clear_padding(const job *j)
{
    if (j->g->o % CAK_WINO_PANEL == 0) return;
    int64_t last = (cak_wino_panels(j->g->o) - 1) * j->strip * CAK_WINO_PANEL;
    for (int64_t p = 0; p < CAK_WINO_POSITIONS; p++)
        memset(j->y + p * y_position(j) + last, 0, (size_t)(j->strip * CAK_WINO_PANEL) * sizeof *j->y);
}

/* ---- products ---- */

/* While a strip is multiplied, the next one is fetched in runs: a line of an image, RUN tiles long. The lines that a row of tiles shares with
** the one above are left out. */
static int64_t lines_of(const job *j) { return (j->g->c * 2 + j->g->o) / CAK_LANES * CAK_WINO_OUT; }
static int64_t runs_of(const job *j) { return (j->strip + RUN - 1) / RUN * lines_of(j); }

typedef struct run {
    const real *data; /* where to fetch; a hint, may reach beyond an image */
    int64_t reals;
} run;

static run run_of(const job *j, int64_t first, int64_t number)
{
    const cak_wino *g = j->g;
    int64_t tile = first + number / lines_of(j) * RUN, line = number % lines_of(j), x_lines = g->c / CAK_LANES * 6;
    if (tile >= j->tiles) return (run){ j->x, 0 };
    int64_t sample = tile / (j->rows * j->columns), row = tile / j->columns % j->rows, column = tile % j->columns;
    if (line < x_lines) {
        int64_t image = sample * g->c / CAK_LANES + line / 6, y = cak_min64(6 * row + 1 + line % 6, g->height - 1);
        return (run){ j->x + ((image * g->height + y) * g->width + 6 * column) * CAK_LANES, RUN * 6 * CAK_LANES };
    }
    line -= x_lines;
    int64_t image = sample * g->o / CAK_LANES + line / 3, y = cak_min64(3 * row + line % 3, g->h - 1);
    return (run){ j->gy + ((image * g->h + y) * g->w + 3 * column) * CAK_LANES, RUN * 3 * CAK_LANES };
}

/* CAK_LANES rows of the product of a position, with a share of the runs of the next strip. */
static void multiply(const job *j, int64_t first, int64_t n, int64_t item, real *to, bool add)
{
    int64_t blocks = j->depth / CAK_LANES, position = item / blocks, block = item % blocks, items = CAK_WINO_POSITIONS * blocks;
    int64_t next = item * runs_of(j) / items, end = (item + 1) * runs_of(j) / items;
    for (int64_t o = 0; o < j->width; o += CAK_WINO_PANEL) {
        run r = next < end ? run_of(j, first + j->strip, next++) : (run){ j->x, 0 };
        j->kernels->sum(&(cak_wino_dw_sum){ .n = n,
                                            .v = j->v + position * v_position(j) + block * j->strip * CAK_LANES,
                                            .y = j->y + position * y_position(j) + o * j->strip,
                                            .c = to + item * CAK_LANES * j->width + o,
                                            .c_row = j->width,
                                            .add = add,
                                            .ahead = r.data,
                                            .run = r.reals });
    }
}

static void run_strip(const job *j, int64_t first, real *to, bool add)
{
    int64_t n = cak_min64(j->strip, j->tiles - first), blocks = j->depth / CAK_LANES;
    CAK_PARALLEL_FOR (t, n, n * (j->depth + j->width) * CAK_WINO_POSITIONS) transform_tile(j, first, t);
    CAK_PARALLEL_FOR (i, CAK_WINO_POSITIONS * blocks, n * j->depth * j->width * CAK_WINO_POSITIONS)
        multiply(j, first, n, i, to, add);
}

static void add_section(const job *j, real *restrict m, bool add)
{
    int64_t n = cak_wino_filter_reals(j->g->c, j->g->o);
    CAK_PARALLEL_FOR (b, cak_blocks(n), n)
        for (int64_t i = b * CAK_BLOCK; i < cak_min64(n, (b + 1) * CAK_BLOCK); i++) m[i] = j->section[i] + (add ? m[i] : 0);
}

void cak_wino_dw(const cak_wino *g, const real *x, const real *gy, real *m, void *scratch)
{
    job j = plan(g);
    bool sections = section_reals(&j) > 0;
    j.x = x, j.gy = gy;
    j.transforms = cak_wino_transforms_get(cak_isa_get());
    j.kernels = kernels_get(cak_isa_get());
    j.v = scratch;
    j.y = j.v + CAK_WINO_POSITIONS * v_position(&j);
    j.section = j.y + CAK_WINO_POSITIONS * y_position(&j);
    clear_padding(&j);
    for (int64_t first = 0, s = 0; first < j.tiles; first += j.strip, s++) {
        run_strip(&j, first, sections ? j.section : m, s % SECTION > 0);
        if (sections && (s % SECTION == SECTION - 1 || first + j.strip >= j.tiles)) add_section(&j, m, s >= SECTION);
    }
}

/* ---- G' m G ---- */

/* One axis: the two taps of a phase. */
static inline void two_taps(const real m[CAK_WINO_IN], real g[2])
{
    g[0] = (m[1] + m[2]) * (real)0.5 - m[0];
    g[1] = (m[1] - m[2]) * (real)0.5 + m[3];
}

static void transform_filter(const real *m, int64_t position, real *gw)
{
    real rows[CAK_WINO_IN][2], g[2];
    for (int i = 0; i < CAK_WINO_IN; i++) {
        real line[CAK_WINO_IN];
        for (int k = 0; k < CAK_WINO_IN; k++) line[k] = m[(i * CAK_WINO_IN + k) * position];
        two_taps(line, rows[i]);
    }
    for (int k = 0; k < 2; k++) {
        two_taps((real[]){ rows[0][k], rows[1][k], rows[2][k], rows[3][k] }, g);
        gw[2 * k] = g[0], gw[8 + 2 * k] = g[1];
    }
}

void cak_wino_filter_dw(int64_t c, int64_t o, const real *m, real *gw)
{
    int64_t width = cak_wino_panels(o) * CAK_WINO_PANEL, position = CAK_WINO_PHASES * c * width;
    CAK_PARALLEL_FOR (channel, c, position)
        for (int64_t phase = 0; phase < CAK_WINO_PHASES; phase++) {
            int64_t row = (channel / CAK_LANES * CAK_WINO_PHASES + phase) * CAK_LANES + channel % CAK_LANES;
            for (int64_t out = 0; out < o; out++)
                transform_filter(m + row * width + out, position, gw + (out * c + channel) * 16 + phase / 2 * 4 + phase % 2);
        }
}
