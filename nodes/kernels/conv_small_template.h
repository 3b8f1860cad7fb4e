/* The kernels of conv_small.h for one instruction set; the including file defines its table's name, width of vectors and vectors of a row. */
#include "nodes/kernels/conv_small.h"

enum {
    LANES = VECTOR_BYTES / sizeof(real),
    ROWS = CAK_SMALL_ROWS,
    SIDE = CAK_SMALL_SIDE,
    AHEAD = 4 * CAK_SMALL_LANES /* columns between those that are multiplied and those that are fetched from memory */
};
typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
#define INLINE __attribute__((always_inline)) static inline

/* Rows are short: whole vectors, the last of which overlaps its neighbour, cost less than calls of memcpy. */
INLINE void move(real *to, const real *from, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) *(vec *)(to + i) = *(const vec *)(from + i);
    if (n >= LANES && i < n) *(vec *)(to + n - LANES) = *(const vec *)(from + n - LANES);
    else
        for (; i < n; i++) to[i] = from[i];
}

/* Zeros may run over into what is written later. */
static void pad(const cak_small_rows *r)
{
    for (int64_t row = 0; row < r->rows; row++) {
        real *to = r->to + row * r->to_row;
        for (int64_t i = 0; i < r->left; i += LANES) *(vec *)(to + i) = (vec){ 0 };
        move(to + r->left, r->from + row * r->from_row, r->n);
        for (int64_t i = r->left + r->n; i < r->to_row; i += LANES) *(vec *)(to + i) = (vec){ 0 };
    }
}

/* sum[i][v] += w * x for the outputs of row i, for the taps of a kernel of 3 x 3 next to each other: what rows share is read once. */
INLINE void add_shared(const int rows, const int wide, const real *const *row, int64_t at, const real *w, vec (*sum)[WIDE])
{
#pragma GCC unroll 8
    for (int r = 0; r < rows + SIDE - 1; r++)
#pragma GCC unroll 4
        for (int l = 0; l < SIDE; l++)
#pragma GCC unroll 4
            for (int v = 0; v < wide; v++) {
                vec a = *(const vec *)(row[r] + at + l + v * LANES);
#pragma GCC unroll 4
                for (int i = 0; i < rows; i++)
                    if (r >= i && r < i + SIDE) sum[i][v] += a * w[(r - i) * SIDE + l];
            }
}

/* The same for any kernel. */
INLINE void add_taps(const int rows, const int wide, const cak_small_chain *c, const real *const *row, int64_t at, const real *w,
                     vec (*sum)[WIDE])
{
    for (int64_t k = 0; k < c->kh; k++, at += c->k_step)
        for (int64_t l = 0; l < c->kw; l++, w++) {
            int64_t from = at + l * c->l_step;
#pragma GCC unroll 4
            for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
                for (int v = 0; v < wide; v++) sum[i][v] += *(const vec *)(row[i] + from + v * LANES) * *w;
        }
}

INLINE void block(const int rows, const int wide, const bool shared, const cak_small_chain *c, const real *const *row, int64_t at,
                  real *y, int64_t y_row)
{
    vec sum[ROWS][WIDE] = { 0 };
    const real *w = c->w;
    for (int64_t channel = 0; channel < c->channels; channel++, at += c->plane, w += c->kh * c->kw)
        if (shared) add_shared(rows, wide, row, at, w, sum);
        else add_taps(rows, wide, c, row, at, w, sum);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < wide; v++) *(vec *)(y + i * y_row + v * LANES) = sum[i][v];
}

INLINE void chains(const int rows, const bool shared, const cak_small_chain *c)
{
    const real *row[ROWS + SIDE - 1]; /* bases for a common index: registers for addresses are few */
    const int read = shared ? rows + SIDE - 1 : rows;
    int64_t j = 0;
#pragma GCC unroll 8
    for (int r = 0; r < read; r++) row[r] = c->x + r * c->x_row;
    for (; j + WIDE * LANES <= c->n; j += WIDE * LANES) block(rows, WIDE, shared, c, row, j, c->y + j, c->y_row);
    for (; j + LANES <= c->n; j += LANES) block(rows, 1, shared, c, row, j, c->y + j, c->y_row);
    if (j == c->n) return;
    real last[ROWS * LANES];
    block(rows, 1, shared, c, row, j, last, LANES);
    for (int i = 0; i < rows; i++)
        for (int64_t k = j; k < c->n; k++) c->y[i * c->y_row + k] = last[i * LANES + k - j];
}

INLINE void chain(const int rows, const cak_small_chain *c)
{
    if (c->kh == SIDE && c->kw == SIDE && c->l_step == 1) chains(rows, true, c);
    else chains(rows, false, c);
}

#define TILE(rows) \
    static void chain_##rows(const cak_small_chain *c) { chain(rows, c); }
TILE(1)
TILE(2)
TILE(3)
TILE(4)
#undef TILE
static cak_small_chain_tile *const all_chains[] = { chain_1, chain_2, chain_3, chain_4 };
_Static_assert(sizeof all_chains / sizeof *all_chains == ROWS, "one tile per number of rows");

/* Down the rows of one column of lanes after the other: a row of gy stays in registers for all the rows of x that it meets. */
INLINE void dots(const int kh, const int kw, const cak_small_dots *d)
{
    for (int part = 0; part < CAK_SMALL_LANES; part += LANES) {
        vec sum[SIDE][SIDE] = { 0 };
        for (int64_t j = part; j < d->n; j += CAK_SMALL_LANES) {
            const real *x = d->x + j, *g = d->g + j;
            vec row[SIDE] = { 0 };
            for (int64_t r = 0; r < d->rows + kh - 1; r++, x += d->x_row, g += d->g_row) {
#pragma GCC unroll 2
                for (int k = kh - 1; k > 0; k--) row[k] = row[k - 1];
                __builtin_prefetch(g + AHEAD);
                row[0] = r < d->rows ? *(const vec *)g : (vec){ 0 };
#pragma GCC unroll 4
                for (int l = 0; l < kw; l++) {
                    vec a = *(const vec *)(x + l * d->l_step);
#pragma GCC unroll 4
                    for (int k = 0; k < kh; k++) sum[k][l] += a * row[k];
                }
            }
        }
#pragma GCC unroll 4
        for (int k = 0; k < kh; k++)
#pragma GCC unroll 4
            for (int l = 0; l < kw; l++) *(vec *)(d->sum + (k * kw + l) * CAK_SMALL_LANES + part) = sum[k][l];
    }
}

#define TILES TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(2, 1) TILE(2, 2) TILE(2, 3) TILE(3, 1) TILE(3, 2) TILE(3, 3)
#define TILE(kh, kw) \
    static void dots_##kh##_##kw(const cak_small_dots *d) { dots(kh, kw, d); }
TILES
#undef TILE
#define TILE(kh, kw) [kh - 1][kw - 1] = dots_##kh##_##kw,

extern const cak_small_isa SMALL_TABLE;
const cak_small_isa SMALL_TABLE = { .pad = pad, .chain = all_chains, .dots = { TILES } };
