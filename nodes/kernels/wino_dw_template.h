/* The kernels of wino_dw_kernels.h for one instruction set; the including file defines the table's name, the vector width and the tiles of
** rows that fit into the registers. */
#include "nodes/kernels/wino.h"
#include "nodes/kernels/wino_dw_kernels.h"

enum { WIDTH = VECTOR_BYTES / sizeof(real) };
typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

static inline vec load(const real *from) { return *(const vec *)from; }
static inline void store(real *to, vec value) { *(vec *)to = value; }

static void transform(const real *restrict gy, int64_t row, real *restrict to, int64_t position)
{
    for (int lane = 0; lane < CAK_LANES; lane += WIDTH, gy += WIDTH, to += WIDTH) {
        vec lines[CAK_WINO_IN][CAK_WINO_OUT];
#pragma GCC unroll 3
        for (int k = 0; k < CAK_WINO_OUT; k++) {
            const real *at = gy + k * CAK_LANES;
            vec sum = load(at) + load(at + 2 * row);
            lines[0][k] = load(at);
            lines[1][k] = sum + load(at + row);
            lines[2][k] = sum - load(at + row);
            lines[3][k] = load(at + 2 * row);
        }
#pragma GCC unroll 4
        for (int i = 0; i < CAK_WINO_IN; i++) {
            real *line = to + i * CAK_WINO_IN * position;
            vec sum = lines[i][0] + lines[i][2];
            store(line, lines[i][0]);
            store(line + position, sum + lines[i][1]);
            store(line + 2 * position, sum - lines[i][1]);
            store(line + 3 * position, lines[i][2]);
        }
    }
}

/* Rows first .. first + rows - 1, two vectors wide. */
__attribute__((always_inline)) static inline void tile(const int first, const int rows, const int64_t o, const cak_wino_dw_sum *s,
                                                       const real *ahead, int64_t step)
{
    vec sum[CAK_LANES][2] = { 0 };
    const real *v = s->v + first, *y = s->y + o;
    for (int64_t k = s->n; k > 0; k--, v += CAK_LANES, y += CAK_WINO_PANEL, ahead += step) {
        vec y0 = load(y), y1 = load(y + WIDTH);
        __builtin_prefetch(ahead);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            sum[r][0] += y0 * v[r];
            sum[r][1] += y1 * v[r];
        }
    }
    real *c = s->c + first * s->c_row + o;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++, c += s->c_row) {
        if (s->add) sum[r][0] += load(c), sum[r][1] += load(c + WIDTH);
        store(c, sum[r][0]);
        store(c + WIDTH, sum[r][1]);
    }
}

#define TILE(first, rows) tile(first, rows, o, s, ahead, step), ahead += s->n * step;
static void sum(const cak_wino_dw_sum *s)
{
    int64_t step = s->run / (s->n * ROW_TILES * (CAK_WINO_PANEL / (2 * WIDTH)));
    const real *ahead = s->ahead;
    for (int64_t o = 0; o < CAK_WINO_PANEL; o += 2 * WIDTH) { TILES }
}

extern const cak_wino_dw_kernels KERNELS;
const cak_wino_dw_kernels KERNELS = { transform, sum };
