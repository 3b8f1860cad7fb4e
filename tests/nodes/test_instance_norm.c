/* Instance normalisation. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_test.h"

static const char yaml[] = "nodes: {y: {type: instance_norm, inputs: [x]}}";

START_TEST(values)
{
    enum { N = 30 };
    static double x[2 * 3 * N];
    for (int i = 0; i < 6 * N; i++) x[i] = sin(i * 2.3) * (1 + i / N) + i / N;
    graph_case c = { .yaml = yaml, .out = "y", .in = { { "x", CAK_SHAPE(2, 3, 5, 6), .data = x } } };
    const real *y = graph_eval(&c, NULL);
    for (int p = 0; p < 6; p++) {
        double mean = 0, var = 0, m = 0, v = 0;
        for (int i = 0; i < N; i++) mean += x[p * N + i] / N;
        for (int i = 0; i < N; i++) var += (x[p * N + i] - mean) * (x[p * N + i] - mean) / N;
        for (int i = 0; i < N; i++) {
            ck_close((double)y[p * N + i], (x[p * N + i] - mean) / sqrt(var + 1e-5), 1e-11);
            m += (double)y[p * N + i] / N, v += (double)(y[p * N + i] * y[p * N + i]) / N;
        }
        ck_assert_double_lt(fabs(m), 1e-14);
        ck_close(v, var / (var + 1e-5), 1e-12);
    }
}
END_TEST

START_TEST(a_constant_channel_is_zero)
{
    graph_case c = { .yaml = yaml, .out = "y", .in = { { "x", CAK_SHAPE(1, 1, 4, 4), 0.5, 0.5 } } };
    const real *y = graph_eval(&c, NULL);
    for (int i = 0; i < 16; i++) ck_assert(y[i] == 0);
}
END_TEST

START_TEST(derivatives) { gradcheck(&(graph_case){ .yaml = yaml, .out = "y", .in = { { "x", CAK_SHAPE(2, 2, 3, 4), -1, 1 } } }); }
END_TEST

START_TEST(refused)
{
    graph_case c = { .yaml = yaml, .out = "y", .in = { { "x", CAK_SHAPE(2, 3), 0, 1 } } };
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "instance_norm needs x [B,C,H,W]"));
    c.in[0].shape = CAK_SHAPE(2, 3, 1, 1);
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "more than one value per channel"));
}
END_TEST

SUITE(instance_norm, values, a_constant_channel_is_zero, derivatives, refused)
