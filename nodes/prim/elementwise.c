/* Element-wise primitives: arithmetic with broadcasting, scalar functions, and their gradients as expressions. */
#include <math.h>

#include "graph/graph.h"
#include "graph/sweep.h"
#include "nodes/kernels/isa.h"

static const cak_port x_in[] = { { "x", "any shape", false }, { 0 } };
static const cak_port xy_in[] = { { "x", "any shape", false }, { "y", "a shape that broadcasts with x", false }, { 0 } };
static const cak_port one_out[] = { { "y", "result", false }, { 0 } };

/* An element-wise node is one loop: MAP(id) makes .map, once per instruction set, and .run from id_map_loop. */
#define MAP_PARAMS (const void *attr, const real *const *in, const int *step, real *y, int64_t n)
/* y may be one of the inputs, then element on element: no iteration depends on another. */
#define EACH(statement)                                                  \
    {                                                                    \
        CAK_PRAGMA(GCC ivdep) for (int64_t i = 0; i < n; i++) statement; \
    }
#define MAP(id)                                                \
    CAK_EACH_ISA(id##_map, MAP_PARAMS, (attr, in, step, y, n)) \
    static void id##_run(const cak_work *w) { cak_map_run(w, id##_map); }

/* ---- two inputs ---- */

static bool binary_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    char a[CAK_SHAPE_TEXT], b[CAK_SHAPE_TEXT];
    if (cak_shape_broadcast(&s->in_shape[0], &s->in_shape[1], y)) return true;
    return cak_fail(g, "shapes %s and %s do not broadcast", cak_shape_text(&s->in_shape[0], a),
                    cak_shape_text(&s->in_shape[1], b));
}

