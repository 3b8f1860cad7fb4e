/* normalise: the values of the published statistics, the clipping, derivatives, errors. */
#include <string.h>

#include "tests/support/graph_test.h"

#define PUBLISHED "low: -0.0001081228256225586, high: 4.194316387176514"
static const char yaml[] = "nodes: {y: {type: normalise, inputs: [x], " PUBLISHED "}}";

START_TEST(test_published_values)
{
    static const double x[] = { 0, 1e-3, 0.1, 1, 10, 42, 42.65185816, 43, 1000 };
    static const double want[] = { 1.25764553e-4, 0.098627376, 0.399736883, 0.621728533, 0.854305941, 0.998462895, 1, 1, 1 };
    graph_case c = { .yaml = yaml, .out = "y" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(9), .data = x };
    const real *y = graph_eval(&c, NULL);
    for (int i = 0; i < 9; i++) ck_close(y[i], want[i], 2e-8);
    ck_assert(y[5] < 1 && y[7] == 1);
}
END_TEST

START_TEST(test_attributes)
{
    static const double x[] = { 0.25, 1 }; /* (log(1 + 3 sqrt(x)) / log 10)^2 */
    graph_case c = { .yaml = "nodes: {y: {type: normalise, inputs: [x], alpha: 3, gamma: 2, eps: 0, low: 0, high: 2.302585093}}",
                     .out = "y" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2), .data = x };
    const real *y = graph_eval(&c, NULL);
    ck_close(y[0], 0.3979400087 * 0.3979400087, 1e-8);
    ck_close(y[1], 0.6020599913 * 0.6020599913, 1e-8);
    c.yaml = "nodes: {y: {type: normalise, inputs: [x], alpha: 3, gamma: 1, eps: 0.5, low: 0, high: 1.5}}";
    ck_close(graph_eval(&c, NULL)[1], 1.3862943611 / 2, 1e-9);
}
END_TEST

START_TEST(test_gradients)
{
    graph_case c = { .yaml = yaml, .out = "y" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2, 1, 3, 2), .lo = 0.5, .hi = 20 };
    gradcheck(&c);
}
END_TEST

START_TEST(test_errors)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        { "nodes: {y: {type: normalise, inputs: [x]}}", "normalise needs `low` and `high`" },
        { "nodes: {y: {type: normalise, inputs: [x], low: 0}}", "normalise needs `low` and `high`" },
        { "nodes: {y: {type: normalise, inputs: [x], low: 2, high: 1}}", "normalise needs low < high, got 2 and 1" },
    };
    for (int i = 0; i < 3; i++) {
        graph_case c = { .yaml = cases[i].yaml, .out = "y" };
        c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2) };
        ck_assert_ptr_nonnull(strstr(graph_errors(&c), cases[i].message));
    }
}
END_TEST

SUITE(normalise, test_published_values, test_attributes, test_gradients, test_errors)
