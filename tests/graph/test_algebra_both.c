/* Algebra on graphs, and what facts about samples spare in the steps of the audit game. */
#include <math.h>
#include <string.h>

#include "experiments/experiment.h"
#include "graph/form.h"
#include "tests/support/graph_run.h"

#ifdef CAK_DOUBLE
#define TOL 1e-12
#define TOL_FACTS TOL
#else
#define TOL 2e-6
#define TOL_FACTS 2e-5 /* in float the gradient of (norm - 1)^2 is 1e-5 away from the one in double, with facts and without */
#endif

extern const cak_node cak_node_reduce_sum;

enum { OUTS = 4, MAX_OUT = 32 };

static int count(const cak_graph *g, const char *type)
{
    int n = 0;
    for (int id = 0; id < cak_graph_size(g); id++) n += !strcmp(cak_graph_value(g, (cak_ref){ id })->node->name, type);
    return n;
}

static int kernels(const cak_graph *g)
{
    int n = 0;
    for (int id = 0; id < cak_graph_size(g); id++) {
        const cak_value *v = cak_graph_value(g, (cak_ref){ id });
        n += !v->node->alias && v->n_in > 0;
    }
    return n;
}

/* ---- the steps of the audit game on four samples of 24 x 20 ---- */

typedef struct game {
    cak_diag *d;
    cak_config *c;
    cak_experiment *x;
    cak_arena *a;
    real *port[4];
} game;

static game open_game(void)
{
    cak_loader_info info = { .n_ports = 4, .items = 4, .batch = 4 };
    static const char *const names[] = { "input", "target", "control", "alpha" };
    static const cak_shape shapes[] = { CAK_SHAPE(1, 24, 20), CAK_SHAPE(1, 24, 20), CAK_SHAPE(1), CAK_SHAPE(1, 1, 1) };
    game m = { .d = cak_diag_open(), .a = cak_arena_open("game") };
    for (int i = 0; i < 4; i++) {
        info.port[i] = (cak_batch_port){ names[i], shapes[i] };
        m.port[i] = random_data(m.a, i ? names[i] : "target", 4 * cak_shape_size(&shapes[i])); /* the input is the target, too */
    }
    for (int b = 0; b < 4; b++) {
        m.port[2][b] = 0;                            /* control */
        m.port[3][b] = CAK_MATH(fabs)(m.port[3][b]); /* interpolates */
    }
    static const char *const plain[] = { "+engine.layout=false", "+engine.algebra=false" };
    m.c = cak_config_load(m.d, "configs/tiny/golden.yaml", plain, 2);
    ck_assert_ptr_nonnull(m.c);
    m.x = cak_experiment_open(m.c);
    ck_assert(cak_experiment_build(m.x, &info) && cak_experiment_ready(m.x, m.port));
    cak_experiment_schedules(m.x, 3);
    return m;
}

static void close_game(game *m)
{
    cak_experiment_close(m->x);
    cak_config_close(m->c);
    cak_diag_close(m->d);
    cak_arena_close(m->a);
}

static const cak_facts identity = { .fact = { { "batch.control", NULL }, { "batch.input", "batch.target" } }, .n = 2 };

/* Parameters, schedules and the batch; with other controls and inputs where the facts need not hold. */
static const real *data_of(const game *m, const char *name, int64_t n, bool facts)
{
    const cak_experiment *x = m->x;
    if (!facts && (!strcmp(name, "batch.control") || !strcmp(name, "batch.input"))) return random_data(m->a, name, n);
    for (int i = 0; i < x->n_params; i++)
        if (!strcmp(x->param[i].name, name)) return x->param[i].value;
    for (int i = 0; i < x->n_schedules; i++)
        if (!strcmp(x->schedule[i].input, name)) return &x->schedule[i].value;
    for (int i = 0; i < x->loader.n_ports; i++)
        if (!strcmp(x->port_name[i], name)) return m->port[i];
    ck_abort_msg("no data for %s", name);
}

