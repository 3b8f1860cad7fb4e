/* Convolution with its own weight and bias. */
#include <math.h>

#include "graph/ops.h"

/* x: [B,C,H,W]  w: [O,C,k,k]  b: [O]  y: [B,O,H',W'],  H' = floor((H + 2 pad - dilation (k - 1) - 1) / stride) + 1 */
typedef struct conv_layer_attr {
    int64_t out, kernel, stride, pad, dilation;
    bool bias;
    int32_t init;
    double gain;
} conv_layer_attr;

enum { TORCH_DEFAULT, XAVIER_NORMAL };
static const char *const inits[] = { "torch_default", "xavier_normal", NULL };

static void conv_layer_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    const conv_layer_attr *a = s->attr;
    int64_t in = s->in_shape[0].rank == 4 ? s->in_shape[0].dim[1] : 0, k = a->kernel;
    if (!in) {
        cak_fail(g, "conv_layer needs x [B,C,H,W]");
        return;
    }
    double fan_in = (double)(in * k * k), fan_out = (double)(a->out * k * k), bound = 1 / sqrt(fan_in);
    cak_init w_init = { CAK_INIT_UNIFORM, -bound, bound }, b_init = w_init;
    if (a->init == XAVIER_NORMAL) {
        w_init = (cak_init){ CAK_INIT_NORMAL, 0, a->gain * sqrt(2 / (fan_in + fan_out)) };
        b_init = (cak_init){ CAK_INIT_CONST, 0, 0 };
    }
    int64_t pad = a->pad >= 0 ? a->pad : a->dilation * (k - 1) / 2;
    cak_ref w = cak_param(g, "weight", &CAK_SHAPE(a->out, in, k, k), w_init);
    out[0] = cak_conv2d(g, s->in[0], w, (int)a->stride, (int)pad, (int)a->dilation);
    if (!a->bias) return;
    cak_ref b = cak_param(g, "bias", &CAK_SHAPE(a->out), b_init);
    out[0] = cak_add(g, out[0], cak_reshape(g, b, &CAK_SHAPE(1, a->out, 1, 1)));
}

static const cak_port in[] = { { "x", "images [B,C,H,W]", false }, { 0 } };
static const cak_port outs[] = { { "y", "[B,out,H',W']", false }, { 0 } };
#define AT(field) .offset = offsetof(conv_layer_attr, field)
static const cak_attr attrs[] = {
    { .name = "out", .doc = "output channels", .kind = CAK_INT, AT(out), .required = true, .min = 1, .max = 65536 },
    { .name = "kernel", .doc = "height and width of the kernel", .kind = CAK_INT, AT(kernel), .def = 3, .min = 1, .max = 1023 },
    { .name = "stride", .doc = "step in both directions", .kind = CAK_INT, AT(stride), .def = 1, .min = 1, .max = 64 },
    { .name = "pad",
      .doc = "zeros on each side; -1 keeps the size at stride 1 and odd kernels",
      .kind = CAK_INT,
      AT(pad),
      .def = 0,
      .min = -1,
      .max = 1024 },
    { .name = "dilation", .doc = "distance between taps", .kind = CAK_INT, AT(dilation), .def = 1, .min = 1, .max = 64 },
    { .name = "bias", .doc = "add a bias per channel", .kind = CAK_BOOL, AT(bias), .def = 1 },
    { .name = "init",
      .doc = "torch_default: weight and bias uniform in +-1/sqrt(fan_in); xavier_normal: weight normal, bias 0",
      .kind = CAK_ENUM,
      AT(init),
      .choices = inits },
    { .name = "gain",
      .doc = "factor of the xavier standard deviation",
      .kind = CAK_NUM,
      AT(gain),
      .def = 1,
      .min = 0,
      .max = 1000 },
    { .kind = CAK_END },
};
CAK_NODE(conv_layer) = {
    .name = "conv_layer",
    .doc = "2-D convolution with weight and bias; torch.nn.Conv2d",
    .formula = "y = conv2d(x, weight) + bias",
    .in = in,
    .out = outs,
    .attr = attrs,
    .attr_size = sizeof(conv_layer_attr),
    .expand = conv_layer_expand,
};
