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
    TILES = 24, /* most tiles of a block: what a block needs then stays in the second-level cache */
    ROWS = 6,   /* most rows of the smallest kernel */
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

typedef struct block {
    int64_t n;                        /* tiles */
    place at[2 * TILES];              /* and those of the next block */
    int64_t next;                     /* tiles of the next block */
    int64_t groups, first[TILES + 1]; /* tiles that a kernel multiplies together: from first[g] to first[g + 1] */
    real *v, *m;
    const real **ahead; /* places to prefetch while a panel is multiplied */
} block;

static int64_t ceil_div(int64_t n, int64_t by) { return (n + by - 1) / by; }

static int64_t v_position(const job *j) { return j->depth * j->block * CAK_LANES + PAD; }
static int64_t m_position(const job *j) { return j->block * CAK_WINO_PANEL + PAD; }

/* Places that the kernels of one panel prefetch when there are so many groups of tiles. */
static int64_t ahead_places(const job *j, int64_t groups) { return CAK_WINO_POSITIONS * groups * j->depth * CAK_GEMM_AHEAD; }

static int64_t thread_reals(const job *j)
{
    int64_t places = ahead_places(j, ceil_div(j->block, ROWS)) * (int64_t)(sizeof(void *) / sizeof(real));
    return CAK_WINO_POSITIONS * (v_position(j) + m_position(j)) + cak_round_up(places, PAD);
}

static void next_place(const job *j, place *at)
{
    if (++at->column < j->columns) return;
    at->column = 0;
    if (++at->row < j->rows) return;
    at->row = 0;
    at->sample++;
}

static void open_block(const job *j, int64_t first, block *b)
{
    place at = { first / (j->rows * j->columns), first / j->columns % j->rows, first % j->columns };
    b->n = cak_min64(j->block, j->tiles - first);
    b->next = cak_min64(j->block, j->tiles - first - b->n);
    for (int64_t t = 0; t < b->n + b->next; t++, next_place(j, &at)) b->at[t] = at;
    b->groups = cak_gemm_tiles(j->isa, b->n);
    for (int64_t g = 0; g <= b->groups; g++) b->first[g] = cak_gemm_tile_row(b->n, b->groups, g);
    b->v = j->scratch + thread_reals(j) * cak_thread();
    b->m = b->v + CAK_WINO_POSITIONS * v_position(j);
    b->ahead = (const real **)(void *)(b->m + CAK_WINO_POSITIONS * m_position(j));
}

static int64_t offset(const image *im, int64_t sample, int64_t channels, int64_t row, int64_t column)
{
    return (((sample * im->blocks + channels) * im->height + row) * im->width + column) * CAK_LANES;
}

static bool inside(const image *im, int64_t row, int64_t column, int64_t n)
{
    return row >= 0 && column >= 0 && row + n <= im->height && column + n <= im->width;
}

/* n rows and columns of a block of channels with zeros outside of the image. */
static void copy_patch(const job *j, place at, int64_t channels, int64_t row, int64_t column, int64_t n, real *to)
{
    const int64_t pixel = CAK_LANES * (int64_t)sizeof *to;
    int64_t from = cak_min64(n, cak_max64(0, -column)), end = cak_max64(from, cak_min64(n, j->in.width - column));
    for (int64_t i = 0; i < n; i++, to += n * CAK_LANES) {
        if (row + i < 0 || row + i >= j->in.height) {
            memset(to, 0, (size_t)(n * pixel));
            continue;
        }
        if (from > 0) memset(to, 0, (size_t)(from * pixel));
        memcpy(to + from * CAK_LANES, j->x + offset(&j->in, at.sample, channels, row + i, column + from),
               (size_t)((end - from) * pixel));
        if (end < n) memset(to + end * CAK_LANES, 0, (size_t)((n - end) * pixel));
    }
}

