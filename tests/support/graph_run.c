/* Random graphs, and running them with and without a plan. */
#include "tests/support/graph_run.h"

#include <string.h>

#include "graph/rng.h"

static const cak_clock clock_now = { 3, 4 };

bench open_bench(void)
{
    bench b = { .d = cak_diag_open(), .a = cak_arena_open("bench") };
    b.g = cak_graph_open(b.d);
    return b;
}

void close_bench(bench *b)
{
    cak_graph_close(b->g);
    cak_diag_close(b->d);
    cak_arena_close(b->a);
}

real *random_data(cak_arena *a, const char *name, int64_t n)
{
    real *x = cak_arena_alloc(a, (size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (real)(2 * cak_rng_uniform(9, cak_rng_stream(name), 0, (uint64_t)i) - 1);
    return x;
}

/* ---- random graphs: every value broadcasts into [6,5] ---- */

static cak_ref scale_by(cak_graph *g, cak_ref x, int k)
{
    static const double factors[] = { 0, 1, -0.5, 0.75 };
    return cak_scale(g, x, factors[k % 4]);
}

static cak_ref shift_by(cak_graph *g, cak_ref x, int k) { return cak_shift(g, x, k % 2 ? 0 : 0.25); }
static cak_ref reduce(cak_graph *g, cak_ref x, int k) { return cak_mean_axes(g, x, 1 << k % 2); }
static cak_ref total(cak_graph *g, cak_ref x, int k) { return (void)k, cak_mean(g, x); }

static cak_ref widen(cak_graph *g, cak_ref x, int k)
{
    (void)k;
    return cak_expand(g, x, &CAK_SHAPE(6, 5));
}

static cak_ref view(cak_graph *g, cak_ref x, int k)
{
    const cak_shape *s = cak_shape_of(g, x);
    if (s->rank == 1) return cak_reshape(g, x, &CAK_SHAPE(1, s->dim[0]));
    return k % 2 ? cak_detach(g, x) : x;
}

static cak_ref unary(cak_graph *g, cak_ref x, int k)
{
    static cak_ref (*const ops[])(cak_graph *, cak_ref) = { cak_tanh, cak_sin, cak_neg, cak_sigmoid, cak_abs, cak_sign };
    return ops[k % 6](g, x);
}

static cak_ref product(cak_graph *g, cak_ref x, int k)
{
    (void)k;
    return cak_tanh(g,
                    cak_matmul(g, cak_expand(g, x, &CAK_SHAPE(6, 5)), cak_input(g, "w", &CAK_SHAPE(5, 5), false), false, false));
}

typedef struct dice {
    uint64_t seed, throws;
} dice;
static int roll(dice *d, int sides) { return (int)cak_rng_below(d->seed, 1, 2, d->throws++, (uint64_t)sides); }

void random_graph(cak_graph *g, int seed, int n, cak_ref *out, int n_out)
{
    static cak_ref (*const one[])(cak_graph *, cak_ref, int) = { scale_by, shift_by, reduce, total,  widen,
                                                                 view,     unary,    unary,  product };
    static cak_ref (*const two[])(cak_graph *, cak_ref, cak_ref) = { cak_add, cak_sub, cak_mul };
    cak_ref *pool = cak_arena_alloc(cak_graph_arena(g), ((size_t)n + 4) * sizeof *pool);
    dice d = { (uint64_t)seed, 0 };
    int size = 0;
    pool[size++] = cak_input(g, "x", &CAK_SHAPE(6, 5), true);
    pool[size++] = cak_input(g, "p", &CAK_SHAPE(5), false);
    pool[size++] = cak_input(g, "s", &CAK_SCALAR, false);
    while (size < n + 3) {
        int recent = size < 12 ? size : 12;
        cak_ref x = pool[roll(&d, 3) ? size - 1 - roll(&d, recent) : roll(&d, size)], y = pool[roll(&d, size)];
        int kind = roll(&d, 2), op = roll(&d, kind ? (int)(sizeof one / sizeof *one) : 3), variant = roll(&d, 12);
        pool[size] = kind ? one[op](g, x, variant) : cak_scale(g, two[op](g, x, y), 0.5);
        size++;
    }
    for (int i = 0; i < n_out; i++) out[i] = pool[size - 1 - roll(&d, size / 2)];
    ck_assert(!cak_graph_failed(g));
}

/* ---- running ---- */

static void bind_all(cak_arena *a, const cak_graph *g, cak_exec *e)
{
    for (int id = 0; id < cak_graph_size(g); id++) {
        const char *name = cak_value_name(g, (cak_ref){ id });
        if (name) cak_exec_bind(e, name, random_data(a, name, cak_shape_size(cak_shape_of(g, (cak_ref){ id }))));
    }
}

const real **run_planned_with(cak_arena *a, const cak_graph *g, const cak_ref *out, int n, const cak_plan_options *o)
{
    const real **y = cak_arena_alloc(a, (size_t)n * sizeof *y);
    cak_exec *e = cak_exec_open(a, cak_plan_with(a, g, out, n, o), NULL);
    bind_all(a, g, e);
    cak_exec_run(e, &clock_now);
    for (int i = 0; i < n; i++) {
        size_t bytes = (size_t)cak_shape_size(cak_shape_of(g, out[i])) * sizeof(real);
        y[i] = memcpy(cak_arena_alloc(a, bytes), cak_exec_data(e, out[i]), bytes);
    }
    cak_exec_close(e);
    return y;
}

const real **run_planned(cak_arena *a, const cak_graph *g, const cak_ref *out, int n)
{
    return run_planned_with(a, g, out, n, &(cak_plan_options){ 0 });
}

static cak_site site_of(const cak_graph *g, const cak_value *v)
{
    cak_site s = { .attr = v->attr, .n_in = v->n_in, .y_shape = v->shape };
    for (int k = 0; k < v->n_in; k++) s.in_shape[k] = *cak_shape_of(g, v->in[k]);
    return s;
}

const real **run_plain(cak_arena *a, const cak_graph *g, const cak_ref *out, int n)
{
    const real **y = cak_arena_alloc(a, (size_t)n * sizeof *y);
    real **data = cak_arena_alloc(a, ((size_t)cak_graph_size(g) + 1) * sizeof *data);
    for (int id = 0; id < cak_graph_size(g); id++) {
        const cak_value *v = cak_graph_value(g, (cak_ref){ id });
        const char *name = cak_value_name(g, (cak_ref){ id });
        int64_t size = cak_shape_size(&v->shape);
        if (name) data[id] = random_data(a, name, size);
        else if (v->node->alias) data[id] = data[v->in[0].id];
        else {
            cak_site s = site_of(g, v);
            data[id] = cak_arena_alloc(a, (size_t)size * sizeof(real));
            cak_work w = { .n_in = v->n_in, .attr = v->attr, .clock = &clock_now, .y = { v->shape, data[id] } };
            w.scratch = cak_arena_alloc(a, v->node->scratch ? v->node->scratch(&s) + 64 : 64);
            w.scratch = (char *)w.scratch + (64 - (uintptr_t)w.scratch % 64) % 64;
            for (int k = 0; k < v->n_in; k++) w.in[k] = (cak_view){ s.in_shape[k], data[v->in[k].id] };
            v->node->run(&w);
        }
    }
    for (int i = 0; i < n; i++) y[i] = data[out[i].id];
    return y;
}
