/* Cases: chains of element-wise values and sums as graphs: the normalisation of the critic, its gradient, and the gradient of that. */
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>

#include "graph/exec.h"

typedef struct chain chain;

typedef struct form {
    const char *name;
    int inputs; /* x, u, v */
    cak_ref (*build)(cak_graph *g, const cak_ref *in);
    void (*reference)(const chain *c, int64_t channel, double *y); /* one channel of one sample, in double */
} form;

typedef struct plan {
    const form *form;
    cak_shape shape;
} plan;

struct chain {
    const form *form;
    cak_shape shape;
    cak_diag *diag;
    cak_graph *graph;
    cak_exec *exec;
    cak_ref y;
    real *in[3];
    cak_clock clock;
};

enum { CHECKED = 4 }; /* channels */
static const double slope = 0.2, eps = 1e-5;

static int64_t pixels(const chain *c) { return c->shape.dim[2] * c->shape.dim[3]; }

/* ---- y = leaky(instance_norm(x)) ---- */

static cak_ref normalised(cak_graph *g, cak_ref x) { return cak_use(g, "instance_norm", NULL, NULL, x); }

static cak_ref forward_build(cak_graph *g, const cak_ref *in)
{
    return cak_use(g, "leaky_relu", NULL, CAK_SET({ .key = "slope", .num = slope }), normalised(g, in[0]));
}