static const real **run_step(const game *m, const cak_graph *g, const cak_ref *out, int n, bool facts)
{
    const real **y = cak_arena_alloc(m->a, (size_t)n * sizeof *y);
    cak_exec *e = cak_exec_open(m->a, cak_plan(m->a, g, out, n), NULL);
    for (int id = 0; id < cak_graph_size(g); id++) {
        const char *name = cak_value_name(g, (cak_ref){ id });
        if (name) cak_exec_bind(e, name, data_of(m, name, cak_shape_size(cak_shape_of(g, (cak_ref){ id })), facts));
    }
    cak_exec_run(e, &(cak_clock){ 3, 4 });
    for (int i = 0; i < n; i++) {
        size_t bytes = (size_t)cak_shape_size(cak_shape_of(g, out[i])) * sizeof(real);
        y[i] = memcpy(cak_arena_alloc(m->a, bytes), cak_exec_data(e, out[i]), bytes);
    }
    cak_exec_close(e);
    return y;
}

/* |got - want| / |want| */
static double distance(const real *got, const real *want, int64_t n)
{
    double error = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)got[i] - (double)want[i];
        error += d * d;
        size += (double)want[i] * (double)want[i];
    }
    return sqrt(size > 0 ? error / size : error);
}

/* Biases in front of an instance norm have gradient 0 by algebra: only rounding is left of them. */
static bool dead(const char *name) { return strstr(name, "conv2.bias") || strstr(name, "conv3.bias"); }

typedef struct counts {
    int conv2d, dx, dw;
} counts;

static void check_counts(const cak_graph *g, counts want)
{
    ck_assert_int_eq(count(g, "conv2d"), want.conv2d);
    ck_assert_int_eq(count(g, "conv2d_dx"), want.dx);
    ck_assert_int_eq(count(g, "conv2d_dw"), want.dw);
}

/* Rewrite the step of a phase, with or without the facts, and compare what it computes where they hold. */
static void check_step(int phase, bool facts, counts before, counts after)
{
    game m = open_game();
    const cak_step *s = &m.x->phase[phase].step[0];
    cak_ref old[MAX_OUT], out[MAX_OUT];
    memcpy(old, s->out, sizeof *out * (size_t)s->n_out);
    cak_graph *g = cak_pass_dce(s->graph, old, s->n_out);
    memcpy(out, old, sizeof out);
    static const cak_facts none = { .n = 0 };
    cak_graph *f = cak_pass_facts(g, out, s->n_out, facts ? &identity : &none), *h = cak_pass_algebra(f, out, s->n_out);
    check_counts(g, before);
    check_counts(h, after);
    ck_assert(cak_graph_cost(h, out, s->n_out) <= cak_graph_cost(g, old, s->n_out));
    ck_assert_int_le(kernels(h), kernels(g));
    const real **want = run_step(&m, g, old, s->n_out, facts), **got = run_step(&m, h, out, s->n_out, facts);
    for (int i = 0; i < s->n_out; i++) {
        if (dead(s->out_name[i])) continue;
        double d = distance(got[i], want[i], cak_shape_size(cak_shape_of(g, old[i])));

        ck_assert_msg(d <= (facts ? TOL_FACTS : TOL), "%s of phase %d: %g", s->out_name[i], phase, d);
    }
    cak_graph_close(h), cak_graph_close(f), cak_graph_close(g);
    close_game(&m);
}

