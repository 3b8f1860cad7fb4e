/* Gradient penalty: exact for linear critics, finite at zero gradient, nothing for the detector. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_test.h"

enum { B = 3, N = 8 };

#define LINEAR "modules: {f: {inputs: [x], nodes: {s: {type: matmul, inputs: [x, w]}}, outputs: {score: s}}}\n"
#define GRADIENTS                                                            \
    "nodes: {p: {type: gradient_penalty, critic: f, inputs: [real, fake]}, " \
    "g: {type: grad, inputs: [p.penalty, w]}}"

static graph_case linear_critic(const double *w)
{
    return (graph_case){
        .yaml = LINEAR GRADIENTS,
        .in = { { "real", CAK_SHAPE(B, N), -1, 1 }, { "fake", CAK_SHAPE(B, N), -1, 1 }, { "w", CAK_SHAPE(N, 1), .data = w } }
    };
}

START_TEST(linear_critic_is_exact)
{
    double w[N], norm = 0;
    for (int i = 0; i < N; i++) w[i] = sin(i + 1.0), norm += w[i] * w[i];
    norm = sqrt(norm);
    graph_case c = linear_critic(w);
    c.out = "p";
    ck_close((double)graph_eval(&c, NULL)[0], (norm - 1) * (norm - 1), 1e-12);
    c.out = "p.norm";
    const real *y = graph_eval(&c, NULL);
    for (int b = 0; b < B; b++) ck_close((double)y[b], norm, 1e-12); /* per sample, over all other axes */
    c.out = "g";
    y = graph_eval(&c, NULL);
    for (int i = 0; i < N; i++) ck_close((double)y[i], 2 * (norm - 1) * w[i] / norm, 1e-12);
}
END_TEST

START_TEST(zero_gradient_is_finite)
{
    static const double w[N] = { 0 };
    graph_case c = linear_critic(w);
    c.out = "p";
    ck_assert(graph_eval(&c, NULL)[0] == 1);
    c.out = "g";
    const real *y = graph_eval(&c, NULL);
    for (int i = 0; i < N; i++) ck_assert(y[i] == 0);
}
END_TEST

START_TEST(norm_runs_over_all_axes_of_a_sample)
{
    static double w[2 * 3 * 4];
    double norm = 0;
    for (int i = 0; i < 24; i++) w[i] = cos(i * 0.7), norm += w[i] * w[i];
    graph_case c = { .yaml = "modules: {f: {inputs: [x], nodes: {m: {type: mul, inputs: [x, w]}}, outputs: {score: m}}}\n"
                             "nodes: {p: {type: gradient_penalty, critic: f, target: 0, inputs: [real, fake, alpha]}}",
                     .out = "p",
                     .in = { { "real", CAK_SHAPE(B, 2, 3, 4), -1, 1 },
                             { "fake", CAK_SHAPE(B, 2, 3, 4), -1, 1 },
                             { "alpha", CAK_SHAPE(B), 0, 1 },
                             { "w", CAK_SHAPE(1, 2, 3, 4), .data = w } } };
    ck_close((double)graph_eval(&c, NULL)[0], norm, 1e-12);
}
END_TEST

/* score = sum x^2 / 2 has the gradient x^, so norm shows the point where the slope is taken. */
START_TEST(interpolation)
{
    static const double real_x[] = { 1, 0 }, fake[] = { 0, 1 }, alpha[] = { 0.25 };
    graph_case c = { .yaml = "modules: {f: {inputs: [x], outputs: {score: square(x)}}}\n"
                             "nodes: {p: {type: gradient_penalty, critic: f, inputs: [real, fake, alpha]}, "
                             "q: {type: gradient_penalty, critic: f, inputs: [real]}, "
                             "r: {type: gradient_penalty, critic: f, inputs: [real, fake]}}",
                     .out = "p.norm",
                     .in = { { "real", CAK_SHAPE(1, 2), .data = real_x },
                             { "fake", CAK_SHAPE(1, 2), .data = fake },
                             { "alpha", CAK_SHAPE(1, 1), .data = alpha } } };
    ck_close((double)graph_eval(&c, NULL)[0], 2 * hypot(0.25, 0.75), 1e-14);
    c.out = "q.norm";
    ck_assert(graph_eval(&c, NULL)[0] == 2);
    c.out = "r.norm"; /* a drawn alpha in [0, 1) */
    double norm = (double)graph_eval(&c, NULL)[0];
    ck_assert(norm >= sqrt(2) && norm <= 2);
}
END_TEST

START_TEST(derivatives)
{
    gradcheck(&(graph_case){
        .yaml = "modules: {f: {inputs: [x], nodes: {h: {type: linear, out: 4, inputs: [x]}, "
                "s: {type: linear, out: 1, inputs: [tanh(h)]}}, outputs: {score: s}}}\n"
                "nodes: {p: {type: gradient_penalty, critic: f, inputs: [real, fake]}}",
        .out = "p",
        .in = { { "real", CAK_SHAPE(B, 5), -1, 1, .fixed = true }, { "fake", CAK_SHAPE(B, 5), -1, 1, .fixed = true } } });
}
END_TEST

START_TEST(the_detector_gets_no_gradient)
{
    graph_case c = { .yaml = "modules:\n"
                             "  d: {inputs: [x], nodes: {p: {type: conv2d, pad: 1, inputs: [x, k]}}, outputs: {pattern: p}}\n"
                             "  f: {type: audit_critic, detector: d, channels: [2]}\n"
                             "nodes: {p: {type: gradient_penalty, critic: f, inputs: [real, fake]}, "
                             "g: {type: grad, inputs: [p, k]}}",
                     .out = "g",
                     .in = { { "real", CAK_SHAPE(2, 1, 8, 8), 0, 1 },
                             { "fake", CAK_SHAPE(2, 1, 8, 8), 0, 1 },
                             { "k", CAK_SHAPE(1, 1, 3, 3), 0, 1 } } };
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "g: y does not depend on x"));
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *yaml, *message;
    } bad[] = {
        { LINEAR "nodes: {p: {type: gradient_penalty, critic: f, inputs: [v, v]}}", "needs samples [B,...]" },
        { LINEAR "nodes: {p: {type: gradient_penalty, critic: f, inputs: [real, w]}}", "samples of one shape" },
        { LINEAR "nodes: {p: {type: gradient_penalty, critic: f, output: sc, inputs: [real]}}", "module 'f' has no output 'sc'" },
        { "modules: {f: {inputs: [x], outputs: {score: sign(x)}}}\nnodes: {p: {type: gradient_penalty, critic: f, inputs: "
          "[real]}}",
          "output 'score' of module 'f' does not depend on its first input" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        static const double w[N] = { 0 };
        graph_case c = linear_critic(w);
        c.yaml = bad[i].yaml;
        c.out = "p";
        c.in[3] = (graph_input){ .name = "v", .shape = CAK_SHAPE(4), .hi = 1 };
        const char *got = graph_errors(&c);
        ck_assert_msg(strstr(got, bad[i].message) != NULL, "%s", got);
    }
}
END_TEST

SUITE(gradient_penalty, linear_critic_is_exact, zero_gradient_is_finite, norm_runs_over_all_axes_of_a_sample, interpolation,
      derivatives, the_detector_gets_no_gradient, refused)
