/* Gradients: missing, zero and stopped ones stay apart; broadcasting; any order; wrong rules are found. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_run.h"
#include "tests/support/graph_test.h"

/* ---- nodes of this test alone ---- */

static bool same_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    (void)g;
    *y = s->in_shape[0];
    return true;
}

static void cube_run(const cak_work *w)
{
    for (int64_t i = 0; i < cak_shape_size(&w->y.shape); i++)
        w->y.data[i] = w->in[0].data[i] * w->in[0].data[i] * w->in[0].data[i];
}

static void right_rule(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin)
{
    gin[0] = cak_scale(g, cak_mul(g, gy, cak_square(g, s->in[0])), 3);
}

static void wrong_rule(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin)
{
    gin[0] = cak_scale(g, cak_mul(g, gy, cak_square(g, s->in[0])), 3.001);
}

/* The value is right, but its history is cut: the second derivative is zero. The classical mistake. */
static void cut_rule(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin)
{
    gin[0] = cak_scale(g, cak_mul(g, gy, cak_detach(g, cak_square(g, s->in[0]))), 3);
}

static const cak_port in[] = { { "x", "any shape", false }, { 0 } };
#define CUBE(id, difference, rule)                                                                               \
    static const cak_node id = {                                                                                 \
        .name = #id, .in = in, .out = in, .shape = same_shape, .run = cube_run, .diff = difference, .grad = rule \
    };                                                                                                           \
    static cak_ref make_##id(cak_graph *g, const cak_ref *x) { return cak_append(g, &id, NULL, x, 1); }
CUBE(good, CAK_DIFF_RULE, right_rule)
CUBE(wrong, CAK_DIFF_RULE, wrong_rule)
CUBE(cut, CAK_DIFF_RULE, cut_rule)
CUBE(opaque, CAK_DIFF_MISSING, NULL)
CUBE(zero, CAK_DIFF_ZERO, NULL)
CUBE(stop, CAK_DIFF_STOP, NULL)

START_TEST(wrong_rules_are_found)
{
    graph_case c = { .out = "cube", .make = make_good, .in = { { "x", CAK_SHAPE(3), 0.5, 1.5 } } };
    ck_assert_double_lt(gradcheck_error(&c, 1), 1e-8);
    ck_assert_double_lt(gradcheck_error(&c, 2), 1e-8);
    c.make = make_wrong;
    ck_assert_double_gt(gradcheck_error(&c, 1), 1e-4);
    c.make = make_cut;
    ck_assert_double_lt(gradcheck_error(&c, 1), 1e-8);
    ck_assert_double_gt(gradcheck_error(&c, 2), 1e-2);
}
END_TEST

START_TEST(missing_zero_and_stop_are_three_answers)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(3), false), y = cak_input(b.g, "y", &CAK_SHAPE(3), false);
    ck_assert(cak_is_none(cak_grad(b.g, make_zero(b.g, &x), x)) && !cak_graph_failed(b.g));
    ck_assert(cak_is_none(cak_grad(b.g, make_stop(b.g, &x), x)) && !cak_graph_failed(b.g));
    ck_assert(cak_is_none(cak_grad(b.g, cak_exp(b.g, y), x)) && !cak_graph_failed(b.g));
    ck_assert(cak_is_none(cak_grad(b.g, x, cak_exp(b.g, x))) && !cak_graph_failed(b.g)); /* x came first */
    cak_ref hidden = make_opaque(b.g, &x); /* harmless as long as its gradient is not asked for */
    ck_assert(!cak_is_none(cak_grad(b.g, cak_mul(b.g, hidden, y), y)) && !cak_graph_failed(b.g));
    ck_assert(!cak_is_none(cak_grad(b.g, cak_exp(b.g, hidden), hidden)) && !cak_graph_failed(b.g));
    cak_where old = cak_graph_at(b.g, (cak_pos){ "a.yaml", 7, 3, 1 }, "measure");
    cak_ref z = make_opaque(b.g, &y);
    cak_graph_restore(b.g, old);
    ck_assert(cak_is_none(cak_grad(b.g, z, y)) && cak_graph_failed(b.g));
    ck_assert_int_eq(cak_diag_code(b.d, 0), CAK_E3301);
    ck_assert_str_eq(cak_diag_message(b.d, 0),
                     "d/d(measure): node type 'opaque' has no gradient rule, but a gradient is asked for");
    ck_assert_int_eq(cak_diag_pos(b.d, 0).line, 7);
    cak_graph_recover(b.g);
    cak_add(b.g, x, cak_input(b.g, "z", &CAK_SHAPE(2), false)); /* the place was restored */
    ck_assert_int_eq(cak_diag_pos(b.d, 1).line, 0);
    close_bench(&b);
}
END_TEST