/* What is left of the critic's step on samples that the generator must not change: the three forward convolutions (the real, the generated
** and the mixed sample are one), three tangents and the detector; five backwards and six filters of the penalty, one filter of the
** detector. The generator's step keeps the forward convolutions and the gradients of the detector's regulariser and audit. */
START_TEST(critic_on_identities) { check_step(0, true, (counts){ 14, 9, 13 }, (counts){ 7, 5, 7 }); }
END_TEST
START_TEST(generator_on_identities) { check_step(1, true, (counts){ 5, 4, 2 }, (counts){ 4, 0, 2 }); }
END_TEST
START_TEST(critic_on_any_samples) { check_step(0, false, (counts){ 14, 9, 13 }, (counts){ 14, 9, 13 }); }
END_TEST
START_TEST(generator_on_any_samples) { check_step(1, false, (counts){ 5, 4, 2 }, (counts){ 5, 4, 2 }); }
END_TEST

START_TEST(adversarial_gradient_of_identities_vanishes)
{
    game m = open_game();
    const cak_step *s = &m.x->phase[1].step[0];
    cak_ref out[MAX_OUT];
    memcpy(out, s->out, sizeof *out * (size_t)s->n_out);
    cak_graph *f = cak_pass_facts(s->graph, out, s->n_out, &identity), *g = cak_pass_algebra(f, out, s->n_out);
    for (int i = 0; i < s->n_out; i++) {
        const cak_value *v = cak_graph_value(g, out[i]);
        bool zero = !strcmp(s->out_name[i], "g_loss.recon") || !strcmp(s->out_name[i], "d(g_loss)/d(generator.scale)");
        while (v->n_in == 1) v = cak_graph_value(g, v->in[0]);
        ck_assert_msg(!strcmp(v->node->name, "const") == zero, "%s", s->out_name[i]);
    }
    cak_graph_close(g), cak_graph_close(f);
    close_game(&m);
}
END_TEST

/* ---- rules, one by one: y from x [4,3] and s [4,3] of samples, p [3], w [2,3] ---- */

typedef struct values {
    cak_graph *g;
    cak_ref x, s, p, w;
} values;

