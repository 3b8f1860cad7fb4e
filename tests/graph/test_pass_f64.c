/* Passes: the same values from fewer nodes. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_run.h"

enum { SEEDS = 120, OUTS = 4 };

static int count(const cak_graph *g, const char *type)
{
    int n = 0;
    for (int id = 0; id < cak_graph_size(g); id++) n += !strcmp(cak_graph_value(g, (cak_ref){ id })->node->name, type);
    return n;
}

/* fold, then remove what nobody uses; `old` is closed. */
static cak_graph *optimise(cak_graph *old, cak_ref *out, int n)
{
    cak_graph *folded = cak_pass_fold(old, out, n);
    cak_graph_close(old);
    cak_graph *g = cak_pass_dce(folded, out, n);
    cak_graph_close(folded);
    return g;
}

START_TEST(values_stay)
{
    int before = 0, after = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        bench b = open_bench();
        cak_ref out[OUTS];
        cak_shape shape[OUTS];
        random_graph(b.g, seed, 8 + seed, out, OUTS);
        const real **want = run_planned(b.a, b.g, out, OUTS);
        for (int i = 0; i < OUTS; i++) shape[i] = *cak_shape_of(b.g, out[i]);
        before += cak_program_info(cak_plan(b.a, b.g, out, OUTS)).kernels;
        b.g = optimise(b.g, out, OUTS);
        after += cak_program_info(cak_plan(b.a, b.g, out, OUTS)).kernels;
        const real **got = run_planned(b.a, b.g, out, OUTS);
        for (int i = 0; i < OUTS; i++) {
            ck_assert(cak_shape_equal(cak_shape_of(b.g, out[i]), &shape[i]));
            for (int64_t k = 0; k < cak_shape_size(&shape[i]); k++)
                ck_assert_msg(fabs((double)(got[i][k] - want[i][k])) < 1e-14, "seed %d", seed);
        }
        close_bench(&b);
    }
    ck_assert_int_lt(after, before * 19 / 20);
}
END_TEST

START_TEST(gradients_stay)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(6, 5), true), p = cak_input(b.g, "p", &CAK_SHAPE(5), false);
    cak_ref gx = cak_grad(b.g, cak_tanh(b.g, cak_mul(b.g, cak_scale(b.g, cak_scale(b.g, x, 2), 0.25), p)), x);
    cak_ref out[] = { cak_mean(b.g, cak_square(b.g, gx)), cak_grad(b.g, cak_square(b.g, gx), p) };
    const real **want = run_planned(b.a, b.g, out, 2);
    b.g = optimise(b.g, out, 2);
    const real **got = run_planned(b.a, b.g, out, 2);
    ck_close((double)got[0][0], (double)want[0][0], 1e-13);
    for (int i = 0; i < 5; i++) ck_close((double)got[1][i], (double)want[1][i], 1e-13);
    close_bench(&b);
}
END_TEST

START_TEST(nothing_dead_is_left)
{
    for (int seed = 0; seed < 40; seed++) {
        bench b = open_bench();
        cak_ref out[OUTS];
        random_graph(b.g, seed, 40, out, OUTS);
        b.g = optimise(b.g, out, OUTS);
        ck_assert_int_eq(cak_program_info(cak_plan(b.a, b.g, out, OUTS)).values, cak_graph_size(b.g));
        int size = cak_graph_size(b.g);
        b.g = optimise(b.g, out, OUTS); /* and nothing is left to do */
        ck_assert_int_le(cak_graph_size(b.g), size);
        close_bench(&b);
    }
}
END_TEST

/* ---- rules, one by one: y is built from x [4]; afterwards the graph has exactly `size` values ---- */

