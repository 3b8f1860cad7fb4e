/* Element-wise primitives: values against libm, two orders of derivatives, broadcasting, masks, folding. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/graph_test.h"

static double neg(double x) { return -x; }
static double rsqrt(double x) { return 1 / sqrt(x); }
static double square(double x) { return x * x; }
static double recip(double x) { return 1 / x; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
static double mask(double x) { return x > 0 ? 1 : 0.2; }
static double clip(double x) { return x < -0.5 ? -0.5 : x > 0.6 ? 0.6 : x; }
static double clip_mask(double x) { return x >= -0.5 && x <= 0.6; }
static double pow25(double x) { return pow(x, 2.5); }
static double cube(double x) { return pow(x, 3); }
static double same(double x) { return x; }

static const struct unary {
    const char *type; /* with its attributes */
    double (*want)(double);
    double lo, hi, gap; /* where it is smooth */
    bool flat;          /* its gradient is zero or cut */
} unaries[] = {
    { "neg", neg, -2, 2, 0, false },
    { "exp", exp, -2, 2, 0, false },
    { "log", log, 0.2, 3, 0, false },
    { "log1p", log1p, -0.5, 3, 0, false },
    { "sqrt", sqrt, 0.2, 3, 0, false },
    { "rsqrt", rsqrt, 0.2, 3, 0, false },
    { "square", square, -2, 2, 0, false },
    { "recip", recip, -2, 2, 0.3, false },
    { "sin", sin, -3, 3, 0, false },
    { "cos", cos, -3, 3, 0, false },
    { "tanh", tanh, -2, 2, 0, false },
    { "sigmoid", sigmoid, -3, 3, 0, false },
    { "abs", fabs, -2, 2, 0.1, false },
    { "pow, p: 2.5", pow25, 0.2, 2, 0, false },
    { "pow, p: 3", cube, -2, 2, 0.1, false },
    { "pow, p: 1", same, -2, 2, 0.1, false },
    { "clip, lo: -0.5, hi: 0.6", clip, -0.45, 0.55, 0, false },
    { "clip, lo: -0.5, hi: 0.6", clip, 0.7, 2, 0, false },
    { "sign", sign, -2, 2, 0.1, true },
    { "leaky_mask, slope: 0.2", mask, -2, 2, 0.1, true },
    { "clip_mask, lo: -0.5, hi: 0.6", clip_mask, -2, -0.6, 0, true },
    { "detach", same, -2, 2, 0, true },
};

static graph_case unary_case(const struct unary *u, char yaml[256])
{
    snprintf(yaml, 256, "nodes: {y: {type: %s, inputs: [x]}, z: {type: mul, inputs: [y, x]}}", u->type);
    return (graph_case){ .yaml = yaml, .out = "y", .in = { { .name = "x", CAK_SHAPE(3, 7), u->lo, u->hi, u->gap } } };
}

START_TEST(unary_values)
{
    double x[5000];
    for (size_t i = 0; i < sizeof unaries / sizeof *unaries; i++) {
        const struct unary *u = &unaries[i];
        char yaml[256];
        graph_case c = unary_case(u, yaml);
        for (int k = 0; k < 5000; k++) x[k] = u->lo + (u->hi - u->lo) * k / 4999; /* more than one block */
        c.in[0].shape = CAK_SHAPE(5000);
        c.in[0].data = x;
        cak_shape shape;
        const real *y = graph_eval(&c, &shape);
        ck_assert(cak_shape_equal(&shape, &c.in[0].shape));
        for (int k = 0; k < 5000; k++)
            if (fabs(x[k]) >= u->gap) ck_close((double)y[k], u->want(x[k]), 1e-15);
    }
}
END_TEST

START_TEST(unary_derivatives)
{
    for (size_t i = 0; i < sizeof unaries / sizeof *unaries; i++) {
        char yaml[256];
        graph_case c = unary_case(&unaries[i], yaml);
        c.out = unaries[i].flat ? "z" : "y"; /* d(mask(x) x)/dx = mask(x) */
        if (strcmp(unaries[i].type, "detach")) gradcheck(&c);
        if (!unaries[i].flat) continue;
        snprintf(yaml, sizeof yaml, "nodes: {y: {type: %s, inputs: [x]}, g: {type: grad, inputs: [y, x]}}", unaries[i].type);
        c.out = "g";
        ck_assert_ptr_nonnull(strstr(graph_errors(&c), "does not depend"));
    }
}
END_TEST

