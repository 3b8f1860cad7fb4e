/* Winograd convolution forward and backward: blocks of tiles are transformed, multiplied with the filters and transformed back in cache. */
#include "nodes/kernels/wino.h"

#include <string.h>

#include "nodes/kernels/gemm.h"
#include "nodes/kernels/wino_transform.h"

extern const cak_wino_transforms cak_wino_generic, cak_wino_avx2, cak_wino_avx512;

const cak_wino_transforms *cak_wino_transforms_get(const cak_isa *isa)
{
    static const cak_wino_transforms *const tables[CAK_ISAS] = {
        [CAK_GENERIC] = &cak_wino_generic, [CAK_AVX2] = &cak_wino_avx2, [CAK_AVX512] = &cak_wino_avx512
    };
    return tables[isa->index];
}

enum {
    TILES = 36, /* most tiles of a block: what a block needs then stays in the second-level cache */
    PAD = 16    /* keeps the positions of a block out of each other's cache sets */
};

typedef struct image {
    int64_t blocks, height, width; /* [batch, blocks, height, width, CAK_LANES] */
    int64_t phases;                /* on each axis: 2 for the finer image of the convolution, 1 for the coarser one */
} image;

/* A tile reads 4 * phases rows and columns of `in` and writes 3 * phases of `out`. */
typedef struct job {
    image in, out;
    const real *x, *u;
    real *y, *scratch;
    int64_t rows, columns, tiles; /* of tiles: of one sample, and of all */
    int64_t block;                /* tiles of a block */
    int64_t depth, panels;        /* blocks of CAK_LANES that a product sums over; panels of its columns */
    const cak_isa *isa;
    const cak_wino_transforms *transforms;
} job;

typedef struct place { /* of a tile */
    int64_t sample, row, column;
} place;

static int64_t v_position(const job *j) { return j->depth * j->block * CAK_LANES + PAD; }
static int64_t m_position(const job *j) { return j->block * CAK_WINO_PANEL + PAD; }
static int64_t thread_reals(const job *j) { return CAK_WINO_POSITIONS * (v_position(j) + m_position(j)); }

static place place_of(const job *j, int64_t tile)
{
    return (place){ tile / (j->rows * j->columns), tile / j->columns % j->rows, tile % j->columns };
}

static int64_t block_at(const image *im, int64_t sample, int64_t block, int64_t row, int64_t column)
{
    return (((sample * im->blocks + block) * im->height + row) * im->width + column) * CAK_LANES;
}

static bool inside(const image *im, int64_t row, int64_t column, int64_t n)
{
    return row >= 0 && column >= 0 && row + n <= im->height && column + n <= im->width;
}

/* n rows and columns of a block of channels with zeros outside of the image. */
static void copy_patch(const job *j, place at, int64_t block, int64_t row, int64_t column, int64_t n, real *to)
{
    int64_t from = cak_max64(0, -column), end = cak_min64(n, j->in.width - column);
    memset(to, 0, (size_t)(n * n * CAK_LANES) * sizeof *to);
    for (int64_t i = cak_max64(0, -row); i < cak_min64(n, j->in.height - row); i++)
        if (from < end)
            memcpy(to + (i * n + from) * CAK_LANES, j->x + block_at(&j->in, at.sample, block, row + i, column + from),
                   (size_t)((end - from) * CAK_LANES) * sizeof *to);
}

static void transform_in(const job *j, place at, real *v)
{
    real edge[8 * 8 * CAK_LANES];
    int64_t s = j->in.phases, n = CAK_WINO_IN * s, row = CAK_WINO_OUT * s * at.row - 1, column = CAK_WINO_OUT * s * at.column - 1;
    bool whole = inside(&j->in, row, column, n);
    int64_t line = (whole ? j->in.width : n) * CAK_LANES;
    for (int64_t b = 0; b < j->in.blocks; b++) {
        if (!whole) copy_patch(j, at, b, row, column, n, edge);
        const real *x = whole ? j->x + block_at(&j->in, at.sample, b, row, column) : edge;
        for (int64_t p = 0; p < s * s; p++, v += j->block * CAK_LANES)
            j->transforms->in(x + p / s * line + p % s * CAK_LANES, s * line, s * CAK_LANES, v, v_position(j));
    }
}

/* The part of a tile that lies in the image. */
static void copy_tile(const job *j, place at, int64_t block, int64_t row, int64_t column, const real *from)
{
    int64_t s = j->out.phases;
    for (int64_t i = 0; i < CAK_WINO_OUT; i++)
        for (int64_t k = 0; k < CAK_WINO_OUT; k++) {
            int64_t r = row + i * s, c = column + k * s;
            if (r < 0 || c < 0 || r >= j->out.height || c >= j->out.width) continue;
            memcpy(j->y + block_at(&j->out, at.sample, block, r, c), from + (i * CAK_WINO_OUT + k) * CAK_LANES,
                   CAK_LANES * sizeof *from);
        }
}

