/* The soft gate: published values, derivatives, schedules. */
#include <math.h>

#include "tests/support/graph_test.h"

START_TEST(published_values)
{
    static const double c[] = { -0.5, 0, 0.1, 0.2, 0.3, 0.45, 0.5, 1 };
    static const double want[] = { 1.13e-7, 0.00247262, 0.0179862, 0.1192029, 0.5, 0.9525741, 0.9820138, 0.9999992 };
    graph_case g = { .yaml = "nodes: {}", .out = "soft_gate(c)", .in = { { "c", CAK_SHAPE(8), .data = c } } };
    const real *y = graph_eval(&g, NULL);
    for (int i = 0; i < 8; i++) ck_close((double)y[i], want[i], i ? 3e-6 : 5e-3);
}
END_TEST

START_TEST(annealing)
{
    static const double t[] = { 2, 5.6, 9.2, 12.8, 16.4, 20 };
    static const double want[] = { 0.354344, 0.157095, 0.059524, 0.021041, 0.007246, 0.002473 };
    for (int i = 0; i < 6; i++) {
        graph_case g = { .yaml = "nodes: {y: {type: soft_gate, tau: 0.3, temperature: t, inputs: [0]}}",
                         .out = "y",
                         .in = { { "t", CAK_SCALAR, .data = &t[i] } } };
        ck_close((double)graph_eval(&g, NULL)[0], want[i], 2e-4);
    }
}
END_TEST

START_TEST(derivatives)
{
    gradcheck(&(graph_case){ .yaml = "nodes: {y: {type: soft_gate, tau: 0.2, temperature: t, inputs: [c]}}",
                             .out = "y",
                             .in = { { "c", CAK_SHAPE(3, 1), -0.5, 0.8 }, { "t", CAK_SCALAR, 2, 4 } } });
}
END_TEST

SUITE(soft_gate, published_values, annealing, derivatives)