START_TEST(unary_special_values)
{
    static const double x[] = { 0, -0.0, NAN, INFINITY, -INFINITY };
    graph_case c = { .in = { { .name = "x", CAK_SHAPE(5), .data = x } } };
    c.yaml = "nodes: {g: {type: grad, inputs: [abs(x), x]}, p: {type: pow, inputs: [x], p: 0}, l: {type: clip, inputs: [x]}}";
    c.out = "g";
    ck_assert(graph_eval(&c, NULL)[0] == 0); /* the subgradient torch chooses */
    c.out = "sigmoid(x)";
    const real *y = graph_eval(&c, NULL);
    ck_assert(y[0] == 0.5 && isnan(y[2]) && y[3] == 1 && y[4] == 0);
    c.out = "l";
    y = graph_eval(&c, NULL);
    ck_assert(isnan(y[2]) && y[3] == 1 && y[4] == 0);
    c.out = "p";
    ck_assert(graph_eval(&c, NULL)[0] == 1);
    c.yaml = "nodes: {p: {type: pow, inputs: [x], p: 0}, q: {type: grad, inputs: [p, x]}}"; /* x^0 does not depend on x */
    c.out = "q";
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "does not depend"));
}
END_TEST

/* ---- two inputs ---- */

static double add(double a, double b) { return a + b; }
static double sub(double a, double b) { return a - b; }
static double mul(double a, double b) { return a * b; }
static double quot(double a, double b) { return a / b; }
static double less(double a, double b) { return a < b; }

static const struct binary {
    const char *type;
    double (*want)(double, double);
} binaries[] = { { "add", add },      { "sub", sub },      { "mul", mul },  { "div", quot },
                 { "maximum", fmax }, { "minimum", fmin }, { "less", less } };

static const struct fit {
    cak_shape x, y;
} fits[] = {
    { CAK_SHAPE(2, 3, 4), CAK_SHAPE(1, 3, 1) },
    { CAK_SHAPE(1, 3, 1), CAK_SHAPE(2, 3, 4) },
    { CAK_SHAPE(2, 1, 4), CAK_SHAPE(1, 3, 1) },
    { CAK_SHAPE(2, 3), CAK_SCALAR },
    { CAK_SCALAR, CAK_SHAPE(2, 3) },
    { CAK_SCALAR, CAK_SCALAR },
    { CAK_SHAPE(4), CAK_SHAPE(2, 3, 4) },
    { CAK_SHAPE(2, 1, 3, 1, 2), CAK_SHAPE(4, 1, 3, 1) },
    { CAK_SHAPE(1, 1), CAK_SHAPE(1) },
    { CAK_SHAPE(3, 2), CAK_SHAPE(3, 2) },
    { CAK_SHAPE(3, 5000), CAK_SHAPE(3, 1) },
    { CAK_SHAPE(3, 5000), CAK_SHAPE(5000) },
};

/* Element of `in` that a broadcast to `out` reads at flat index i. */
static int64_t source(const cak_shape *in, const cak_shape *out, int64_t i)
{
    int64_t at = 0, step = 1;
    for (int k = out->rank - 1; k >= 0; k--) {
        int j = k - (out->rank - in->rank);
        if (j >= 0) {
            if (in->dim[j] > 1) at += i % out->dim[k] * step;
            step *= in->dim[j];
        }
        i /= out->dim[k];
    }
    return at;
}

static double number_at(int64_t i, int seed) { return 0.5 + sin((double)(7 * i + 3 * seed)) / 2.1; }

