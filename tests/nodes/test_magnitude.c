/* magnitude: values, gradient at and away from 0, errors. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_test.h"

static const char yaml[] = "nodes: {y: {type: magnitude, inputs: [x]}}";

START_TEST(test_values)
{
    static const double x[] = { 3, 0, -5, 1e-9, 4, 0, 12, 0 }, want[] = { 5, 0, 13, 1e-9 };
    graph_case c = { .yaml = yaml, .out = "y" };
    cak_shape shape;
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(1, 2, 2, 2), .data = x };
    const real *y = graph_eval(&c, &shape);
    ck_assert(cak_shape_equal(&shape, &CAK_SHAPE(1, 1, 2, 2)));
    for (int i = 0; i < 4; i++) ck_close(y[i], want[i], 1e-15);
}
END_TEST

START_TEST(test_gradients)
{
    graph_case c = { .yaml = yaml, .out = "y" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2, 2, 3, 4), .lo = -1, .hi = 1, .gap = 0.1 };
    gradcheck(&c);
}
END_TEST

START_TEST(test_gradient_at_zero)
{
    graph_case c = { .yaml = "nodes: {y: {type: magnitude, inputs: [x]}, d: {type: grad, inputs: [sum(y), x]},"
                             " dd: {type: grad, inputs: [sum(square(d)), x]}}" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(1, 2, 1, 2) };
    const char *outs[] = { "d", "dd" };
    for (int k = 0; k < 2; k++) {
        c.out = outs[k];
        const real *d = graph_eval(&c, NULL);
        for (int i = 0; i < 4; i++) ck_assert(isfinite(d[i]) && (k || d[i] == 0));
    }
}
END_TEST

START_TEST(test_errors)
{
    graph_case c = { .yaml = yaml, .out = "y" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(1, 1, 2, 2) };
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "magnitude needs a spectrum [B,2,F,T], got [1,1,2,2]"));
}
END_TEST

SUITE(magnitude, test_values, test_gradients, test_gradient_at_zero, test_errors)