static cak_ref x_minus_x(values *v) { return cak_exp(v->g, cak_sub(v->g, v->x, v->x)); }
static cak_ref zero_times(values *v) { return cak_add(v->g, v->p, cak_mul(v->g, cak_sub(v->g, v->s, v->s), v->x)); }
static cak_ref zero_matmul(values *v) { return cak_tanh(v->g, cak_matmul(v->g, cak_scale(v->g, v->x, 0), v->w, false, true)); }
static cak_ref zero_layout(values *v)
{
    cak_ref z = cak_scale(v->g, v->x, 0);
    return cak_add(v->g, v->x, cak_slice(v->g, cak_pad(v->g, z, 1, 1, 1), 1, 2, 3));
}
static cak_ref like_terms(values *v)
{
    return cak_exp(v->g, cak_add(v->g, cak_scale(v->g, v->x, 2), cak_scale(v->g, v->x, -0.5)));
}
static cak_ref opposite_chains(values *v)
{
    cak_ref a = cak_matmul(v->g, cak_scale(v->g, v->x, 0.25), v->w, false, true);
    cak_ref b = cak_matmul(v->g, cak_scale(v->g, v->x, -0.25), v->w, false, true);
    return cak_add(v->g, cak_sum_axes(v->g, v->x, 2), cak_add(v->g, cak_sum_axes(v->g, a, 2), cak_sum_axes(v->g, b, 2)));
}
static cak_ref opposite_far(values *v) /* x + e - x */ { return cak_sub(v->g, cak_add(v->g, v->x, cak_exp(v->g, v->s)), v->x); }
static cak_ref through_exp(values *v) /* no linear node between */
{
    return cak_add(v->g, cak_exp(v->g, cak_scale(v->g, v->x, 0.25)), cak_exp(v->g, cak_scale(v->g, v->x, -0.25)));
}
static cak_ref factor_not_constant(values *v) { return cak_add(v->g, cak_mul(v->g, v->x, v->p), cak_mul(v->g, v->x, v->s)); }
static cak_ref other_shape(values *v) /* p + x p - p [1,3] */
{
    cak_ref row = cak_reshape(v->g, v->p, &CAK_SHAPE(1, 3));
    return cak_sub(v->g, cak_add(v->g, cak_exp(v->g, row), v->x), row);
}
static cak_ref interpolate(values *v)
{
    return cak_exp(v->g, cak_add(v->g, cak_mul(v->g, v->s, v->x), cak_mul(v->g, cak_sub(v->g, cak_const(v->g, 1), v->s), v->x)));
}
static cak_ref no_interpolate(values *v)
{
    return cak_add(v->g, cak_mul(v->g, v->s, v->x), cak_mul(v->g, cak_sub(v->g, cak_const(v->g, 2), v->s), v->x));
}
static cak_ref multiples(values *v) /* one product of matrices */
{
    cak_ref a = cak_matmul(v->g, cak_scale(v->g, v->x, 3), v->w, false, true), b = cak_matmul(v->g, v->x, v->w, false, true);
    return cak_mul(v->g, cak_exp(v->g, a), cak_exp(v->g, b));
}
static cak_ref commuted(values *v)
{
    return cak_add(v->g, cak_exp(v->g, cak_mul(v->g, v->x, v->s)), cak_exp(v->g, cak_mul(v->g, v->s, v->x)));
}
static cak_ref add_negative(values *v) { return cak_add(v->g, v->x, cak_neg(v->g, v->s)); }
static cak_ref common_factor(values *v) { return cak_add(v->g, cak_scale(v->g, v->x, 3), cak_scale(v->g, v->s, 3)); }
static cak_ref common_factor_used(values *v)
{
    cak_ref a = cak_scale(v->g, v->x, 3), b = cak_scale(v->g, v->s, 3);
    return cak_mul(v->g, cak_mul(v->g, a, b), cak_add(v->g, a, b));
}
static cak_ref aliases(values *v)
{
    cak_ref a = cak_detach(v->g, cak_reshape(v->g, cak_reshape(v->g, v->x, &CAK_SHAPE(4, 3, 1)), &CAK_SHAPE(4, 3)));
    return cak_exp(v->g, cak_sub(v->g, v->x, a));
}
static cak_ref uniform(values *v)
{
    return cak_add(v->g, v->x,
                   cak_sqrt(v->g, cak_reshape(v->g, cak_expand(v->g, cak_const(v->g, 4), &CAK_SHAPE(3)), &CAK_SHAPE(1, 3))));
}
static cak_ref small_factor(values *v) /* the factor moves from [4,3] to [4,1], over a reshape to the sum */
{
    cak_ref a = cak_reshape(v->g, cak_neg(v->g, v->x), &CAK_SHAPE(4, 1, 3)), b = cak_scale(v->g, cak_sum_axes(v->g, a, 4), 0.5);
    return cak_exp(v->g, cak_mul(v->g, cak_reshape(v->g, b, &CAK_SHAPE(4, 1)), v->s));
}
static cak_ref read_twice(values *v)
{
    cak_ref a = cak_scale(v->g, v->x, 3);
    return cak_mul(v->g, cak_sum_axes(v->g, a, 2), cak_exp(v->g, a));
}
static cak_ref parameter(values *v) /* w [2,3] is smaller than x w [4,2], but not scaled */
{
    cak_ref a = cak_scale(v->g, cak_matmul(v->g, v->x, v->w, false, true), 5);
    return cak_mul(v->g, cak_exp(v->g, a), cak_exp(v->g, cak_matmul(v->g, v->s, v->w, false, true)));
}
static cak_ref many_terms(values *v) /* more than a form can hold: nothing is lost */
{
    cak_ref sum = v->x, f = v->s;
    for (int i = 0; i < 2 * CAK_MAX_TERMS; i++) sum = cak_add(v->g, sum, f = cak_sin(v->g, f));
    return cak_sub(v->g, cak_sub(v->g, sum, f), v->x);
}
static cak_ref zero_of_all(values *v) /* a zero that only a product of samples with each other gives */
{
    cak_ref z = cak_sub(v->g, v->x, v->x);
    return cak_exp(v->g, cak_reshape(v->g, z, &CAK_SHAPE(12)));
}
static cak_ref not_a_number(values *v)
{
    cak_ref inf = cak_exp(v->g, cak_const(v->g, 1e4));
    return cak_mul(v->g, v->x, cak_recip(v->g, inf));
}
static cak_ref affine_squared(values *v) /* (1 - s) (1 - s) - 1 + 2 s - s s = 0 */
{
    cak_ref a = cak_sub(v->g, cak_const(v->g, 1), v->s), q = cak_sub(v->g, cak_mul(v->g, a, a), cak_mul(v->g, v->s, v->s));
    return cak_add(v->g, v->x, cak_sub(v->g, cak_add(v->g, q, cak_scale(v->g, v->s, 2)), cak_const(v->g, 1)));
}
static cak_ref underflow(values *v) /* 1e-400 is no number */
{
    cak_ref a = cak_mul(v->g, cak_scale(v->g, v->x, 1e-200), cak_scale(v->g, v->s, 1e-200));
    return cak_mul(v->g, cak_exp(v->g, a), cak_exp(v->g, cak_scale(v->g, a, 3)));
}

