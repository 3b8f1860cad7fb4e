/* Cases: the micro-kernels alone, on operands that stay in the second-level cache. */
#include "bench/bench.h"

#include "nodes/kernels/gemm.h"

enum { TILES = 2, PANELS = 4, WIDTH = CAK_GEMM_STEP }; /* tiles of mr rows, panels of WIDTH columns */

typedef struct micro micro;

typedef struct form {
    const char *name;
    int64_t k;
    void (*run)(micro *m, int tile, int panel, int column);
    int64_t (*a_index)(const micro *m, int64_t row, int64_t l); /* where element (row, l) of a tile of a stands */
} form;

struct micro {
    const form *form;
    const cak_isa *isa;
    real *a, *b, *c; /* a: tiles; b: panels [k][WIDTH]; c: [tile][panel][mr][WIDTH] */
    int64_t a_tile, b_panel, c_tile;
};

static real *c_at(micro *m, int tile, int panel) { return m->c + (tile * PANELS + panel) * m->c_tile; }

static void columns_run(micro *m, int tile, int panel, int column)
{
    m->isa->tile_columns[m->isa->mr - 1](m->form->k, m->a + tile * m->a_tile, m->isa->mr, m->b + panel * m->b_panel + column,
                                         WIDTH, c_at(m, tile, panel) + column, WIDTH, false);
}
static int64_t columns_index(const micro *m, int64_t row, int64_t l) { return l * m->isa->mr + row; }

static void rows_run(micro *m, int tile, int panel, int column)
{
    m->isa->tile_rows[m->isa->mr - 1](m->form->k / CAK_GEMM_ROW, m->a + tile * m->a_tile, m->isa->mr * CAK_GEMM_ROW,
                                      m->b + panel * m->b_panel + column, c_at(m, tile, panel) + column, false);
}
static int64_t rows_index(const micro *m, int64_t row, int64_t l)
{
    return (l / CAK_GEMM_ROW * m->isa->mr + row) * CAK_GEMM_ROW + l % CAK_GEMM_ROW;
}

static const form forms[] = {
    { "micro/columns/k64", 64, columns_run, columns_index },   { "micro/columns/k128", 128, columns_run, columns_index },
    { "micro/columns/k256", 256, columns_run, columns_index }, { "micro/rows/k128", 128, rows_run, rows_index },
    { "micro/rows/k256", 256, rows_run, rows_index },
};

static bool micro_open(bench_run *r, const void *arg)
{
    micro *m = r->state = cak_arena_alloc(r->arena, sizeof *m);
    *m = (micro){ .form = arg, .isa = cak_isa_get() };
    int64_t k = m->form->k, mr = m->isa->mr;
    m->a_tile = k * mr, m->b_panel = k * WIDTH, m->c_tile = mr * WIDTH;
    m->a = bench_numbers(TILES * m->a_tile, 1), m->b = bench_numbers(PANELS * m->b_panel, 2);
    m->c = bench_numbers(TILES * PANELS * m->c_tile, 3);
    r->executed = r->effective = 2.0 * (double)(TILES * PANELS * WIDTH * mr * k);
    return true;
}

static void micro_run(bench_run *r)
{
    micro *m = r->state;
    for (int p = 0; p < PANELS; p++)
        for (int t = 0; t < TILES; t++)
            for (int j = 0; j < WIDTH; j += m->isa->nr) m->form->run(m, t, p, j);
}

static void micro_check(bench_run *r)
{
    micro *m = r->state;
    bench_error e = { 0 };
    for (int t = 0; t < TILES; t++)
        for (int p = 0; p < PANELS; p++)
            for (int64_t i = 0; i < m->c_tile; i += 7) {
                double sum = 0;
                for (int64_t l = 0; l < m->form->k; l++)
                    sum += (double)m->a[t * m->a_tile + m->form->a_index(m, i / WIDTH, l)] *
                           (double)m->b[p * m->b_panel + l * WIDTH + i % WIDTH];
                bench_compare(&e, (double)c_at(m, t, p)[i], sum);
            }
    bench_hash(r, m->c, (size_t)(TILES * PANELS * m->c_tile) * sizeof(real));
    bench_judge(r, &e, sizeof(real) == 4 ? 1.5e-6 : 1e-14);
}

static void micro_close(bench_run *r)
{
    micro *m = r->state;
    cak_slab_free(m->a, (size_t)(TILES * m->a_tile) * sizeof(real));
    cak_slab_free(m->b, (size_t)(PANELS * m->b_panel) * sizeof(real));
    cak_slab_free(m->c, (size_t)(TILES * PANELS * m->c_tile) * sizeof(real));
}

void bench_add_micro(bench_list *l)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        bench_add(l, &(bench_case){ forms[i].name, micro_open, micro_run, micro_check, micro_close, &forms[i], true });
}
