/* The critic: score and audit against plain C, independence of score and control, derivatives. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_test.h"

enum { B = 2, F = 9, T = 8, C1 = 2, C2 = 3 };

#define MODULES                                            \
    "modules:\n"                                           \
    "  d: {type: conv_layer, out: 1, kernel: 3, pad: 1}\n" \
    "  f: {type: audit_critic, detector: d, channels: [2, 3]}\n"
static const char yaml[] = MODULES "nodes: {y: {type: call, module: f, inputs: [x, c]}}";

static double x[B * F * T], w1[C1 * 16], w2[C2 * C1 * 16], wl[C2], kernel[9];
static const double c[B] = { 0.25, -1 };

static void fill(double *v, int n, double step)
{
    for (int i = 0; i < n; i++) v[i] = sin(i * step + 1);
}

static graph_case critic_case(const char *out)
{
    fill(x, B * F * T, 1.3), fill(w1, C1 * 16, 0.7), fill(w2, C2 * C1 * 16, 0.9), fill(wl, C2, 2), fill(kernel, 9, 0.4);
    return (graph_case){
        .yaml = yaml,
        .out = out,
        .in = { { "x", CAK_SHAPE(B, 1, F, T), .data = x }, { "c", CAK_SHAPE(B, 1), .data = c } },
        .param = { { "f.conv1.weight", w1 }, { "f.conv2.weight", w2 }, { "f.linear.weight", wl }, { "d.weight", kernel } }
    };
}

/* One 4x4 convolution of stride 2 and padding 1. */
static void conv(const double *in, int channels, int h, int w, const double *weight, double *out, int outs)
{
    int H = (h - 2) / 2 + 1, W = (w - 2) / 2 + 1;
    for (int at = 0; at < outs * H * W; at++) {
        out[at] = 0;
        for (int q = 0; q < channels * 16; q++) {
            int r = at / W % H * 2 + q / 4 % 4 - 1, s = at % W * 2 + q % 4 - 1;
            if (r >= 0 && r < h && s >= 0 && s < w)
                out[at] += in[(q / 16 * h + r) * w + s] * weight[at / (H * W) * channels * 16 + q];
        }
    }
}

static double score(const double *image)
{
    double a[C1 * 16], b[C2 * 4], sum = 0;
    conv(image, 1, F, T, w1, a, C1); /* 9x8 -> 4x4 */
    for (int i = 0; i < C1 * 16; i++) a[i] = a[i] > 0 ? a[i] : 0.2 * a[i];
    conv(a, C1, 4, 4, w2, b, C2); /* -> 2x2 */
    for (int k = 0; k < C2; k++) {
        double mean = 0, var = 0, pooled = 0;
        for (int i = 0; i < 4; i++) mean += b[4 * k + i] / 4;
        for (int i = 0; i < 4; i++) var += (b[4 * k + i] - mean) * (b[4 * k + i] - mean) / 4;
        for (int i = 0; i < 4; i++) {
            double v = (b[4 * k + i] - mean) / sqrt(var + 1e-5);
            pooled += (v > 0 ? v : 0.2 * v) / 4;
        }
        sum += pooled * wl[k];
    }
    return sum;
}

START_TEST(score_equals_plain_c)
{
    graph_case g = critic_case("y");
    g.param_size = 1e-300; /* the biases */
    cak_shape shape;
    const real *y = graph_eval(&g, &shape);
    ck_assert(cak_shape_equal(&shape, &CAK_SHAPE(B)));
    for (int b = 0; b < B; b++) ck_close((double)y[b], score(x + b * F * T), 1e-11);
}
END_TEST

START_TEST(audit_measures_the_pattern)
{
    graph_case g = critic_case("y.measured");
    g.param_size = 1e-300;
    double want[B];
    const real *m = graph_eval(&g, NULL);
    for (int b = 0; b < B; b++) {
        double sum = 0;
        for (int i = 0; i < F * T; i++)
            for (int k = 0; k < 9; k++) {
                int r = i / T + k / 3 - 1, s = i % T + k % 3 - 1;
                if (r >= 0 && r < F && s >= 0 && s < T) sum += kernel[k] * x[(b * F + r) * T + s];
            }
        want[b] = sum / (F * T);
        ck_close((double)m[b], want[b], 1e-12);
    }
    g.out = "y.violation";
    m = graph_eval(&g, NULL);
    for (int b = 0; b < B; b++) ck_close((double)m[b], fabs(want[b] - c[b]), 1e-12);
}
END_TEST

START_TEST(score_does_not_see_the_control)
{
    graph_case g = critic_case("g");
    g.yaml = MODULES "nodes: {y: {type: call, module: f, inputs: [x, c]}, g: {type: grad, inputs: [y.score, c]}}";
    ck_assert_ptr_nonnull(strstr(graph_errors(&g), "does not depend on x"));
}
END_TEST

START_TEST(outputs_that_need_an_input)
{
    graph_case g = critic_case("y.violation");
    g.yaml = MODULES "nodes: {y: {type: call, module: f, inputs: [x]}}";
    ck_assert_ptr_nonnull(strstr(graph_errors(&g), "output 'violation' of 'y' is not available"));
    g.yaml = "nodes: {y: {type: audit_critic, channels: [2], inputs: [x, c]}}";
    g.out = "y.measured";
    ck_assert_ptr_nonnull(strstr(graph_errors(&g), "output 'measured' of 'y' is not available"));
    g.yaml = "nodes: {y: {type: audit_critic, channels: [2], inputs: [c]}}";
    ck_assert_ptr_nonnull(strstr(graph_errors(&g), "audit_critic needs x [B,1,F,T]"));
    g.yaml = "nodes: {y: {type: audit_critic, channels: [2, 2, 2, 2], inputs: [x]}}";
    ck_assert_ptr_nonnull(strstr(graph_errors(&g), "the input of the network is too small"));
}
END_TEST

START_TEST(no_norm)
{
    graph_case g = critic_case("y");
    g.yaml = "nodes: {y: {type: audit_critic, channels: [2, 2, 2], norm: none, inputs: [x]}}";
    cak_shape shape;
    graph_eval(&g, &shape);
    ck_assert(cak_shape_equal(&shape, &CAK_SHAPE(B)));
}
END_TEST

START_TEST(derivatives)
{
    static const char *const outs[] = { "y.score", "y.violation" };
    for (int k = 0; k < 2; k++)
        gradcheck(&(graph_case){ .yaml = yaml,
                                 .out = outs[k],
                                 .h = 1e-5,
                                 .in = { { "x", CAK_SHAPE(B, 1, F, T), 0, 1 }, { "c", CAK_SHAPE(B, 1), 3, 4 } } });
}
END_TEST

SUITE(audit_critic, score_equals_plain_c, audit_measures_the_pattern, score_does_not_see_the_control, outputs_that_need_an_input,
      no_norm, derivatives)