static const struct single {
    const char *name;
    cak_ref (*make)(values *v);
    int kernels; /* with an input */
} singles[] = {
    { "exp(x - x) = 1", x_minus_x, 1 },
    { "p + 0 x: the shape comes from x", zero_times, 1 },
    { "tanh(0 w) = 0", zero_matmul, 1 },
    { "x + layout(0) = x", zero_layout, 0 },
    { "2 x - x / 2 = 1.5 x", like_terms, 2 },
    { "chains of opposite seeds cancel", opposite_chains, 1 },
    { "x + e - x = e", opposite_far, 1 },
    { "exp(a x), exp(-a x) stay", through_exp, 5 },
    { "x p + x s stays", factor_not_constant, 3 },
    { "exp(r) + x - r stays", other_shape, 3 },
    { "s x + (1 - s) x = x", interpolate, 1 },
    { "s x + (2 - s) x = 2 x", no_interpolate, 1 },
    { "3 x w and x w: one product of matrices", multiples, 5 },
    { "x s = s x", commuted, 3 },
    { "x + -s = x - s", add_negative, 1 },
    { "3 x + 3 s = 3 (x + s)", common_factor, 2 },
    { "the same, but the products are used", common_factor_used, 5 },
    { "x - copy of x", aliases, 1 },
    { "x + sqrt(4)", uniform, 1 },
    { "-x is summed, halved, and times s: one factor", small_factor, 4 },
    { "3 x is read twice", read_twice, 4 },
    { "5 x w, where w stays", parameter, 6 },
    { "sums of many terms", many_terms, 66 },
    { "exp(0) without an axis of samples", zero_of_all, 2 },
    { "x / inf = 0", not_a_number, 1 },
    { "(1 - s)^2 - s^2 + 2 s - 1 = 0", affine_squared, 0 },
    { "products of constants out of range", underflow, 7 },
};

static values make_values(cak_graph *g)
{
    return (values){ g, cak_input(g, "x", &CAK_SHAPE(4, 3), true), cak_input(g, "s", &CAK_SHAPE(4, 3), true),
                     cak_input(g, "p", &CAK_SHAPE(3), false), cak_input(g, "w", &CAK_SHAPE(2, 3), false) };
}

