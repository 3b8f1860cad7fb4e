/* Inverse short-time Fourier transform: overlap-add of windowed inverse transforms over the sum of squared windows. */
#include "nodes/prim/stft.h"

typedef struct istft_attr {
    int64_t n_fft, hop, win, length;
    int32_t window;
    bool center;
} istft_attr;

/* The adjoint of stft on weighted bins is exactly "irfft, times window, add": weights 2 / n_fft stand for the conjugate half. */
static void istft_expand(cak_graph *g, const cak_site *s, cak_ref *out)
{
    const istft_attr *a = s->attr;
    cak_stft_attr t = {
        .n_fft = a->n_fft, .hop = a->hop, .win = a->win, .window = a->window, .center = a->center, .weighted = true
    };
    if (s->in_shape[0].rank != 4) {
        char text[CAK_SHAPE_TEXT];
        cak_fail(g, "istft needs a spectrum [B,2,F,T], got %s", cak_shape_text(&s->in_shape[0], text));
        return;
    }
    int64_t trimmed = a->center ? a->n_fft / 2 * 2 : 0;
    t.length = a->length ? a->length : a->hop * (s->in_shape[0].dim[3] - 1) + a->n_fft - trimmed;
    out[0] = cak_div(g, cak_stft_adjoint(g, s->in[0], &t), cak_window_square_sum(g, &t));
}

static const cak_port istft_in[] = { { "x", "real and imaginary part [B,2,F,T]", false }, { 0 } };
static const cak_port istft_out[] = { { "y", "signals [B,length]", false }, { 0 } };

#define FIELD(f) .name = #f, .offset = offsetof(istft_attr, f)
static const cak_attr istft_attrs[] = {
    { FIELD(n_fft), .doc = "length of a frame", .kind = CAK_INT, .def = 2048, .min = 1, .max = 1 << 20, .unit = "samples" },
    { FIELD(hop), .doc = "distance of frames", .kind = CAK_INT, .def = 512, .min = 1, .max = 1 << 30, .unit = "samples" },
    { FIELD(win), .doc = "length of the window, centred in the frame; 0: n_fft", .kind = CAK_INT, .max = 1 << 20,
      .unit = "samples" },
    { FIELD(length), .doc = "samples of the result; 0: what the frames span", .kind = CAK_INT, .max = 1LL << 40,
      .unit = "samples" },
    { FIELD(window), .doc = "window, periodic", .kind = CAK_ENUM, .choices = cak_stft_windows },
    { FIELD(center), .doc = "frame t is centred at sample t * hop", .kind = CAK_BOOL, .def = 1 },
    { .kind = CAK_END },
};
CAK_NODE(istft) = {
    .name = "istft",
    .doc = "inverse short-time Fourier transform; librosa.istft",
    .formula = "y = sum of window * irfft(x[t]) over the frames / sum of window^2",
    .in = istft_in,
    .out = istft_out,
    .attr = istft_attrs,
    .attr_size = sizeof(istft_attr),
    .expand = istft_expand,
};
