/* Cases: the peak itself, memory bandwidth, the matrix kernel and the matrix product. */
#include "bench/bench.h"

#include "nodes/kernels/gemm.h"

/* ---- peak and bandwidth, measured as every other case ---- */

enum { TRIAD = 1 << 23 };

typedef struct triad {
    real *a, *b, *c;
} triad;

static bool triad_open(bench_run *r, const void *arg)
{
    (void)arg;
    triad *t = r->state = cak_arena_alloc(r->arena, sizeof *t);
    *t = (triad){ bench_numbers(TRIAD, 1), bench_numbers(TRIAD, 2), bench_numbers(TRIAD, 3) };
    r->bytes = 3.0 * TRIAD * sizeof(real);
    return true;
}

static void triad_run(bench_run *r)
{
    triad *t = r->state;
    CAK_PARALLEL_FOR (k, cak_blocks(TRIAD), (int64_t)TRIAD)
        for (int64_t i = k * CAK_BLOCK; i < (k + 1) * CAK_BLOCK; i++) t->a[i] = t->b[i] + (real)3 * t->c[i];
}

static void triad_check(bench_run *r)
{
    triad *t = r->state;
    bench_error e = { 0 };
    for (int64_t i = 0; i < TRIAD; i += 997) bench_compare(&e, (double)t->a[i], (double)t->b[i] + 3 * (double)t->c[i]);
    bench_hash(r, t->a, TRIAD * sizeof(real));
    bench_judge(r, &e, sizeof(real) == 4 ? 1e-7 : 1e-15);
}

static void triad_close(bench_run *r)
{
    triad *t = r->state;
    real *all[] = { t->a, t->b, t->c };
    for (int i = 0; i < 3; i++) cak_slab_free(all[i], TRIAD * sizeof(real));
}

/* The peak against its own neighbours: the share says how well the method measures. */
static bool peak_open(bench_run *r, const void *arg)
{
    (void)arg;
    r->executed = r->effective = 1e9;
    return true;
}

static void peak_run(bench_run *r) { r->manual = r->executed / bench_peak(r->o->min_time); }

/* ---- matrix product: y [m,n] = a [m,k] b [k,n] ---- */

typedef struct product {
    int64_t m, n, k;
} product;

typedef struct matrices {
    product p;
    const cak_isa *isa;
    real *a, *b, *y, *packed_a, *packed_b;
    void *scratch;
    size_t scratch_bytes;
    int64_t packed_columns;
} matrices;

/* b in the order of the kernel: panels of nr columns. */
static void pack_panels(matrices *s)
{
    const product *p = &s->p;
    int nr = s->isa->nr;
    for (int64_t i = 0; i < s->packed_columns; i++)
        for (int64_t l = 0; l < p->k; l++)
            s->packed_b[(i / nr) * p->k * nr + l * nr + i % nr] = i < p->n ? s->b[l * p->n + i] : 0;
}

static bool product_open(bench_run *r, const void *arg)
{
    matrices *s = r->state = cak_arena_alloc(r->arena, sizeof *s);
    const product *p = arg;
    *s = (matrices){ .p = *p, .isa = cak_isa_get() };
    s->packed_columns = cak_round_up(p->n, CAK_GEMM_STEP);
    s->scratch_bytes = cak_gemm_scratch(p->m, p->n, p->k);
    s->scratch = cak_slab_alloc(s->scratch_bytes, "bench");
    s->a = bench_numbers(p->m * p->k, 1), s->b = bench_numbers(p->k * p->n, 2), s->y = bench_numbers(p->m * s->packed_columns, 3);
    s->packed_a = bench_numbers(p->m * p->k, 4), s->packed_b = bench_numbers(p->k * s->packed_columns, 5);
    cak_gemm_pack(s->isa, p->m, p->k, (cak_matrix){ s->a, p->k, 1 }, s->packed_a);
    pack_panels(s);
    r->executed = r->effective = 2.0 * (double)(p->m * p->n * p->k);
    return true;
}

static void panels_run(bench_run *r)
{
    matrices *s = r->state;
    cak_gemm_panels(s->isa, s->p.m, s->packed_columns, s->p.k, s->packed_a, s->packed_b, s->y, s->packed_columns, false);
}

static void product_run(bench_run *r)
{
    matrices *s = r->state;
    const product *p = &s->p;
    cak_gemm(p->m, p->n, p->k, (cak_matrix){ s->a, p->k, 1 }, (cak_matrix){ s->b, p->n, 1 }, s->y, s->scratch);
}

static void compare(bench_run *r, int64_t ld)
{
    matrices *s = r->state;
    bench_error e = { 0 };
    for (uint64_t t = 0; t < 64; t++) {
        int64_t i = (int64_t)(bench_mix(2 * t) % (uint64_t)s->p.m), j = (int64_t)(bench_mix(2 * t + 1) % (uint64_t)s->p.n);
        double sum = 0;
        for (int64_t l = 0; l < s->p.k; l++) sum += (double)s->a[i * s->p.k + l] * (double)s->b[l * s->p.n + j];
        bench_compare(&e, (double)s->y[i * ld + j], sum);
    }
    bench_hash(r, s->y, (size_t)(s->p.m * ld) * sizeof(real));
    bench_judge(r, &e, sizeof(real) == 4 ? 1.5e-6 : 1e-14);
}

static void panels_check(bench_run *r) { compare(r, ((matrices *)r->state)->packed_columns); }
static void product_check(bench_run *r) { compare(r, ((matrices *)r->state)->p.n); }

static void product_close(bench_run *r)
{
    matrices *s = r->state;
    size_t m = (size_t)s->p.m, n = (size_t)s->p.n, k = (size_t)s->p.k, columns = (size_t)s->packed_columns;
    cak_slab_free(s->a, m * k * sizeof(real));
    cak_slab_free(s->b, k * n * sizeof(real));
    cak_slab_free(s->y, m * columns * sizeof(real));
    cak_slab_free(s->packed_a, m * k * sizeof(real));
    cak_slab_free(s->packed_b, k * columns * sizeof(real));
    cak_slab_free(s->scratch, s->scratch_bytes);
}

/* Both operands of the first stay in the second-level cache: the kernel alone. */
static const product resident = { 64, 256, CAK_GEMM_K }, large = { 128, 2048, 1024 };

static const bench_case cases[] = {
    { "peak", peak_open, peak_run, NULL, NULL, NULL, false },
    { "triad", triad_open, triad_run, triad_check, triad_close, NULL, false },
    { "gemm/kernel/64x256x192", product_open, panels_run, panels_check, product_close, &resident, true },
    { "gemm/product/128x2048x1024", product_open, product_run, product_check, product_close, &large, false },
};

void bench_add_kernels(bench_list *l)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) bench_add(l, &cases[i]);
}