START_TEST(single_rules)
{
    for (size_t i = 0; i < sizeof singles / sizeof *singles; i++) {
        bench b = open_bench();
        values v = make_values(b.g);
        cak_ref y = singles[i].make(&v), old = y;
        const real *want = run_planned(b.a, b.g, &y, 1)[0];
        cak_graph *g = cak_pass_algebra(b.g, &y, 1);
        const real *got = run_planned(b.a, g, &y, 1)[0];
        ck_assert_msg(kernels(g) == singles[i].kernels, "%s: %d kernels\n%s", singles[i].name, kernels(g),
                      cak_dump_text(b.a, g, &y, (const char *[]){ "y" }, 1));
        double d = distance(got, want, cak_shape_size(cak_shape_of(b.g, old)));
        ck_assert_msg(d <= TOL, "%s: %g", singles[i].name, d);
        ck_assert_int_eq(cak_graph_value(g, y)->rows, cak_graph_value(b.g, old)->rows);
        cak_graph_close(g);
        close_bench(&b);
    }
}
END_TEST
/* ---- graphs at large ---- */

/* Values stay, kernels and cost never grow; once more changes nothing, and a second time gives the same text. */
START_TEST(random_graphs)
{
    static const char *const names[OUTS] = { "a", "b", "c", "d" };
    double before = 0, after = 0;
    for (int seed = 0; seed < 120; seed++) {
        bench b = open_bench();
        cak_ref out[OUTS], old[OUTS], twin[OUTS];
        random_graph(b.g, seed, 8 + seed, out, OUTS);
        memcpy(old, out, sizeof out);
        memcpy(twin, out, sizeof out);
        const real **want = run_plain(b.a, b.g, out, OUTS);
        cak_graph *g = cak_pass_algebra(b.g, out, OUTS), *h = cak_pass_algebra(b.g, twin, OUTS);
        const real **got = run_plain(b.a, g, out, OUTS);
        for (int i = 0; i < OUTS; i++) {
            double d = distance(got[i], want[i], cak_shape_size(cak_shape_of(g, out[i])));
            ck_assert_msg(d <= 10 * TOL, "seed %d: %g", seed, d);
        }
        ck_assert_str_eq(cak_dump_text(b.a, g, out, names, OUTS), cak_dump_text(b.a, h, twin, names, OUTS));
        memcpy(twin, old, sizeof old);
        cak_graph *live = cak_pass_dce(b.g, twin, OUTS);
        ck_assert_msg(cak_graph_cost(g, out, OUTS) <= cak_graph_cost(b.g, old, OUTS), "seed %d: cost", seed);
        ck_assert_msg(kernels(g) <= kernels(live), "seed %d: kernels", seed);
        before += cak_graph_cost(b.g, old, OUTS), after += cak_graph_cost(g, out, OUTS);
        cak_graph_close(g), cak_graph_close(h), cak_graph_close(live);
        close_bench(&b);
    }
    ck_assert_msg(after < 0.8 * before, "%g", after / before);
}
END_TEST

/* Graphs near the limit of values: forms of long sums fill the graph of forms, short sums the new graph; the rest is kept as it is. */
START_TEST(graphs_near_the_limit)
{
    static const int kinds[][2] = { { CAK_MAX_TERMS - 1, 24000 }, { 1, 55000 } }; /* different terms, terms */
    for (int k = 0; k < 2; k++) {
        bench b = open_bench();
        cak_ref f[CAK_MAX_TERMS], x = cak_input(b.g, "x", &CAK_SHAPE(2), false), y = x;
        for (int i = 0; i < kinds[k][0]; i++) f[i] = cak_sin(b.g, cak_shift(b.g, x, 0.1 * i));
        for (int i = 0; i < kinds[k][1]; i++) y = cak_sub(b.g, cak_scale(b.g, f[i % kinds[k][0]], 1.0 / (i + 1)), y);
        y = cak_tanh(b.g, y);
        const real *want = run_plain(b.a, b.g, &y, 1)[0];
        cak_graph *g = cak_pass_algebra(b.g, &y, 1);
        ck_assert(!cak_graph_failed(g) && !cak_diag_errors(b.d));
        ck_assert(distance(run_plain(b.a, g, &y, 1)[0], want, 2) <= 1e3 * TOL);
        cak_graph_close(g);
        close_bench(&b);
    }
}
END_TEST

