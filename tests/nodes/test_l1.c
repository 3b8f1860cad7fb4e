/* Mean absolute difference. */
#include <string.h>

#include "tests/support/graph_test.h"

START_TEST(values)
{
    static const double a[] = { 1, 2, 3, 4 }, b[] = { 0, 4, 3, 8 };
    graph_case c = { .yaml = "nodes: {y: {type: l1, inputs: [a, b]}}",
                     .out = "y",
                     .in = { { "a", CAK_SHAPE(2, 2), .data = a }, { "b", CAK_SHAPE(2, 2), .data = b } } };
    ck_assert(graph_eval(&c, NULL)[0] == 1.75);
    c.in[1].data = a;
    ck_assert(graph_eval(&c, NULL)[0] == 0);
    c.in[1].shape = CAK_SHAPE(2);
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "l1 needs equal shapes, got [2,2] and [2]"));
}
END_TEST

START_TEST(derivatives)
{
    gradcheck(&(graph_case){ .yaml = "nodes: {l: {type: l1, inputs: [a, b]}, y: {type: mul, inputs: [l, a]}}",
                             .out = "y",
                             .in = { { "a", CAK_SHAPE(2, 3), 0, 1 }, { "b", CAK_SHAPE(2, 3), 2, 3 } } });
}
END_TEST

SUITE(l1, values, derivatives)