/* Half h of a panel: a block of channels of the coarser image, or a column phase of the finer one. */
static void transform_out(const job *j, place at, int64_t panel, int64_t h, const real *m)
{
    real edge[CAK_WINO_OUT * CAK_WINO_OUT * CAK_LANES];
    int64_t s = j->out.phases, step = CAK_WINO_OUT * s, half = panel * 2 + h, block = half / (s * s), phase = half % (s * s);
    int64_t row = step * at.row + phase / s, column = step * at.column + phase % s;
    if (s == 2) row--, column--; /* the first row and column are those of the padding */
    if (block >= j->out.blocks) return;
    if (inside(&j->out, row, column, step - s + 1)) {
        j->transforms->out(m, m_position(j), j->y + block_at(&j->out, at.sample, block, row, column),
                           s * j->out.width * CAK_LANES, s * CAK_LANES);
        return;
    }
    j->transforms->out(m, m_position(j), edge, CAK_WINO_OUT * CAK_LANES, CAK_LANES);
    copy_tile(j, at, block, row, column, edge);
}

/* m[position][tile][panel] = v[position] times a panel of filters */
static void multiply(const job *j, int64_t n, const real *v, const real *u, real *m)
{
    int64_t groups = cak_gemm_tiles(j->isa, n);
    for (int64_t p = 0; p < CAK_WINO_POSITIONS; p++, u += j->depth * CAK_LANES * CAK_WINO_PANEL)
        for (int64_t g = 0; g < groups; g++) {
            int64_t row = cak_gemm_tile_row(n, groups, g), rows = cak_gemm_tile_row(n, groups, g + 1) - row;
            for (int64_t lane = 0; lane < CAK_WINO_PANEL; lane += j->isa->nr)
                j->isa->tile_rows[rows - 1](j->depth, v + p * v_position(j) + row * CAK_LANES, j->block * CAK_LANES, u + lane,
                                            m + p * m_position(j) + row * CAK_WINO_PANEL + lane, false);
        }
}

static void run_block(const job *j, int64_t first)
{
    int64_t n = cak_min64(j->block, j->tiles - first);
    real *v = j->scratch + thread_reals(j) * cak_thread(), *m = v + CAK_WINO_POSITIONS * v_position(j);
    for (int64_t t = 0; t < n; t++) transform_in(j, place_of(j, first + t), v + t * CAK_LANES);
    for (int64_t panel = 0; panel < j->panels; panel++) {
        multiply(j, n, v, j->u + panel * CAK_WINO_POSITIONS * j->depth * CAK_LANES * CAK_WINO_PANEL, m);
        for (int64_t t = 0; t < n; t++)
            for (int64_t h = 0; h < 2; h++)
                transform_out(j, place_of(j, first + t), panel, h, m + t * CAK_WINO_PANEL + h * CAK_LANES);
    }
}

static void run(job *j, const real *x, const real *u, real *y, void *scratch)
{
    j->x = x, j->u = u, j->y = y, j->scratch = scratch;
    j->isa = cak_isa_get();
    j->transforms = cak_wino_transforms_get(j->isa);
    CAK_PARALLEL_FOR (b, (j->tiles + j->block - 1) / j->block, j->tiles * j->depth * j->panels * CAK_GEMM_STEP)
        run_block(j, b * j->block);
}

static job cut(int64_t batch, image in, image out, int64_t rows, int64_t columns)
{
    job j = { .in = in, .out = out, .rows = rows, .columns = columns, .tiles = batch * rows * columns };
    j.block = cak_min64(TILES, j.tiles);
    j.depth = in.blocks * in.phases * in.phases;
    j.panels = cak_wino_panels(out.blocks * out.phases * out.phases * CAK_LANES);
    return j;
}

static int64_t ceil_div(int64_t n, int64_t by) { return (n + by - 1) / by; }

static job forward_job(const cak_wino *g)
{
    image x = { g->c / CAK_LANES, g->height, g->width, 2 }, y = { g->o / CAK_LANES, g->h, g->w, 1 };
    return cut(g->batch, x, y, ceil_div(g->h, CAK_WINO_OUT), ceil_div(g->w, CAK_WINO_OUT));
}

/* Tiles of dx begin in the padding. */
static job dx_job(const cak_wino *g)
{
    image x = { g->c / CAK_LANES, g->height, g->width, 2 }, y = { g->o / CAK_LANES, g->h, g->w, 1 };
    return cut(g->batch, y, x, ceil_div(g->height + 1, 2 * CAK_WINO_OUT), ceil_div(g->width + 1, 2 * CAK_WINO_OUT));
}

static size_t scratch_bytes(const job *j) { return (size_t)(thread_reals(j) * cak_threads()) * sizeof(real); }

size_t cak_wino_forward_scratch(const cak_wino *g)
{
    job j = forward_job(g);
    return scratch_bytes(&j);
}

void cak_wino_forward(const cak_wino *g, const real *x, const real *u, real *y, void *scratch)
{
    job j = forward_job(g);
    run(&j, x, u, y, scratch);
}

size_t cak_wino_dx_scratch(const cak_wino *g)
{
    job j = dx_job(g);
    return scratch_bytes(&j);
}

void cak_wino_dx(const cak_wino *g, const real *gy, const real *u, real *gx, void *scratch)
{
    job j = dx_job(g);
    run(&j, gy, u, gx, scratch);
}
