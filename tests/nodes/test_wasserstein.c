/* Wasserstein estimate. */
#include "tests/support/graph_test.h"

START_TEST(values)
{
    static const double r[] = { 1, 2, 6 }, f[] = { 4, -1 };
    graph_case c = { .yaml = "nodes: {w: {type: wasserstein, inputs: {fake: f, real: r}}}",
                     .out = "w",
                     .in = { { "r", CAK_SHAPE(3), .data = r }, { "f", CAK_SHAPE(2), .data = f } } };
    ck_assert(graph_eval(&c, NULL)[0] == 1.5);
}
END_TEST

START_TEST(derivatives)
{
    gradcheck(&(graph_case){ .yaml = "nodes: {w: {type: wasserstein, inputs: [exp(r), square(f)]}}",
                             .out = "w",
                             .in = { { "r", CAK_SHAPE(3), -1, 1 }, { "f", CAK_SHAPE(3), -1, 1 } } });
}
END_TEST

SUITE(wasserstein, values, derivatives)
