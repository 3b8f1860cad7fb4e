/* Magnitude of a spectrum. */
#include "graph/ops.h"

/* m = sqrt(p + z) - z with p = re^2 + im^2 and z = 1 where p is 0, else 0: the value is exactly sqrt(p), and the gradient at 0 is 0, as
** that of torch.abs, instead of infinity. p of float32 vanishes below 1e-23, far under the resolution of sound. */
static void magnitude_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    const cak_shape *x = &s->in_shape[0];
    if (x->rank != 4 || x->dim[1] != 2) {
        char text[CAK_SHAPE_TEXT];
        cak_fail(g, "magnitude needs a spectrum [B,2,F,T], got %s", cak_shape_text(x, text));
        return;
    }
    cak_ref re = cak_slice(g, s->in[0], 1, 0, 1), im = cak_slice(g, s->in[0], 1, 1, 1);
    cak_ref p = cak_add(g, cak_square(g, re), cak_square(g, im));
    cak_ref z = cak_sub(g, cak_const(g, 1), cak_sign(g, p));
    out[0] = cak_sub(g, cak_sqrt(g, cak_add(g, p, z)), z);
}

static const cak_port in[] = { { "x", "real and imaginary part [B,2,F,T]", false }, { 0 } };
static const cak_port outs[] = { { "y", "magnitude [B,1,F,T]", false }, { 0 } };
CAK_NODE(magnitude) = {
    .name = "magnitude",
    .doc = "absolute value of a complex spectrum; gradient 0 at 0, as torch.abs",
    .formula = "y = sqrt(re^2 + im^2)",
    .in = in,
    .out = outs,
    .expand = magnitude_expand,
};
