/* Fully connected layer. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_test.h"

START_TEST(values)
{
    static const double x[] = { 1, 2, 3, -1, 0.5, 0 }, w[] = { 1, 0, 2, -1, 1, 0.5 }, b[] = { 0.25, -4 };
    cak_shape shape;
    graph_case c = { .yaml =
                         "nodes: {y: {type: linear, out: 2, inputs: [x]}, z: {type: linear, out: 2, bias: false, inputs: [x]}}",
                     .out = "y",
                     .in = { { "x", CAK_SHAPE(2, 3), .data = x } },
                     .param = { { "y.weight", w }, { "y.bias", b }, { "z.weight", w } } };
    static const double want[] = { 7.25, -1.5, -0.75, -2.5 };
    const real *y = graph_eval(&c, &shape);
    ck_assert(cak_shape_equal(&shape, &CAK_SHAPE(2, 2)));
    for (int i = 0; i < 4; i++) ck_assert(y[i] == want[i]);
    c.out = "z";
    y = graph_eval(&c, NULL);
    for (int i = 0; i < 4; i++) ck_assert(y[i] == want[i] - b[i % 2]);
}
END_TEST

START_TEST(derivatives)
{
    gradcheck(
        &(graph_case){ .yaml = "nodes: {h: {type: linear, out: 4, inputs: [x]}, y: {type: linear, out: 2, inputs: [tanh(h)]}}",
                       .out = "y",
                       .in = { { "x", CAK_SHAPE(5, 3), -1, 1 } } });
}
END_TEST

START_TEST(initial_values_are_torchs)
{
    cak_diag *d = cak_diag_open();
    cak_graph *g = cak_graph_open(d);
    cak_use(g, "linear", "f", CAK_SET({ "out", .num = 2 }), cak_input(g, "x", &CAK_SHAPE(3, 16), true));
    ck_assert_int_eq(cak_graph_params(g), 2);
    for (int i = 0; i < 2; i++) { /* uniform in +-1/sqrt(fan_in), bias too */
        const cak_param_info *p = cak_graph_param(g, i);
        ck_assert_str_eq(p->name, i ? "f.bias" : "f.weight");
        ck_assert(p->init.kind == CAK_INIT_UNIFORM && p->init.a == -0.25 && p->init.b == 0.25);
    }
    cak_graph_close(g);
    cak_diag_close(d);
}
END_TEST

START_TEST(refused)
{
    graph_case c = { .yaml = "nodes: {y: {type: linear, out: 2, inputs: [x]}}",
                     .out = "y",
                     .in = { { "x", CAK_SHAPE(2, 3, 4), 0, 1 } } };
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "y: linear needs x [B,N] [E3005]"));
}
END_TEST

SUITE(linear, values, derivatives, initial_values_are_torchs, refused)
