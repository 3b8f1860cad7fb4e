/* denormalise: undoes normalise as well as the author's inverse does; limits; derivatives; errors. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_test.h"

#define PUBLISHED "low: -0.0001081228256225586, high: 4.194316387176514"
static const char yaml[] = "nodes: {y: {type: denormalise, inputs: [x], " PUBLISHED "}}";

START_TEST(test_author_formula)
{
    static const double x[] = { -1, 0, 0.3, 0.621728533, 1, 2 };
    graph_case c = { .yaml = yaml, .out = "y" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(6), .data = x };
    const real *y = graph_eval(&c, NULL);
    double low = -0.0001081228256225586, high = 4.194316387176514;
    for (int i = 0; i < 6; i++) {
        double z = pow(fmin(fmax(x[i], 0), 1) + 1e-8, 1 / 0.85), s = fmax((exp(z * (high - low) + low) - 1) / 10, 0);
        ck_close(y[i], s * s, 1e-12);
    }
    ck_assert(y[0] == 0 && y[1] == 0 && y[4] == y[5]); /* low < 0: 0 is a little below the magnitude 0 */
}
END_TEST

START_TEST(test_round_trip)
{
    static const double m[] = { 0.01, 0.5, 3, 20, 42 };
    graph_case c = { .yaml = "nodes: {n: {type: normalise, inputs: [x], " PUBLISHED "},"
                             " y: {type: denormalise, inputs: [n], " PUBLISHED "}}",
                     .out = "y" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(5), .data = m };
    const real *y = graph_eval(&c, NULL);
    for (int i = 0; i < 5; i++) ck_close(y[i], m[i], 5e-7);
}
END_TEST

START_TEST(test_gradients)
{
    graph_case c = { .yaml = yaml, .out = "y" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(3, 4), .lo = 0.2, .hi = 0.9 };
    gradcheck(&c);
}
END_TEST

START_TEST(test_errors)
{
    graph_case c = { .yaml = "nodes: {y: {type: denormalise, inputs: [x], high: 1}}", .out = "y" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2) };
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "denormalise needs `low` and `high`"));
}
END_TEST

SUITE(denormalise, test_author_formula, test_round_trip, test_gradients, test_errors)