static cak_ref constants(cak_graph *g, cak_ref x) { return cak_add(g, x, cak_sqrt(g, cak_scale(g, cak_const(g, 8), 2))); }
static cak_ref plus_zero(cak_graph *g, cak_ref x) { return cak_exp(g, cak_shift(g, x, 0)); }
static cak_ref zero_plus(cak_graph *g, cak_ref x) { return cak_exp(g, cak_add(g, cak_const(g, 0), x)); }
static cak_ref minus_zero(cak_graph *g, cak_ref x) { return cak_exp(g, cak_sub(g, x, cak_const(g, 0))); }
static cak_ref times_one(cak_graph *g, cak_ref x) { return cak_exp(g, cak_scale(g, x, 1)); }
static cak_ref over_one(cak_graph *g, cak_ref x) { return cak_exp(g, cak_div(g, x, cak_const(g, 1))); }
static cak_ref zero_minus(cak_graph *g, cak_ref x) { return cak_sub(g, cak_const(g, 0), x); }
static cak_ref one_over(cak_graph *g, cak_ref x) { return cak_div(g, cak_const(g, 1), x); }
static cak_ref times_zero(cak_graph *g, cak_ref x) { return cak_scale(g, x, 0); }
static cak_ref scales(cak_graph *g, cak_ref x) { return cak_scale(g, cak_scale(g, cak_scale(g, x, 2), 3), 4); }
static cak_ref expanded(cak_graph *g, cak_ref x) { return cak_mul(g, x, cak_expand(g, cak_const(g, 3), &CAK_SHAPE(4))); }
static cak_ref needed(cak_graph *g, cak_ref x)
{
    cak_ref e = cak_expand(g, cak_sum(g, x), &CAK_SHAPE(4));
    return cak_mul(g, e, e);
}
static cak_ref one_wider(cak_graph *g, cak_ref x)
{
    return cak_add(g, cak_sum(g, x), cak_expand(g, cak_const(g, 0), &CAK_SHAPE(4)));
}

static const struct rule {
    cak_ref (*make)(cak_graph *g, cak_ref x);
    const char *type;
    int count; /* nodes of this type that are left */
    int size;
} rules[] = {
    { constants, "const", 1, 3 },  { plus_zero, "add", 0, 2 }, { zero_plus, "add", 0, 2 },   { minus_zero, "sub", 0, 2 },
    { times_one, "mul", 0, 2 },    { over_one, "div", 0, 2 },  { zero_minus, "sub", 1, 3 },  { one_over, "div", 1, 3 },
    { times_zero, "mul", 1, 3 },   { scales, "mul", 1, 3 },    { expanded, "expand", 0, 3 }, { needed, "expand", 1, 5 },
    { one_wider, "expand", 1, 6 },
};

START_TEST(single_rules)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        bench b = open_bench();
        cak_ref y = rules[i].make(b.g, cak_input(b.g, "x", &CAK_SHAPE(4), false));
        const real *want = run_planned(b.a, b.g, &y, 1)[0];
        b.g = optimise(b.g, &y, 1);
        const real *got = run_planned(b.a, b.g, &y, 1)[0];
        for (int k = 0; k < 4; k++) ck_close((double)got[k], (double)want[k], 1e-15);
        ck_assert_msg(count(b.g, rules[i].type) == rules[i].count, "rule %zu leaves %d %s", i, count(b.g, rules[i].type),
                      rules[i].type);
        ck_assert_msg(cak_graph_size(b.g) == rules[i].size, "rule %zu leaves %d values", i, cak_graph_size(b.g));
        close_bench(&b);
    }
}
END_TEST

/* 0 * NaN is NaN: a broken run must not be hidden. */
START_TEST(times_zero_shows_a_nan)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(1), false), y = cak_scale(b.g, x, 0);
    static const real nan_value = NAN;
    b.g = optimise(b.g, &y, 1);
    cak_exec *e = cak_exec_open(b.a, cak_plan(b.a, b.g, &y, 1), NULL);
    ck_assert(cak_exec_bind(e, "x", &nan_value));
    cak_exec_run(e, &(cak_clock){ 0 });
    ck_assert(isnan(cak_exec_data(e, y)[0]));
    cak_exec_close(e);
    close_bench(&b);
}
END_TEST

START_TEST(places_labels_and_missing_outputs_stay)
{
    bench b = open_bench();
    char name[] = "x";
    cak_ref x = cak_input(b.g, name, &CAK_SHAPE(4), false);
    name[0] = '?'; /* graphs keep copies */
    cak_where old = cak_graph_at(b.g, (cak_pos){ "a.yaml", 4, 2, 1 }, "fake");
    cak_ref out[] = { cak_exp(b.g, x), CAK_NONE };
    cak_graph_restore(b.g, old);
    cak_sin(b.g, x);
    b.g = optimise(b.g, out, 2);
    ck_assert(cak_is_none(out[1]));
    ck_assert_int_eq(cak_graph_size(b.g), 2);
    const cak_value *v = cak_graph_value(b.g, out[0]);
    ck_assert_str_eq(v->label, "fake");
    ck_assert_int_eq(v->origin.line, 4);
    ck_assert_str_eq(cak_value_name(b.g, v->in[0]), "x");
    close_bench(&b);
}
END_TEST

SUITE(pass, values_stay, gradients_stay, nothing_dead_is_left, single_rules, times_zero_shows_a_nan,
      places_labels_and_missing_outputs_stay)