/* All phases of one block of channels. */
static void transform_in(const job *j, place at, int64_t channels, real *v)
{
    real edge[8 * 8 * CAK_LANES];
    int64_t s = j->in.phases, n = CAK_WINO_IN * s, row = CAK_WINO_OUT * s * at.row - 1, column = CAK_WINO_OUT * s * at.column - 1;
    int64_t line = n * CAK_LANES;
    const real *x = edge;
    if (inside(&j->in, row, column, n)) {
        x = j->x + offset(&j->in, at.sample, channels, row, column);
        line = j->in.width * CAK_LANES;
    } else copy_patch(j, at, channels, row, column, n, edge);
    for (int64_t i = 0; i < s; i++)
        for (int64_t k = 0; k < s; k++, v += j->block * CAK_LANES)
            j->transforms->in(x + i * line + k * CAK_LANES, s * line, s * CAK_LANES, v, v_position(j));
}

/* The part of a tile that lies in the image. */
static void copy_tile(const job *j, place at, int64_t channels, int64_t row, int64_t column, const real *from)
{
    int64_t s = j->out.phases;
    for (int64_t i = 0; i < CAK_WINO_OUT; i++)
        for (int64_t k = 0; k < CAK_WINO_OUT; k++) {
            int64_t r = row + i * s, c = column + k * s;
            if (r < 0 || c < 0 || r >= j->out.height || c >= j->out.width) continue;
            memcpy(j->y + offset(&j->out, at.sample, channels, r, c), from + (i * CAK_WINO_OUT + k) * CAK_LANES,
                   CAK_LANES * sizeof *from);
        }
}

/* Half of a panel: a block of channels of the coarser image, or a column phase of the finer one, where the first tile begins in the
** padding. */
static void transform_out(const job *j, place at, int64_t channels, int64_t phase, const real *m)
{
    real edge[CAK_WINO_OUT * CAK_WINO_OUT * CAK_LANES];
    int64_t s = j->out.phases, step = CAK_WINO_OUT * s;
    int64_t row = step * at.row + phase / 2 - (s - 1), column = step * at.column + phase % 2 - (s - 1);
    if (inside(&j->out, row, column, step - s + 1)) {
        j->transforms->out(m, m_position(j), j->y + offset(&j->out, at.sample, channels, row, column),
                           s * j->out.width * CAK_LANES, s * CAK_LANES);
        return;
    }
    j->transforms->out(m, m_position(j), edge, CAK_WINO_OUT * CAK_LANES, CAK_LANES);
    copy_tile(j, at, channels, row, column, edge);
}

/* Where the tile's output of half a panel goes: three pixels of each row. */
static int64_t plan_out(const job *j, place at, int64_t half, int64_t n, int64_t places, const real **ahead)
{
    int64_t s = j->out.phases, step = CAK_WINO_OUT * s, channels = half / (s * s);
    int64_t row = step * at.row + half / s % s - (s - 1), column = step * at.column + half % s * CAK_WINO_OUT;
    if (column >= j->out.width) return n;
    for (int64_t i = 0; i < CAK_WINO_OUT && n < places; i++)
        if (row + i * s >= 0 && row + i * s < j->out.height)
            ahead[n++] = j->y + offset(&j->out, at.sample, channels, row + i * s, column);
    return n;
}

/* What a tile reads of a block of channels and the tile before it does not. */
static int64_t plan_in(const job *j, place at, int64_t channels, int64_t n, int64_t places, const real **ahead)
{
    int64_t s = j->in.phases, row = CAK_WINO_OUT * s * at.row - 1, column = CAK_WINO_OUT * s * at.column - 1 + s;
    int64_t first = cak_max64(0, -row), end = cak_min64(CAK_WINO_IN * s, j->in.height - row), room = (places - n) / s;
    const real *x = j->x + offset(&j->in, at.sample, channels, row + first, column);
    for (int64_t i = first; i < cak_min64(end, first + room); i++, x += j->in.width * CAK_LANES)
        for (int64_t k = 0; k < s; k++) ahead[n++] = x + k * CAK_WINO_OUT * CAK_LANES;
    return n;
}