/* ---- facts ---- */

START_TEST(candidates)
{
    bench b = open_bench();
    cak_ref out[] = { CAK_NONE, CAK_NONE };
    cak_ref c = cak_input(b.g, "c", &CAK_SHAPE(4, 1), true), x = cak_input(b.g, "x", &CAK_SHAPE(4, 3), true),
            y = cak_input(b.g, "y", &CAK_SHAPE(4, 3), true), dead_end = cak_input(b.g, "z", &CAK_SHAPE(4, 3), true),
            s = cak_input(b.g, "s", &CAK_SHAPE(4, 3), false), p = cak_param(b.g, "p", &CAK_SHAPE(4, 3), (cak_init){ 0 });
    cak_exp(b.g, dead_end);
    out[1] = cak_mul(b.g, cak_add(b.g, cak_add(b.g, x, y), c), cak_add(b.g, s, p));
    cak_facts f = cak_facts_candidates(b.g, out, 2);
    ck_assert_int_eq(f.n, 2);
    ck_assert(!strcmp(f.fact[0].a, "c") && !f.fact[0].b);
    ck_assert(!strcmp(f.fact[1].a, "x") && !strcmp(f.fact[1].b, "y"));
    close_bench(&b);
}
END_TEST

START_TEST(more_candidates_than_facts)
{
    bench b = open_bench();
    cak_ref y = cak_const(b.g, 0);
    for (int i = 0; i < 20; i++) y = cak_add(b.g, y, cak_input(b.g, cak_arena_print(b.a, "x%d", i), &CAK_SHAPE(4), true));
    ck_assert_int_eq(cak_facts_candidates(b.g, &y, 1).n, CAK_MAX_FACTS);
    close_bench(&b);
}
END_TEST

START_TEST(facts_chain)
{
    static const cak_facts facts = { .fact = { { "y", "z" }, { "x", "z" }, { "z", NULL }, { "nobody", NULL } }, .n = 4 };
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(4, 3), true), y = cak_input(b.g, "y", &CAK_SHAPE(4, 3), true),
            z = cak_input(b.g, "z", &CAK_SHAPE(4, 3), true), u = cak_input(b.g, "u", &CAK_SHAPE(4, 3), true);
    cak_ref out[] = { cak_exp(b.g, x), cak_exp(b.g, y), cak_exp(b.g, z), cak_exp(b.g, u), CAK_NONE }, some[] = { out[0], out[1] };
    cak_facts equal = facts;
    equal.n = 2;
    cak_graph *g = cak_pass_facts(b.g, out, 5, &facts), *h = cak_pass_facts(b.g, some, 2, &equal);
    ck_assert(out[0].id == out[1].id && out[1].id == out[2].id && out[3].id != out[2].id && cak_is_none(out[4]));
    ck_assert_int_eq(count(g, "expand"), 1);
    ck_assert_int_eq(count(g, "input"), 1);
    ck_assert_int_eq(cak_graph_value(g, out[0])->rows, CAK_ROWS_SAMPLE);
    ck_assert(some[0].id == some[1].id);
    ck_assert_int_eq(count(h, "input"), 1);
    cak_graph_close(g), cak_graph_close(h);
    close_bench(&b);
}
END_TEST

