/* Winograd transforms for one instruction set; the including file defines the table's name and the vector width. */
#include "nodes/kernels/wino.h"
#include "nodes/kernels/wino_transform.h"

enum { WIDTH = VECTOR_BYTES / sizeof(real) };
typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

static inline vec load(const real *from) { return *(const vec *)from; }
static inline void store(real *to, vec value) { *(vec *)to = value; }

static inline void in_axis(vec d0, vec d1, vec d2, vec d3, vec v[4])
{
    v[0] = d2 - d0;
    v[1] = d1 + d2;
    v[2] = d2 - d1;
    v[3] = d3 - d1;
}

static inline void out_axis(vec m0, vec m1, vec m2, vec m3, vec y[3])
{
    vec sum = m1 + m2;
    y[0] = m0 + sum;
    y[1] = m1 - m2;
    y[2] = m3 + sum;
}

static void in(const real *restrict x, int64_t row, int64_t column, real *restrict v, int64_t v_position)
{
    for (int lane = 0; lane < CAK_LANES; lane += WIDTH, x += WIDTH, v += WIDTH) {
        vec columns[4][4], across[4];
        for (int j = 0; j < 4; j++) {
            const real *at = x + j * column;
            in_axis(load(at), load(at + row), load(at + 2 * row), load(at + 3 * row), columns[j]);
        }
        for (int i = 0; i < 4; i++) {
            in_axis(columns[0][i], columns[1][i], columns[2][i], columns[3][i], across);
            for (int j = 0; j < 4; j++) store(v + (i * 4 + j) * v_position, across[j]);
        }
    }
}

static void out(const real *restrict m, int64_t m_position, real *restrict y, int64_t row, int64_t column)
{
    for (int lane = 0; lane < CAK_LANES; lane += WIDTH, m += WIDTH, y += WIDTH) {
        vec columns[4][3], across[3];
        for (int j = 0; j < 4; j++) {
            const real *at = m + j * m_position;
            out_axis(load(at), load(at + 4 * m_position), load(at + 8 * m_position), load(at + 12 * m_position), columns[j]);
        }
        for (int i = 0; i < 3; i++) {
            out_axis(columns[0][i], columns[1][i], columns[2][i], columns[3][i], across);
            for (int j = 0; j < 3; j++) store(y + i * row + j * column, across[j]);
        }
    }
}

extern const cak_wino_transforms TRANSFORMS;
const cak_wino_transforms TRANSFORMS = { in, out };
