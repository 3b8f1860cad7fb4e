/* The algebra that expand() and grad() are written in. Shapes are inferred and checked inside each call; after the first error every
** call returns CAK_NONE, so calls nest without checks. x, y, w: values; broadcasting follows NumPy. */
#ifndef CAK_OPS_H
#define CAK_OPS_H

#include "graph/node.h"

const cak_shape *cak_shape_of(const cak_graph *g, cak_ref x);
int64_t cak_dim(const cak_graph *g, cak_ref x, int axis); /* extent of an axis; 0 when x is none */

cak_ref cak_const(cak_graph *g, double v); /* scalar constant */

/* element-wise, two inputs */
cak_ref cak_add(cak_graph *g, cak_ref x, cak_ref y);  /* x + y */
cak_ref cak_sub(cak_graph *g, cak_ref x, cak_ref y);  /* x - y */
cak_ref cak_mul(cak_graph *g, cak_ref x, cak_ref y);  /* x * y */
cak_ref cak_div(cak_graph *g, cak_ref x, cak_ref y);  /* x / y */
cak_ref cak_scale(cak_graph *g, cak_ref x, double a); /* a * x */
cak_ref cak_shift(cak_graph *g, cak_ref x, double a); /* x + a */

/* element-wise, one input */
cak_ref cak_neg(cak_graph *g, cak_ref x); /* -x */
cak_ref cak_exp(cak_graph *g, cak_ref x);
cak_ref cak_log(cak_graph *g, cak_ref x);
cak_ref cak_log1p(cak_graph *g, cak_ref x); /* log(1 + x) */
cak_ref cak_sqrt(cak_graph *g, cak_ref x);
cak_ref cak_rsqrt(cak_graph *g, cak_ref x); /* 1 / sqrt(x) */
cak_ref cak_square(cak_graph *g, cak_ref x);
cak_ref cak_recip(cak_graph *g, cak_ref x);         /* 1 / x */
cak_ref cak_pow(cak_graph *g, cak_ref x, double p); /* x^p, x > 0 unless p is an integer */
cak_ref cak_sin(cak_graph *g, cak_ref x);
cak_ref cak_cos(cak_graph *g, cak_ref x);
cak_ref cak_tanh(cak_graph *g, cak_ref x);
cak_ref cak_sigmoid(cak_graph *g, cak_ref x);                    /* 1 / (1 + exp(-x)) */
cak_ref cak_abs(cak_graph *g, cak_ref x);                        /* |x|; gradient 0 at 0 as in torch */
cak_ref cak_sign(cak_graph *g, cak_ref x);                       /* -1, 0, 1; gradient zero */
cak_ref cak_leaky_mask(cak_graph *g, cak_ref x, double slope);   /* 1 where x > 0, else slope; gradient zero */
cak_ref cak_clip(cak_graph *g, cak_ref x, double lo, double hi); /* min(max(x, lo), hi) */
cak_ref cak_detach(cak_graph *g, cak_ref x);                     /* x, but no gradient flows back (torch detach) */

/* reductions and layout. `axes` is a bit mask: 1 << axis; reduced axes keep extent 1 until reshaped */
enum { CAK_ALL_AXES = 0x1f };
cak_ref cak_sum_axes(cak_graph *g, cak_ref x, int axes); /* sum, axes kept with extent 1 */
cak_ref cak_mean_axes(cak_graph *g, cak_ref x, int axes);
cak_ref cak_sum(cak_graph *g, cak_ref x);                                 /* scalar: sum of all elements */
cak_ref cak_mean(cak_graph *g, cak_ref x);                                /* scalar: mean of all elements */
cak_ref cak_expand(cak_graph *g, cak_ref x, const cak_shape *to);         /* broadcast */
cak_ref cak_expand_samples(cak_graph *g, cak_ref x, const cak_shape *to); /* broadcast; axis 0 of the result counts samples */
cak_ref cak_reshape(cak_graph *g, cak_ref x, const cak_shape *to);        /* same elements, other shape */
cak_ref cak_permute(cak_graph *g, cak_ref x, const cak_ints *order);      /* y axis i is x axis order[i] */
cak_ref cak_slice(cak_graph *g, cak_ref x, int axis, int64_t from, int64_t count);
cak_ref cak_pad(cak_graph *g, cak_ref x, int axis, int64_t before, int64_t after); /* zeros */
cak_ref cak_concat(cak_graph *g, cak_ref x, cak_ref y, int axis);
cak_ref cak_column(cak_graph *g, cak_ref x, cak_ref like); /* [B] or [B,1] -> [B,1,1,...] with the rank of `like` */
cak_ref cak_flat(cak_graph *g, cak_ref x);                 /* [B,...] with one element a row -> [B] */

/* products */
cak_ref cak_matmul(cak_graph *g, cak_ref x, cak_ref y, bool tx, bool ty); /* [m,k] x [k,n]; tx, ty: transposed */
cak_ref cak_conv2d(cak_graph *g, cak_ref x, cak_ref w, int stride, int pad,
                   int dilation); /* x [B,C,H,W], w [O,C,kh,kw]; cross-correlation */
cak_ref cak_conv2d_dx(cak_graph *g, cak_ref gy, cak_ref w, int stride, int pad, int dilation, const cak_shape *x);
cak_ref cak_conv2d_dw(cak_graph *g, cak_ref x, cak_ref gy, int stride, int pad, int dilation, const cak_shape *w);

/* random values in [0, 1), new ones at every step; equal streams give equal values */
cak_ref cak_uniform(cak_graph *g, const char *stream, const cak_shape *shape);

/* ---- parameters, modules and other nodes ---- */
typedef enum cak_init_kind { CAK_INIT_CONST, CAK_INIT_UNIFORM, CAK_INIT_NORMAL } cak_init_kind;
typedef struct cak_init {
    cak_init_kind kind;
    double a, b;
} cak_init; /* CONST: a. UNIFORM: [a, b). NORMAL: mean a, sd b */

/* A trainable tensor of the module being expanded; its full name is "<module>.<name>". The same name gives the same parameter. */
cak_ref cak_param(cak_graph *g, const char *name, const cak_shape *shape, cak_init init);

/* Use another node inside a composite; `scope` names its parameters, NULL for none. Attributes not listed take their defaults. */
typedef struct cak_set {
    const char *key;
    double num;
    const char *text;
    cak_ref value;
    const cak_module *module;
} cak_set;
cak_ref cak_use(cak_graph *g, const char *type, const char *scope, const cak_set *set, cak_ref x); /* one input, first output */
#define CAK_SET(...) ((const cak_set[]){ __VA_ARGS__, { 0 } })

/* Call a module: n inputs in the order of its ports; returns the output called `port` (NULL: the first). */
cak_ref cak_call(cak_graph *g, const cak_module *m, const char *port, const cak_ref *in, int n);
#define CAK_CALL(g, m, port, ...) \
    cak_call(g, m, port, (const cak_ref[]){ __VA_ARGS__ }, (int)(sizeof((cak_ref[]){ __VA_ARGS__ }) / sizeof(cak_ref)))

/* d(sum of y)/dx as graph nodes; CAK_NONE when y does not depend on x. Usable anywhere, any order. */
cak_ref cak_grad(cak_graph *g, cak_ref y, cak_ref x);

#endif