/* A fold of samples stays one, so that some samples of a batch can be folded with it and the others without. */
START_TEST(folds_stay)
{
    static const cak_facts facts = { .fact = { { "c", NULL } }, .n = 1 };
    bench b = open_bench();
    cak_ref c = cak_input(b.g, "c", &CAK_SHAPE(4), true), x = cak_input(b.g, "x", &CAK_SHAPE(4), true);
    cak_ref gate = cak_sigmoid(b.g, cak_shift(b.g, c, -0.25));
    cak_ref out[] = { cak_sum(b.g, gate), cak_sum(b.g, cak_mul(b.g, c, x)), cak_exp(b.g, cak_mul(b.g, c, x)), c };
    cak_graph *f = cak_pass_facts(b.g, out, 4, &facts), *g = cak_pass_algebra(f, out, 4);
    ck_assert_int_eq(count(g, "reduce_sum"), 1);
    ck_assert_int_eq(count(g, "input"), 0);
    for (int i = 2; i < 4; i++) ck_assert_int_eq(cak_graph_value(g, out[i])->rows, CAK_ROWS_SAMPLE);
    const real **y = run_plain(b.a, g, out, 4);
    ck_close((double)y[0][0], 4 / (1 + exp(0.25)), TOL);
    ck_assert(y[1][0] == 0 && y[2][3] == 1 && y[3][0] == 0);
    cak_graph_close(g), cak_graph_close(f);
    close_bench(&b);
}
END_TEST

/* With one sample, a sum of samples is not the sum of what is as large as they are. */
START_TEST(a_batch_of_one)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(1, 3), true), p = cak_input(b.g, "p", &CAK_SHAPE(1, 3), false);
    cak_ints first = { .n = 1, .v = { 0 } };
    cak_ref y = cak_sub(b.g, cak_add(b.g, p, x), x);
    cak_ref out[] = { cak_append(b.g, &cak_node_reduce_sum, &first, &y, 1),
                      cak_append(b.g, &cak_node_reduce_sum, &first, &p, 1) };
    cak_graph *g = cak_pass_algebra(b.g, out, 2);
    ck_assert(out[0].id != out[1].id);
    ck_assert_int_eq(cak_graph_value(g, cak_graph_value(g, out[0])->in[0])->rows, CAK_ROWS_SAMPLE);
    cak_graph_close(g);
    close_bench(&b);
}
END_TEST

/* ---- cost ---- */

START_TEST(costs)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(2, 3, 8, 6), true),
            w = cak_param(b.g, "w", &CAK_SHAPE(5, 3, 4, 4), (cak_init){ 0 });
    cak_ref y = cak_conv2d(b.g, x, w, 2, 1, 1), m = cak_input(b.g, "m", &CAK_SHAPE(7, 11), false),
            n = cak_input(b.g, "n", &CAK_SHAPE(7, 4), false);
    cak_shape xs = *cak_shape_of(b.g, x), ws = *cak_shape_of(b.g, w);
    double taps = 2.0 * (2 * 5 * 4 * 3) * (3 * 4 * 4);
    const struct {
        cak_ref y;
        double cost;
    } cases[] = {
        { x, 0 },
        { y, taps },
        { cak_conv2d_dx(b.g, y, w, 2, 1, 1, &xs), 2 * taps },
        { cak_conv2d_dw(b.g, x, y, 2, 1, 1, &ws), 2 * taps },
        { cak_matmul(b.g, m, n, true, false), 2.0 * 11 * 4 * 7 },
        { cak_reshape(b.g, x, &CAK_SHAPE(6, 48)), 0 },
        { cak_exp(b.g, x), 288 },
        { cak_sum_axes(b.g, x, 1 << 2), 288 },
        { cak_expand(b.g, cak_const(b.g, 3), &CAK_SHAPE(5)), 6 },
        { CAK_NONE, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(cak_graph_cost(b.g, &cases[i].y, 1) == cases[i].cost, "%zu: %g", i, cak_graph_cost(b.g, &cases[i].y, 1));
    close_bench(&b);
}
END_TEST

SUITE(algebra, graphs_near_the_limit, candidates, more_candidates_than_facts, facts_chain, folds_stay, a_batch_of_one, costs,
      random_graphs, critic_on_identities, generator_on_identities, critic_on_any_samples, generator_on_any_samples,
      adversarial_gradient_of_identities_vanishes, single_rules)