START_TEST(binary_values)
{
    static double x[15000], y[15000];
    for (int i = 0; i < 15000; i++) x[i] = number_at(i, 1), y[i] = number_at(i, 2);
    for (size_t b = 0; b < sizeof binaries / sizeof *binaries; b++) {
        for (size_t f = 0; f < sizeof fits / sizeof *fits; f++) {
            char yaml[256];
            cak_shape shape, want;
            snprintf(yaml, sizeof yaml, "nodes: {z: {type: %s, inputs: [x, y]}}", binaries[b].type);
            graph_case c = { .yaml = yaml, .out = "z", .in = { { "x", fits[f].x, .data = x }, { "y", fits[f].y, .data = y } } };
            const real *z = graph_eval(&c, &shape);
            ck_assert(cak_shape_broadcast(&fits[f].x, &fits[f].y, &want) && cak_shape_equal(&shape, &want));
            for (int64_t i = 0; i < cak_shape_size(&shape); i++)
                ck_close((double)z[i], binaries[b].want(x[source(&fits[f].x, &shape, i)], y[source(&fits[f].y, &shape, i)]),
                         1e-15);
        }
    }
}
END_TEST

START_TEST(binary_derivatives)
{
    for (size_t b = 0; b + 1 < sizeof binaries / sizeof *binaries; b++) { /* `less` has none */
        for (size_t f = 0; f + 2 < sizeof fits / sizeof *fits; f++) {
            char yaml[256];
            snprintf(yaml, sizeof yaml, "nodes: {z: {type: %s, inputs: [x, y]}}", binaries[b].type);
            graph_case c = { .yaml = yaml, .out = "z", .in = { { "x", fits[f].x, 1, 2 }, { "y", fits[f].y, 0.4, 2.5 } } };
            if (b >= 4) c.in[0].lo = c.in[0].hi = 1.4, c.h = 1e-6; /* no kink in the way of the differences */
            gradcheck(&c);
        }
    }
}
END_TEST

START_TEST(binary_special_values)
{
    static const double x[] = { 1, NAN, 2 }, y[] = { NAN, 1, 2 };
    graph_case c = { .in = { { "x", CAK_SHAPE(3), .data = x }, { "y", CAK_SHAPE(3), .data = y } } };
    c.yaml = "nodes: {gx: {type: grad, inputs: [\"maximum(x, y)\", x]}, gy: {type: grad, inputs: [\"maximum(x, y)\", y]}}";
    for (int k = 0; k < 2; k++) { /* a NaN is passed on from either side */
        c.out = k ? "maximum(x, y)" : "minimum(x, y)";
        const real *z = graph_eval(&c, NULL);
        ck_assert(isnan(z[0]) && isnan(z[1]) && z[2] == 2);
    }
    c.out = "gx";
    ck_assert(graph_eval(&c, NULL)[2] == 1); /* equal: to the first */
    c.out = "gy";
    ck_assert(graph_eval(&c, NULL)[2] == 0);
    c.yaml = "nodes: {g: {type: grad, inputs: [\"less(x, y)\", x]}}";
    c.out = "g";
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "does not depend"));
}
END_TEST

START_TEST(shapes_that_do_not_broadcast)
{
    graph_case c = { .yaml = "nodes: {z: {type: add, inputs: [x, y]}}",
                     .out = "z",
                     .in = { { "x", CAK_SHAPE(2, 3), 0, 1 }, { "y", CAK_SHAPE(2), 0, 1 } } };
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "shapes [2,3] and [2] do not broadcast [E3005]"));
}
END_TEST

/* Constants fold to what the kernels compute. */
START_TEST(folding_equals_running)
{
    int n;
    const cak_node *const *all = cak_node_all(&n);
    int folded = 0;
    for (int i = 0; i < n; i++) {
        if (!all[i]->fold) continue;
        static const double attr[2] = { -0.5, 0.6 };
        double v[2] = { 0.37, 0.81 };
        real x[2] = { (real)v[0], (real)v[1] }, y = 0;
        cak_work w = { .attr = attr, .n_in = 2, .in = { { CAK_SCALAR, &x[0] }, { CAK_SCALAR, &x[1] } }, .y = { CAK_SCALAR, &y } };
        all[i]->run(&w);
        ck_assert_msg((double)y == all[i]->fold(attr, v), "%s", all[i]->name);
        folded++;
    }
    ck_assert_int_eq(folded, 25);
}
END_TEST

SUITE(elementwise, unary_values, unary_derivatives, unary_special_values, binary_values, binary_derivatives,
      binary_special_values, shapes_that_do_not_broadcast, folding_equals_running)
