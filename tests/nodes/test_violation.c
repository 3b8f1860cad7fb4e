/* Audit violation of one control. */
#include <string.h>

#include "tests/support/graph_test.h"

START_TEST(values)
{
    static const double m[] = { 0.5, -1, 2 }, c[] = { 0.25, 1, 2 };
    cak_shape shape;
    graph_case g = { .yaml = "nodes: {y: {type: violation, inputs: [m, c]}}",
                     .out = "y",
                     .in = { { "m", CAK_SHAPE(3), .data = m }, { "c", CAK_SHAPE(3, 1), .data = c } } };
    const real *y = graph_eval(&g, &shape);
    ck_assert(cak_shape_equal(&shape, &CAK_SHAPE(3)) && y[0] == 0.25 && y[1] == 2 && y[2] == 0);
    g.in[0].shape = CAK_SHAPE(1, 3);
    ck_assert_ptr_nonnull(strstr(graph_errors(&g), "expected one number per sample, got [1,3]"));
}
END_TEST

START_TEST(derivatives)
{
    gradcheck(&(graph_case){ .yaml = "nodes: {v: {type: violation, inputs: [m, c]}, y: {type: mul, inputs: [v, m]}}",
                             .out = "y",
                             .in = { { "m", CAK_SHAPE(4), 0, 1 }, { "c", CAK_SHAPE(4), 2, 3 } } });
}
END_TEST

SUITE(violation, values, derivatives)
