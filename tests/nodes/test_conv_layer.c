/* Convolution with its own weight and bias. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_test.h"

/* y[b,o,i,j] = bias[o] + sum over c,k,l of x[b,c,i s + k d - p, j s + l d - p] w[o,c,k,l] */
static void reference(const double *x, const cak_shape *xs, const double *w, const double *bias, int64_t k, int64_t s, int64_t p,
                      int64_t d, double *y, const cak_shape *ys)
{
    int64_t C = xs->dim[1], H = xs->dim[2], W = xs->dim[3], O = ys->dim[1], h = ys->dim[2], v = ys->dim[3];
    for (int64_t at = 0; at < cak_shape_size(ys); at++) {
        int64_t b = at / (O * h * v), o = at / (h * v) % O, i = at / v % h, j = at % v;
        y[at] = bias[o];
        for (int64_t q = 0; q < C * k * k; q++) {
            int64_t c = q / (k * k), r = i * s + q / k % k * d - p, t = j * s + q % k * d - p;
            if (r >= 0 && r < H && t >= 0 && t < W) y[at] += x[((b * C + c) * H + r) * W + t] * w[o * C * k * k + q];
        }
    }
}

START_TEST(values)
{
    static double x[2 * 2 * 7 * 6], w[3 * 2 * 3 * 3], want[1000];
    static const double bias[] = { 0.5, -1, 2 };
    for (int i = 0; i < 168; i++) x[i] = sin(i * 1.7);
    for (int i = 0; i < 54; i++) w[i] = cos(i * 0.9);
    static const struct {
        const char *yaml;
        int s, p, d;
    } cases[] = {
        { "nodes: {y: {type: conv_layer, out: 3, inputs: [x]}}", 1, 0, 1 },
        { "nodes: {y: {type: conv_layer, out: 3, pad: -1, dilation: 2, inputs: [x]}}", 1, 2, 2 },
        { "nodes: {y: {type: conv_layer, out: 3, stride: 2, pad: 1, inputs: [x]}}", 2, 1, 1 },
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        cak_shape shape;
        graph_case c = { .yaml = cases[k].yaml,
                         .out = "y",
                         .in = { { "x", CAK_SHAPE(2, 2, 7, 6), .data = x } },
                         .param = { { "y.weight", w }, { "y.bias", bias } } };
        const real *y = graph_eval(&c, &shape);
        int64_t h = (7 + 2 * cases[k].p - 2 * cases[k].d - 1) / cases[k].s + 1;
        ck_assert(shape.rank == 4 && shape.dim[1] == 3 && shape.dim[2] == h);
        reference(x, &c.in[0].shape, w, bias, 3, cases[k].s, cases[k].p, cases[k].d, want, &shape);
        for (int64_t i = 0; i < cak_shape_size(&shape); i++) ck_assert(fabs((double)y[i] - want[i]) < 1e-12);
    }
}
END_TEST

START_TEST(derivatives)
{
    gradcheck(&(graph_case){ .yaml = "nodes: {h: {type: conv_layer, out: 2, stride: 2, pad: 1, inputs: [x]}, "
                                     "y: {type: conv_layer, out: 1, kernel: 2, bias: false, inputs: [tanh(h)]}}",
                             .out = "y",
                             .in = { { "x", CAK_SHAPE(2, 2, 6, 5), -1, 1 } } });
}
END_TEST

START_TEST(initial_values)
{
    for (int xavier = 0; xavier < 2; xavier++) {
        cak_diag *d = cak_diag_open();
        cak_graph *g = cak_graph_open(d);
        cak_use(g, "conv_layer", "f", CAK_SET({ "out", .num = 2 }, { "init", .num = xavier }, { "gain", .num = 0.5 }),
                cak_input(g, "x", &CAK_SHAPE(1, 1, 8, 8), true));
        cak_init w = cak_graph_param(g, 0)->init, b = cak_graph_param(g, 1)->init;
        if (xavier) { /* fan_in 9, fan_out 18 */
            ck_assert(w.kind == CAK_INIT_NORMAL && w.a == 0 && b.kind == CAK_INIT_CONST && b.a == 0);
            ck_close(w.b, 0.5 * sqrt(2.0 / 27), 1e-15);
        } else {
            ck_assert(w.kind == CAK_INIT_UNIFORM && b.kind == CAK_INIT_UNIFORM);
            ck_close(w.b, 1.0 / 3, 1e-15);
            ck_assert(w.a == -w.b && b.a == w.a && b.b == w.b);
        }
        cak_graph_close(g);
        cak_diag_close(d);
    }
}
END_TEST

START_TEST(refused)
{
    graph_case c = { .yaml = "nodes: {y: {type: conv_layer, out: 2, inputs: [x]}}",
                     .out = "y",
                     .in = { { "x", CAK_SHAPE(2, 3, 4), 0, 1 } } };
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "conv_layer needs x [B,C,H,W]"));
}
END_TEST

SUITE(conv_layer, values, derivatives, initial_values, refused)