static double mean(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

static double mean_product(const double *x, const double *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum / (double)n;
}

static double *channel_of(const chain *c, int input, int64_t channel)
{
    int64_t n = pixels(c);
    double *x = cak_slab_alloc((size_t)n * sizeof *x, "bench");
    for (int64_t i = 0; i < n; i++) x[i] = (double)c->in[input][channel * n + i];
    return x;
}

static void release(const chain *c, double *x) { cak_slab_free(x, (size_t)pixels(c) * sizeof *x); }

/* Replace x by (x - mean) / s; returns s. */
static double normalise(double *x, int64_t n)
{
    double m = mean(x, n);
    for (int64_t i = 0; i < n; i++) x[i] -= m;
    double s = sqrt(mean_product(x, x, n) + eps);
    for (int64_t i = 0; i < n; i++) x[i] /= s;
    return s;
}

static void forward_reference(const chain *c, int64_t channel, double *y)
{
    int64_t n = pixels(c);
    double *x = channel_of(c, 0, channel);
    normalise(x, n);
    for (int64_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : slope * x[i];
    release(c, x);
}

/* ---- d(sum(u * leaky(instance_norm(x)))) / dx ---- */

static cak_ref backward_build(cak_graph *g, const cak_ref *in)
{
    return cak_grad(g, cak_mul(g, forward_build(g, in), in[1]), in[0]);
}

/* With n = (x - mean) / s: (u - mean u - n mean(n u)) / s. */
static void backward_reference(const chain *c, int64_t channel, double *y)
{
    int64_t n = pixels(c);
    double *x = channel_of(c, 0, channel), *u = channel_of(c, 1, channel), s = normalise(x, n);
    for (int64_t i = 0; i < n; i++) u[i] *= x[i] > 0 ? 1 : slope;
    double m = mean(u, n), r = mean_product(x, u, n);
    for (int64_t i = 0; i < n; i++) y[i] = (u[i] - m - x[i] * r) / s;
    release(c, x), release(c, u);
}

/* ---- d(sum(v * d(sum(u * instance_norm(x)))/dx)) / dx: what the gradient penalty adds ---- */

static cak_ref second_build(cak_graph *g, const cak_ref *in)
{
    cak_ref first = cak_grad(g, cak_mul(g, normalised(g, in[0]), in[1]), in[0]);
    return cak_grad(g, cak_mul(g, first, in[2]), in[0]);
}

static void second_reference(const chain *c, int64_t channel, double *y)
{
    int64_t n = pixels(c);
    double *x = channel_of(c, 0, channel), *u = channel_of(c, 1, channel), *v = channel_of(c, 2, channel), s = normalise(x, n);
    double mu = mean(u, n), mv = mean(v, n);
    for (int64_t i = 0; i < n; i++) u[i] -= mu, v[i] -= mv;
    double t = mean_product(u, v, n), q = mean_product(x, v, n), r = mean_product(x, u, n);
    for (int64_t i = 0; i < n; i++) y[i] = -((t - 3 * q * r) * x[i] + r * v[i] + q * u[i]) / (s * s);
    release(c, x), release(c, u), release(c, v);
}

static const form forms[] = {
    { "norm_leaky/forward", 1, forward_build, forward_reference },
    { "norm_leaky/backward", 2, backward_build, backward_reference },
    { "norm/second", 3, second_build, second_reference },
};

/* ---- a case ---- */

static bool chain_open(bench_run *r, const void *arg)
{
    static const char *const names[] = { "x", "u", "v" };
    const plan *p = arg;
    chain *c = r->state = cak_arena_alloc(r->arena, sizeof *c);
    *c = (chain){ .form = p->form, .shape = p->shape, .diag = cak_diag_open() };
    c->graph = cak_graph_open(c->diag);
    cak_ref in[3] = { CAK_NONE, CAK_NONE, CAK_NONE };
    for (int i = 0; i < c->form->inputs; i++) {
        in[i] = cak_input(c->graph, names[i], &c->shape, true);
        c->in[i] = bench_numbers(cak_shape_size(&c->shape), (uint64_t)i + 1);
    }
    c->y = c->form->build(c->graph, in);
    cak_diag_print(c->diag, stderr);
    if (cak_is_none(c->y)) return false;
    cak_graph *folded = cak_pass_fold(c->graph, &c->y, 1), *lean = cak_pass_dce(folded, &c->y, 1);
    cak_graph_close(folded);
    cak_graph_close(c->graph);
    c->graph = lean;
    cak_program *program = cak_plan(r->arena, c->graph, &c->y, 1);
    c->exec = cak_exec_open(r->arena, program, NULL);
    for (int i = 0; i < c->form->inputs; i++) cak_exec_bind(c->exec, names[i], c->in[i]);
    r->bytes = (double)((c->form->inputs + 1) * cak_shape_size(&c->shape)) * sizeof(real);
    bench_count(r, "kernels", cak_program_info(program).kernels);
    return true;
}

static void chain_run(bench_run *r)
{
    chain *c = r->state;
    cak_exec_run(c->exec, &c->clock);
}

static void chain_check(bench_run *r)
{
    chain *c = r->state;
    int64_t n = pixels(c), channels = c->shape.dim[0] * c->shape.dim[1];
    const real *y = cak_exec_data(c->exec, c->y);
    double *want = cak_slab_alloc((size_t)n * sizeof *want, "bench");
    bench_error e = { 0 };
    for (int64_t k = 0; k < CHECKED; k++) {
        int64_t channel = k * (channels - 1) / (CHECKED - 1);
        c->form->reference(c, channel, want);
        for (int64_t i = 0; i < n; i++) bench_compare(&e, (double)y[channel * n + i], want[i]);
    }
    release(c, want);
    bench_hash(r, y, (size_t)cak_shape_size(&c->shape) * sizeof(real));
    bench_judge(r, &e, sizeof(real) == 4 ? 1.5e-6 : 1e-13);
}

static void chain_close(bench_run *r)
{
    chain *c = r->state;
    if (c->exec) cak_exec_close(c->exec);
    for (int i = 0; i < 3; i++) cak_slab_free(c->in[i], (size_t)cak_shape_size(&c->shape) * sizeof(real));
    cak_graph_close(c->graph);
    cak_diag_close(c->diag);
}

void bench_add_chains(bench_list *l)
{
    /* after conv2 and conv3 of a window of 64x64 and of 15 s of sound */
    static const int64_t shapes[][4] = { { 16, 64, 16, 16 }, { 16, 128, 8, 8 }, { 1, 64, 256, 323 }, { 1, 128, 128, 161 } };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            const int64_t *d = shapes[s];
            plan *p = cak_arena_alloc(l->arena, sizeof *p);
            *p = (plan){ &forms[f], CAK_SHAPE(d[0], d[1], d[2], d[3]) };
            const char *name = cak_arena_print(l->arena, "chain/%s/%lldx%lldx%lldx%lld", forms[f].name, (long long)d[0],
                                               (long long)d[1], (long long)d[2], (long long)d[3]);
            bench_add(l, &(bench_case){ name, chain_open, chain_run, chain_check, chain_close, p, false });
        }
}
