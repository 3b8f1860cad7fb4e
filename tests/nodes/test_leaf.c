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

START_TEST(what_the_engine_makes_is_not_written_in_yaml)
{
    static const char *const yaml[] = { "nodes: {y: {type: input, name: x}}", "nodes: {y: {type: param, name: x}}" };
    for (size_t k = 0; k < sizeof yaml / sizeof *yaml; k++) {
        graph_case c = { .yaml = yaml[k], .out = "y" };
        ck_assert_ptr_nonnull(strstr(graph_errors(&c), "is made by the engine [E3001]"));
    }
}
END_TEST

SUITE(leaf, values, a_constant_has_no_gradient, what_the_engine_makes_is_not_written_in_yaml)