/* While a panel is multiplied, its outputs come near and a share of the inputs of the next block. */
static void plan(const job *j, const block *b, int64_t panel)
{
    int64_t places = ahead_places(j, b->groups), n = 0, inputs = j->in.blocks * b->next;
    for (int64_t half = 2 * panel; half < cak_min64(2 * panel + 2, j->out.blocks * j->out.phases * j->out.phases); half++)
        for (int64_t t = 0; t < b->n; t++) n = plan_out(j, b->at[t], half, n, places, b->ahead);
    for (int64_t i = panel * inputs / j->panels; i < (panel + 1) * inputs / j->panels; i++)
        n = plan_in(j, b->at[b->n + i % b->next], i / b->next, n, places, b->ahead);
    while (n < places) b->ahead[n++] = b->v;
}

/* m[position][tile][panel] = v[position] times a panel of filters */
static void multiply(const job *j, const block *b, const real *u)
{
    const real *v = b->v;
    const real *const *ahead = b->ahead;
    real *m = b->m;
    for (int64_t p = 0; p < CAK_WINO_POSITIONS; p++, v += v_position(j), m += m_position(j)) {
        for (int64_t g = 0; g < b->groups; g++, ahead += j->depth * CAK_GEMM_AHEAD) {
            cak_gemm_ahead *kernel = j->isa->tile_ahead[b->first[g + 1] - b->first[g] - 1];
            for (int64_t lane = 0; lane < CAK_WINO_PANEL; lane += j->isa->nr)
                kernel(j->depth, v + b->first[g] * CAK_LANES, j->block * CAK_LANES, u + lane,
                       m + b->first[g] * CAK_WINO_PANEL + lane, ahead);
        }
        u += j->depth * CAK_LANES * CAK_WINO_PANEL;
    }
}

static void run_block(const job *j, int64_t first)
{
    block b;
    open_block(j, first, &b);
    int64_t phases = j->in.phases * j->in.phases, out_phases = j->out.phases * j->out.phases;
    for (int64_t c = 0; c < j->in.blocks; c++)
        for (int64_t t = 0; t < b.n; t++) transform_in(j, b.at[t], c, b.v + (c * phases * j->block + t) * CAK_LANES);
    for (int64_t half = 0; half < j->out.blocks * out_phases; half++) {
        if (half % 2 == 0) {
            plan(j, &b, half / 2);
            multiply(j, &b, j->u + half / 2 * CAK_WINO_POSITIONS * j->depth * CAK_LANES * CAK_WINO_PANEL);
        }
        for (int64_t t = 0; t < b.n; t++)
            transform_out(j, b.at[t], half / out_phases, half % out_phases, b.m + t * CAK_WINO_PANEL + half % 2 * CAK_LANES);
    }
}

static void run(job *j, const real *x, const real *u, real *y, void *scratch)
{
    j->x = x, j->u = u, j->y = y, j->scratch = scratch;
    j->isa = cak_isa_get();
    j->transforms = cak_wino_transforms_get(j->isa);
    CAK_PARALLEL_FOR (i, ceil_div(j->tiles, j->block), j->tiles * j->depth * j->panels * CAK_GEMM_STEP)
        run_block(j, i * j->block);
}

static job cut(int64_t batch, image in, image out, int64_t rows, int64_t columns)
{
    job j = { .in = in, .out = out, .rows = rows, .columns = columns, .tiles = batch * rows * columns };
    j.block =
        ceil_div(j.tiles, ceil_div(j.tiles, TILES)); /* blocks of few tiles are as long as each other, for threads to share */
    j.depth = in.blocks * in.phases * in.phases;
    j.panels = cak_wino_panels(out.blocks * out.phases * out.phases * CAK_LANES);
    return j;
}

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