/* BINARY(id, doc, formula, expression in a and b, linear, diff, rule): loops for the four step cases, fold, descriptor. */
#define BINARY(id, text, form, expr, lin, difference, rule)          \
    CAK_INLINE real id##_of(real a, real b) { return (real)(expr); } \
    CAK_INLINE void id##_map_loop MAP_PARAMS                         \
    {                                                                \
        const real *p = in[0], *q = in[1];                           \
        const real a = p[0], b = q[0];                               \
        (void)attr;                                                  \
        if (step[0] && step[1]) EACH(y[i] = id##_of(p[i], q[i]))     \
        else if (step[0]) EACH(y[i] = id##_of(p[i], b))              \
        else if (step[1]) EACH(y[i] = id##_of(a, q[i]))              \
        else EACH(y[i] = id##_of(a, b))                              \
    }                                                                \
    MAP(id)                                                          \
    static double id##_fold(const void *attr, const double *in)      \
    {                                                                \
        (void)attr;                                                  \
        double a = in[0], b = in[1];                                 \
        return expr;                                                 \
    }                                                                \
    CAK_NODE(id) = { .name = #id,                                    \
                     .doc = text,                                    \
                     .formula = form,                                \
                     .in = xy_in,                                    \
                     .out = one_out,                                 \
                     .shape = binary_shape,                          \
                     .run = id##_run,                                \
                     .diff = difference,                             \
                     .grad = rule,                                   \
                     .linear = lin,                                  \
                     .map = id##_map,                                \
                     .in_place = true,                               \
                     .cheap = true,                                  \
                     .fold = id##_fold }

#define RULE(id) static void id##_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin)

RULE(add) { (void)g, (void)s, gin[0] = gy, gin[1] = gy; }
RULE(sub) { (void)s, gin[0] = gy, gin[1] = cak_neg(g, gy); }
RULE(mul)
{
    gin[0] = cak_mul(g, gy, s->in[1]);
    gin[1] = cak_mul(g, gy, s->in[0]);
}
RULE(div)
{
    gin[0] = cak_div(g, gy, s->in[1]);
    gin[1] = cak_neg(g, cak_div(g, cak_mul(g, gy, s->y), s->in[1]));
}
/* maximum, minimum: NaN is passed on; the gradient goes to the input that was chosen, to x where they are equal. */
static cak_ref less(cak_graph *g, cak_ref x, cak_ref y);
static void choose(cak_graph *g, cak_ref other, cak_ref gy, cak_ref *gin)
{
    gin[1] = cak_mul(g, gy, other);
    gin[0] = cak_sub(g, gy, gin[1]);
}
RULE(maximum) { choose(g, less(g, s->in[0], s->in[1]), gy, gin); }
RULE(minimum) { choose(g, less(g, s->in[1], s->in[0]), gy, gin); }

BINARY(add, "sum", "y = x + y", a + b, CAK_LINEAR_JOINT, CAK_DIFF_RULE, add_grad);
BINARY(sub, "difference", "y = x - y", a - b, CAK_LINEAR_JOINT, CAK_DIFF_RULE, sub_grad);
BINARY(mul, "product", "y = x * y", a *b, CAK_LINEAR_EACH, CAK_DIFF_RULE, mul_grad);
BINARY(div, "quotient", "y = x / y", a / b, CAK_LINEAR_NOT, CAK_DIFF_RULE, div_grad);
BINARY(maximum, "larger of two values; torch.maximum", "y = max(x, y)", a < b || b != b ? b : a, CAK_LINEAR_NOT, CAK_DIFF_RULE,
       maximum_grad);
BINARY(minimum, "smaller of two values; torch.minimum", "y = min(x, y)", b < a || b != b ? b : a, CAK_LINEAR_NOT, CAK_DIFF_RULE,
       minimum_grad);
BINARY(less, "comparison; its gradient is zero", "y = 1 where x < y, else 0", a < b, CAK_LINEAR_NOT, CAK_DIFF_ZERO, NULL);

/* ---- one input ---- */

static bool unary_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    (void)g;
    *y = s->in_shape[0];
    return true;
}

/* UNARY(id, doc, formula, real and double expression in v, linear, diff, rule, cheap, attribute table, its size); p: attributes */
#define UNARY(id, text, form, expr, expr64, lin, difference, rule, few, rows, size)                         \
    CAK_INLINE real id##_of(const real *p, real v)                                                          \
    {                                                                                                       \
        (void)p;                                                                                            \
        return (real)(expr);                                                                                \
    }                                                                                                       \
    CAK_INLINE void id##_map_loop MAP_PARAMS                                                                \
    {                                                                                                       \
        const double *row = attr; /* in registers before the loop */                                        \
        const real *x = in[0];                                                                              \
        const real v = x[0], p[2] = { size > 0 ? (real)row[0] : 0, size > sizeof *row ? (real)row[1] : 0 }; \
        if (step[0]) EACH(y[i] = id##_of(p, x[i]))                                                          \
        else EACH(y[i] = id##_of(p, v))                                                                     \
    }                                                                                                       \
    MAP(id)                                                                                                 \
    static double id##_fold(const void *attr, const double *in)                                             \
    {                                                                                                       \
        const double *p = attr;                                                                             \
        double v = in[0];                                                                                   \
        (void)p;                                                                                            \
        return expr64;                                                                                      \
    }                                                                                                       \
    CAK_NODE(id) = { .name = #id,                                                                           \
                     .doc = text,                                                                           \
                     .formula = form,                                                                       \
                     .in = x_in,                                                                            \
                     .out = one_out,                                                                        \
                     .attr = rows,                                                                          \
                     .attr_size = size,                                                                     \
                     .shape = unary_shape,                                                                  \
                     .run = id##_run,                                                                       \
                     .diff = difference,                                                                    \
                     .grad = rule,                                                                          \
                     .linear = lin,                                                                         \
                     .map = id##_map,                                                                       \
                     .in_place = true,                                                                      \
                     .cheap = few,                                                                          \
                     .fold = id##_fold }

RULE(neg) { (void)s, gin[0] = cak_neg(g, gy); }
RULE(exp) { gin[0] = cak_mul(g, gy, s->y); }
RULE(log) { gin[0] = cak_div(g, gy, s->in[0]); }
RULE(log1p) { gin[0] = cak_div(g, gy, cak_shift(g, s->in[0], 1)); }
RULE(sqrt) { gin[0] = cak_scale(g, cak_div(g, gy, s->y), 0.5); }
RULE(rsqrt) { gin[0] = cak_scale(g, cak_mul(g, gy, cak_mul(g, s->y, cak_square(g, s->y))), -0.5); }
RULE(square) { gin[0] = cak_scale(g, cak_mul(g, gy, s->in[0]), 2); }
RULE(recip) { gin[0] = cak_neg(g, cak_mul(g, gy, cak_square(g, s->y))); }
RULE(sin) { gin[0] = cak_mul(g, gy, cak_cos(g, s->in[0])); }
RULE(cos) { gin[0] = cak_neg(g, cak_mul(g, gy, cak_sin(g, s->in[0]))); }
RULE(tanh) { gin[0] = cak_mul(g, gy, cak_sub(g, cak_const(g, 1), cak_square(g, s->y))); }
RULE(sigmoid) { gin[0] = cak_mul(g, gy, cak_mul(g, s->y, cak_sub(g, cak_const(g, 1), s->y))); }
RULE(abs) { gin[0] = cak_mul(g, gy, cak_sign(g, s->in[0])); }
RULE(pow)
{
    double p = *(const double *)s->attr;
    if (p == 0) return; /* x^0 is 1, also where x^-1 is infinite */
    gin[0] = cak_mul(g, gy, cak_scale(g, cak_pow(g, s->in[0], p - 1), p));
}
static cak_ref clip_mask(cak_graph *g, cak_ref x, const double *limits);
RULE(clip) { gin[0] = cak_mul(g, gy, clip_mask(g, s->in[0], s->attr)); }

static const cak_attr pow_attrs[] = {
    { .name = "p", .doc = "exponent", .kind = CAK_NUM, .offset = 0, .required = true },
    { .kind = CAK_END },
};
static const cak_attr mask_attrs[] = {
    { .name = "slope", .doc = "value where x <= 0", .kind = CAK_NUM, .offset = 0, .def = 0.2 },
    { .kind = CAK_END },
};
static const cak_attr clip_attrs[] = {
    { .name = "lo", .doc = "smallest value", .kind = CAK_NUM, .offset = 0, .def = 0 },
    { .name = "hi", .doc = "largest value", .kind = CAK_NUM, .offset = sizeof(double), .def = 1 },
    { .kind = CAK_END },
};

UNARY(neg, "negation", "y = -x", -v, -v, CAK_LINEAR_JOINT, CAK_DIFF_RULE, neg_grad, true, NULL, 0);
UNARY(exp, "exponential", "y = exp(x)", CAK_MATH(exp)(v), exp(v), CAK_LINEAR_NOT, CAK_DIFF_RULE, exp_grad, false, NULL, 0);
UNARY(log, "natural logarithm", "y = log(x)", CAK_MATH(log)(v), log(v), CAK_LINEAR_NOT, CAK_DIFF_RULE, log_grad, false, NULL, 0);
UNARY(log1p, "logarithm of 1 + x; torch.log1p", "y = log(1 + x)", CAK_MATH(log1p)(v), log1p(v), CAK_LINEAR_NOT, CAK_DIFF_RULE,
      log1p_grad, false, NULL, 0);
UNARY(sqrt, "square root; its gradient at 0 is infinite", "y = sqrt(x)", CAK_MATH(sqrt)(v), sqrt(v), CAK_LINEAR_NOT,
      CAK_DIFF_RULE, sqrt_grad, false, NULL, 0);
UNARY(rsqrt, "reciprocal square root; torch.rsqrt", "y = 1 / sqrt(x)", 1 / CAK_MATH(sqrt)(v), 1 / sqrt(v), CAK_LINEAR_NOT,
      CAK_DIFF_RULE, rsqrt_grad, false, NULL, 0);
UNARY(square, "square", "y = x * x", v *v, v *v, CAK_LINEAR_NOT, CAK_DIFF_RULE, square_grad, true, NULL, 0);
UNARY(recip, "reciprocal", "y = 1 / x", 1 / v, 1 / v, CAK_LINEAR_NOT, CAK_DIFF_RULE, recip_grad, false, NULL, 0);
UNARY(sin, "sine", "y = sin(x)", CAK_MATH(sin)(v), sin(v), CAK_LINEAR_NOT, CAK_DIFF_RULE, sin_grad, false, NULL, 0);
UNARY(cos, "cosine", "y = cos(x)", CAK_MATH(cos)(v), cos(v), CAK_LINEAR_NOT, CAK_DIFF_RULE, cos_grad, false, NULL, 0);
UNARY(tanh, "hyperbolic tangent", "y = tanh(x)", CAK_MATH(tanh)(v), tanh(v), CAK_LINEAR_NOT, CAK_DIFF_RULE, tanh_grad, false,
      NULL, 0);
UNARY(sigmoid, "logistic function", "y = 1 / (1 + exp(-x))", 1 / (1 + CAK_MATH(exp)(-v)), 1 / (1 + exp(-v)), CAK_LINEAR_NOT,
      CAK_DIFF_RULE, sigmoid_grad, false, NULL, 0);
UNARY(abs, "absolute value; gradient 0 at 0, as torch.abs", "y = |x|", CAK_MATH(fabs)(v), fabs(v), CAK_LINEAR_NOT, CAK_DIFF_RULE,
      abs_grad, true, NULL, 0);
UNARY(sign, "sign; its gradient is zero", "y = -1, 0 or 1", (v > 0) - (v < 0), (v > 0) - (v < 0), CAK_LINEAR_NOT, CAK_DIFF_ZERO,
      NULL, true, NULL, 0);
UNARY(pow, "power with a constant exponent", "y = x^p", CAK_MATH(pow)(v, p[0]), pow(v, p[0]), CAK_LINEAR_NOT, CAK_DIFF_RULE,
      pow_grad, false, pow_attrs, sizeof(double));
UNARY(leaky_mask, "slope of the leaky ReLU; its gradient is zero", "y = 1 where x > 0, else slope", v > 0 ? 1 : p[0],
      v > 0 ? 1 : p[0], CAK_LINEAR_NOT, CAK_DIFF_ZERO, NULL, true, mask_attrs, sizeof(double));
UNARY(clip, "limit to a range; torch.clamp", "y = min(max(x, lo), hi)", v<p[0] ? p[0] : v> p[1] ? p[1] : v,
      v<p[0] ? p[0] : v> p[1] ? p[1] : v, CAK_LINEAR_NOT, CAK_DIFF_RULE, clip_grad, true, clip_attrs, 2 * sizeof(double));
UNARY(clip_mask, "1 inside a range, 0 outside; its gradient is zero", "y = 1 where lo <= x <= hi, else 0",
      v >= p[0] && v <= p[1] ? 1 : 0, v >= p[0] && v <= p[1], CAK_LINEAR_NOT, CAK_DIFF_ZERO, NULL, true, clip_attrs,
      2 * sizeof(double));

static cak_ref less(cak_graph *g, cak_ref x, cak_ref y)
{
    return cak_append(g, &cak_node_less, NULL, (const cak_ref[]){ x, y }, 2);
}
static cak_ref clip_mask(cak_graph *g, cak_ref x, const double *limits)
{
    return cak_append(g, &cak_node_clip_mask, limits, &x, 1);
}

/* ---- detach: the value without its history ---- */
CAK_NODE(detach) = {
    .name = "detach",
    .doc = "the same value, but no gradient flows back; torch.Tensor.detach",
    .formula = "y = x, dy/dx is cut",
    .in = x_in,
    .out = one_out,
    .shape = unary_shape,
    .diff = CAK_DIFF_STOP,
    .linear = CAK_LINEAR_JOINT,
    .alias = true,
};
