/* Constants, inputs, parameters. */
#include <string.h>

#include "tests/support/graph_test.h"

START_TEST(values)
{
    static const double x[] = { 1, 2, 3 };
    graph_case c = { .yaml = "nodes: {k: {type: const, value: -2.5}, y: {type: mul, inputs: [k, x]}}",
                     .out = "y",
                     .in = { { "x", CAK_SHAPE(3), .data = x } } };
    const real *y = graph_eval(&c, NULL);
    for (int i = 0; i < 3; i++) ck_assert(y[i] == -2.5 * x[i]);
    c.out = "0.125";
    ck_assert(graph_eval(&c, NULL)[0] == 0.125);
    c.out = "x";
    ck_assert(graph_eval(&c, NULL)[2] == 3);
}
END_TEST

START_TEST(a_constant_has_no_gradient)
{
    graph_case c = { .yaml =
                         "nodes: {k: {type: const, value: 3}, y: {type: mul, inputs: [k, k]}, g: {type: grad, inputs: [y, x]}}",
                     .out = "g",
                     .in = { { "x", CAK_SHAPE(3), 0, 1 } } };
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "does not depend on x"));
}
END_TEST

START_TEST(zeros_count_samples_or_not)
{
    cak_diag *d = cak_diag_open();
    cak_graph *g = cak_graph_open(d);
    for (int k = 0; k < 2; k++) {
        const cak_value *v = cak_graph_value(g, cak_zeros(g, &CAK_SHAPE(3, 2), k));
        real y[6] = { 1, 2, 3, 4, 5, 6 };
        cak_work w = { .attr = v->attr, .y = { v->shape, y } };
        v->node->run(&w);
        for (int i = 0; i < 6; i++) ck_assert(y[i] == 0);
        ck_assert_int_eq(v->rows, k ? CAK_ROWS_SAMPLE : CAK_ROWS_SHARED);
    }
    cak_graph_close(g);
    cak_diag_close(d);
}
END_TEST

START_TEST(what_the_engine_makes_is_not_written_in_yaml)
{
    static const char *const yaml[] = { "nodes: {y: {type: input, name: x}}", "nodes: {y: {type: param, name: x}}",
                                        "nodes: {y: {type: zeros}}" };
    for (size_t k = 0; k < sizeof yaml / sizeof *yaml; k++) {
        graph_case c = { .yaml = yaml[k], .out = "y" };
        ck_assert_ptr_nonnull(strstr(graph_errors(&c), "is made by the engine [E3001]"));
    }
}
END_TEST

SUITE(leaf, values, a_constant_has_no_gradient, zeros_count_samples_or_not, what_the_engine_makes_is_not_written_in_yaml)