START_TEST(broadcast_uses_are_summed)
{
    bench b = open_bench();
    static const cak_shape shapes[] = {
        CAK_SCALAR, CAK_SHAPE(1), CAK_SHAPE(5), CAK_SHAPE(6, 1), CAK_SHAPE(1, 5), CAK_SHAPE(6, 5)
    };
    cak_ref w = cak_input(b.g, "w", &CAK_SHAPE(6, 5), false);
    const real *data = random_data(b.a, "w", 30);
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        cak_ref x = cak_input(b.g, cak_arena_print(b.a, "x%zu", k), &shapes[k], false);
        cak_ref gx = cak_grad(b.g, cak_mul(b.g, x, w), x);
        ck_assert(cak_shape_equal(cak_shape_of(b.g, gx), &shapes[k]));
        const real *y = run_planned(b.a, b.g, &gx, 1)[0];
        double want[30] = { 0 };
        int64_t n = cak_shape_size(&shapes[k]);
        for (int i = 0; i < 30; i++) want[n == 30 ? i : n == 6 ? i / 5 : n == 5 ? i % 5 : 0] += (double)data[i];
        for (int64_t i = 0; i < n; i++) ck_close((double)y[i], want[i], 1e-13);
    }
    close_bench(&b);
}
END_TEST

/* Targets that depend on each other get their full gradients, as torch.autograd.grad gives them. */
START_TEST(targets_above_each_other)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(4), false), h = cak_exp(b.g, x), d = cak_detach(b.g, h);
    cak_ref y = cak_sum(b.g, cak_mul(b.g, cak_mul(b.g, h, h), cak_mul(b.g, x, d))), target[] = { h, x, d, y }, g[4];
    ck_assert(cak_gradients(b.g, y, target, 4, g));
    const real *v = random_data(b.a, "x", 4), **got = run_planned(b.a, b.g, g, 4);
    for (int i = 0; i < 4; i++) {
        double t = (double)v[i], e = exp(t);
        ck_close((double)got[0][i], 2 * e * t * e, 1e-13);
        ck_close((double)got[1][i], 2 * e * t * e * e + e * e * e, 1e-13);
        ck_close((double)got[2][i], e * e * t, 1e-13);
    }
    ck_assert(got[3][0] == 1);
    close_bench(&b);
}
END_TEST

START_TEST(any_order)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(4), false), y = cak_square(b.g, cak_square(b.g, x)), g[5];
    static const double factor[] = { 4, 12, 24, 24 };
    for (int k = 0; k < 4; k++) g[k] = y = cak_grad(b.g, y, x);
    const real *v = random_data(b.a, "x", 4), **got = run_planned(b.a, b.g, g, 4);
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 4; i++) ck_close((double)got[k][i], factor[k] * pow((double)v[i], 3 - k), 1e-12);
    ck_assert(cak_is_none(cak_grad(b.g, cak_detach(b.g, y), x)));
    close_bench(&b);
}
END_TEST

START_TEST(the_work_is_done_once)
{
    bench b = open_bench();
    cak_ref x = cak_input(b.g, "x", &CAK_SHAPE(4), false), y = cak_tanh(b.g, cak_exp(b.g, x));
    cak_ref g = cak_grad(b.g, y, x);
    int size = cak_graph_size(b.g);
    ck_assert_int_eq(cak_grad(b.g, y, x).id, g.id);
    ck_assert_int_eq(cak_graph_size(b.g), size);
    close_bench(&b);
}
END_TEST

SUITE(grad, wrong_rules_are_found, missing_zero_and_stop_are_three_answers, broadcast_uses_are_summed, targets_above_each_other,
      any_order, the_work_is_done_once)
