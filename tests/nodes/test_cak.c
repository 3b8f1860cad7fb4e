/* The effect: identity at c = 0, published gains, a plain C reference, derivatives. */
#include <math.h>

#include "tests/support/graph_test.h"

#define DETECTOR "modules: {d: {type: conv_layer, out: 1, kernel: 3, pad: 1}}\n"
static const char yaml[] = DETECTOR "nodes: {y: {type: cak, detector: d, inputs: [x, c]}}";

/* the published detector */
static const double weight[] = { 0.06503798812627792, 0.11838255822658539,  0.16702617704868317,
                                 0.0967034175992012,  0.059058405458927155, 0.017254948616027832,
                                 0.04968244209885597, 0.02118958905339241,  0.09961416572332382 };
static const double bias = -0.03296755254268646, scale = 0.7844459414482117;

enum { F = 5, T = 7 };

static double detect(const double *x, int f, int t)
{
    double sum = bias;
    for (int k = 0; k < 9; k++) {
        int r = f + k / 3 - 1, s = t + k % 3 - 1;
        if (r >= 0 && r < F && s >= 0 && s < T) sum += weight[k] * x[r * T + s];
    }
    return sum;
}

static graph_case published(const double *x, const double *c)
{
    return (graph_case){ .yaml = yaml,
                         .out = "y",
                         .in = { { "x", CAK_SHAPE(3, 1, F, T), .data = x }, { "c", CAK_SHAPE(3, 1), .data = c } },
                         .param = { { "d.weight", weight }, { "d.bias", &bias }, { "y.scale", &scale } } };
}

START_TEST(equals_the_formula)
{
    static double x[3 * F * T];
    static const double c[] = { 0.2, -1, 0.7 };
    for (int i = 0; i < 3 * F * T; i++) x[i] = 0.5 + sin(i * 1.3) / 2;
    graph_case g = published(x, c);
    const real *y = graph_eval(&g, NULL);
    for (int i = 0; i < 3 * F * T; i++) {
        int b = i / (F * T);
        double p = detect(x + b * F * T, i / T % F, i % T), gate = 1 / (1 + exp(-(c[b] - 0.3) * 20));
        ck_close((double)y[i], x[i] + p * c[b] * gate * scale, 1e-14);
    }
    g.out = "y.pattern";
    y = graph_eval(&g, NULL);
    for (int i = 0; i < 3 * F * T; i++) ck_close((double)y[i], detect(x + i / (F * T) * F * T, i / T % F, i % T), 1e-13);
}
END_TEST

START_TEST(no_control_no_change)
{
    static double x[3 * F * T];
    static const double c[] = { 0, 0, 0 };
    for (int i = 0; i < 3 * F * T; i++) x[i] = 0.5 + sin(i * 1.3) / 2;
    graph_case g = published(x, c);
    const real *y = graph_eval(&g, NULL);
    for (int i = 0; i < 3 * F * T; i++) ck_assert(y[i] == x[i]);
}
END_TEST

START_TEST(published_gains)
{
    static const double controls[] = { 0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 1, 2 }, zeros[9] = { 0 }, one = 1;
    static const double want[] = { 0, 0.0014109, 0.0187016, 0.1176669, 0.2763751, 0.3362593, 0.3851684, 0.7844453, 1.5688919 };
    for (int i = 0; i < 9; i++) {
        graph_case g = published(NULL, NULL);
        g.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(1, 1, 4, 4) };
        g.in[1] =
            (graph_input){ .name = "c", .shape = CAK_SHAPE(1), .lo = controls[i], .hi = controls[i] }; /* [B] as good as [B,1] */
        g.param[0].data = zeros, g.param[1].data = &one;                                               /* D = 1 */
        ck_close((double)graph_eval(&g, NULL)[0], want[i], 4e-5);
    }
}
END_TEST

START_TEST(without_gate)
{
    static const double zeros[9] = { 0 }, one = 1, half = 0.5;
    graph_case g = { .yaml = DETECTOR "nodes: {y: {type: cak, detector: d, gate: false, inputs: [x, c]}}",
                     .out = "y",
                     .in = { { "x", CAK_SHAPE(1, 1, 4, 4), 2, 2 }, { "c", CAK_SHAPE(1, 1), -3, -3 } },
                     .param = { { "d.weight", zeros }, { "d.bias", &one }, { "y.scale", &half } } };
    ck_assert(graph_eval(&g, NULL)[0] == 0.5);
}
END_TEST

START_TEST(derivatives)
{
    gradcheck(&(graph_case){
        .yaml = DETECTOR "nodes: {y: {type: cak, detector: d, tau: 0.1, temperature: t, inputs: [x, c]}}",
        .out = "y",
        .in = { { "x", CAK_SHAPE(2, 1, 4, 5), 0, 1 }, { "c", CAK_SHAPE(2, 1), 0, 1 }, { "t", CAK_SCALAR, 2, 3 } } });
}
END_TEST

SUITE(cak, equals_the_formula, no_control_no_change, published_gains, without_gate, derivatives)
