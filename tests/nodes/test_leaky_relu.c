/* Leaky rectifier. */
#include "tests/support/graph_test.h"

START_TEST(values)
{
    static const double x[] = { -2, 0, 3 };
    graph_case c = { .yaml = "nodes: {y: {type: leaky_relu, slope: 0.25, inputs: [x]}}",
                     .out = "y",
                     .in = { { "x", CAK_SHAPE(3), .data = x } } };
    const real *y = graph_eval(&c, NULL);
    ck_assert(y[0] == -0.5 && y[1] == 0 && y[2] == 3);
    c.out = "leaky_relu(x)";
    ck_assert(graph_eval(&c, NULL)[0] == -0.4);
    c.yaml = "nodes: {g: {type: grad, inputs: [leaky_relu(x), x]}}";
    c.out = "g";
    y = graph_eval(&c, NULL);
    ck_assert(y[0] == 0.2 && y[1] == 0.2 && y[2] == 1); /* at 0 the left slope, as torch */
}
END_TEST

START_TEST(derivatives)
{
    gradcheck(&(graph_case){ .yaml = "nodes: {y: {type: leaky_relu, inputs: [x]}, z: {type: mul, inputs: [y, x]}}",
                             .out = "z",
                             .in = { { "x", CAK_SHAPE(3, 4), -1, 1, 0.05 } } });
}
END_TEST

SUITE(leaky_relu, values, derivatives)
