/* Short-time Fourier transform and its adjoint: linear maps that are each other's gradient; the sum of squared windows. */
#include <math.h>
#include <string.h>

#include "graph/graph.h"
#include "graph/par.h"
#include "nodes/kernels/fft.h"
#include "nodes/prim/stft.h"

enum { PAD_ZERO, PAD_REFLECT };
enum { GROUP = 16 /* frames that a thread transforms before it writes, so that rows are touched in runs */ };

extern const cak_node cak_node_stft, cak_node_stft_adjoint, cak_node_window_square_sum;

cak_ref cak_stft(cak_graph *g, cak_ref x, const cak_stft_attr *a) { return cak_append(g, &cak_node_stft, a, &x, 1); }
cak_ref cak_stft_adjoint(cak_graph *g, cak_ref y, const cak_stft_attr *a)
{
    return cak_append(g, &cak_node_stft_adjoint, a, &y, 1);
}
cak_ref cak_window_square_sum(cak_graph *g, const cak_stft_attr *a)
{
    return cak_append(g, &cak_node_window_square_sum, a, NULL, 0);
}

/* ---- geometry ---- */

static int64_t bins(const cak_stft_attr *a) { return a->n_fft / 2 + 1; }
static int64_t offset(const cak_stft_attr *a) { return a->center ? a->n_fft / 2 : 0; } /* samples added on each side */
static int64_t frames(const cak_stft_attr *a, int64_t n) { return (n + 2 * offset(a) - a->n_fft) / a->hop + 1; }

/* The sample that padded position i reads: -1 for a zero. */
static int64_t source(const cak_stft_attr *a, int64_t i, int64_t n)
{
    int64_t at = i - offset(a);
    if (at >= 0 && at < n) return at;
    if (a->pad_mode == PAD_ZERO) return -1;
    return at < 0 ? -at : 2 * (n - 1) - at;
}

static bool check(cak_graph *g, const cak_stft_attr *a, int64_t n)
{
    if (a->win > a->n_fft)
        return cak_fail(g, "the window (%lld samples) is longer than n_fft %lld", (long long)a->win, (long long)a->n_fft);
    if (a->pad_mode == PAD_REFLECT && n <= offset(a))
        return cak_fail(g, "reflection needs more than n_fft/2 = %lld samples, got %lld", (long long)offset(a), (long long)n);
    if (n < 1 || n + 2 * offset(a) < a->n_fft)
        return cak_fail(g, "%lld samples are too few for a frame of %lld", (long long)n, (long long)a->n_fft);
    return true;
}

/* Periodic windows w[i] = c0 - c1 cos(2 pi i / win), centred in n_fft zeros as librosa does. */
const char *const cak_stft_windows[] = { "hann", "hamming", "boxcar", NULL };
static const double window_terms[][2] = { { 0.5, 0.5 }, { 0.54, 0.46 }, { 1, 0 } };

static void make_window(const cak_stft_attr *a, double *w)
{
    int64_t win = a->win ? a->win : a->n_fft, before = (a->n_fft - win) / 2;
    const double *c = window_terms[a->window];
    memset(w, 0, (size_t)a->n_fft * sizeof *w);
    for (int64_t i = 0; i < win; i++) w[before + i] = c[0] - c[1] * cos(2 * M_PI * (double)i / (double)win);
}

/* With `weighted`, bin f counts as often as it occurs in the whole spectrum, divided by n_fft: the weight of irfft. */
static double bin_weight(const cak_stft_attr *a, int64_t f)
{
    if (!a->weighted) return 1;
    return (f == 0 || 2 * f == a->n_fft ? 1 : 2) / (double)a->n_fft;
}

/* ---- scratch: the window, then per thread a frame, GROUP spectra and, for the adjoint, two blocks of samples ---- */

static int64_t pad8(int64_t n) { return (n + 7) / 8 * 8; } /* doubles; keeps 64-byte alignment */
static int64_t spectrum(const cak_stft_attr *a) { return pad8(2 * bins(a)); }
static int64_t block_length(const cak_stft_attr *a) { return 8 * a->n_fft; }
static int64_t thread_doubles(const cak_stft_attr *a) { return pad8(a->n_fft) + GROUP * spectrum(a) + 2 * pad8(block_length(a)); }

static size_t stft_scratch(const cak_site *s)
{
    const cak_stft_attr *a = s->attr;
    return (size_t)(pad8(a->n_fft) + thread_doubles(a) * cak_threads()) * sizeof(double);
}

typedef struct task {
    const cak_stft_attr *a;
    const cak_fft *fft;
    double *window, *threads;
    int64_t n, t; /* samples, frames */
    const real *x;
    real *y;
} task;

typedef struct buffers {
    double *frame, *spectra, *sum, *mirror;
} buffers;

static task make_task(const cak_work *w, int64_t n, int64_t t)
{
    const cak_stft_attr *a = w->attr;
    double *window = w->scratch;
    make_window(a, window);
    return (task){ a, cak_fft_get((int)a->n_fft), window, window + pad8(a->n_fft), n, t, w->in[0].data, w->y.data };
}

static buffers my_buffers(const task *k)
{
    double *frame = k->threads + thread_doubles(k->a) * cak_thread(), *spectra = frame + pad8(k->a->n_fft);
    double *sum = spectra + GROUP * spectrum(k->a);
    return (buffers){ frame, spectra, sum, sum + pad8(block_length(k->a)) };
}

/* ---- stft ---- */

static bool stft_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    const cak_stft_attr *a = s->attr;
    char text[CAK_SHAPE_TEXT];
    if (s->in_shape[0].rank != 2) return cak_fail(g, "stft needs x [B,N], got %s", cak_shape_text(&s->in_shape[0], text));
    if (!check(g, a, s->in_shape[0].dim[1])) return false;
    *y = CAK_SHAPE(s->in_shape[0].dim[0], 2, bins(a), frames(a, s->in_shape[0].dim[1]));
    return true;
}

static void transform_frame(const task *k, const buffers *b, const real *x, int64_t t, double *spectra)
{
    int64_t start = t * k->a->hop, inside = start - offset(k->a);
    if (inside >= 0 && inside + k->a->n_fft <= k->n)
        for (int64_t i = 0; i < k->a->n_fft; i++) b->frame[i] = k->window[i] * (double)x[inside + i];
    else
        for (int64_t i = 0; i < k->a->n_fft; i++) {
            int64_t at = source(k->a, start + i, k->n);
            b->frame[i] = at < 0 ? 0 : k->window[i] * (double)x[at];
        }
    cak_fft_forward(k->fft, b->frame, spectra);
}

static void transform_group(const task *k, int64_t sample, int64_t first)
{
    buffers b = my_buffers(k);
    int64_t m = cak_min64(GROUP, k->t - first), f_count = bins(k->a), size = spectrum(k->a);
    real *re = k->y + 2 * sample * f_count * k->t + first, *im = re + f_count * k->t;
    for (int64_t t = 0; t < m; t++) transform_frame(k, &b, k->x + sample * k->n, first + t, b.spectra + t * size);
    for (int64_t f = 0; f < f_count; f++, re += k->t, im += k->t) {
        double weight = bin_weight(k->a, f);
        for (int64_t t = 0; t < m; t++) {
            re[t] = (real)(weight * b.spectra[t * size + 2 * f]);
            im[t] = (real)(weight * b.spectra[t * size + 2 * f + 1]);
        }
    }
}

static void stft_run(const cak_work *w)
{
    const cak_shape *y = &w->y.shape;
    task k = make_task(w, w->in[0].shape.dim[1], y->dim[3]);
    int64_t groups = (k.t + GROUP - 1) / GROUP;
    CAK_PARALLEL_FOR (i, y->dim[0] * groups, cak_shape_size(y)) transform_group(&k, i / groups, i % groups * GROUP);
}

static void stft_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin)
{
    cak_stft_attr a = *(const cak_stft_attr *)s->attr;
    a.length = s->in_shape[0].dim[1];
    gin[0] = cak_stft_adjoint(g, gy, &a);
}

/* ---- stft_adjoint ---- */

static bool adjoint_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    const cak_stft_attr *a = s->attr;
    const cak_shape *x = &s->in_shape[0];
    char text[CAK_SHAPE_TEXT];
    if (x->rank != 4 || x->dim[1] != 2 || x->dim[2] != bins(a))
        return cak_fail(g, "expected a spectrum [B,2,%lld,T], got %s", (long long)bins(a), cak_shape_text(x, text));
    if (!check(g, a, a->length)) return false;
    if (frames(a, a->length) != x->dim[3])
        return cak_fail(g, "%lld samples make %lld frames, the spectrum has %lld", (long long)a->length,
                        (long long)frames(a, a->length), (long long)x->dim[3]);
    *y = CAK_SHAPE(x->dim[0], a->length);
    return true;
}

/* Spectra of m frames, prepared so that the backward transform, which counts the bins between the ends twice, counts each once. The
** imaginary part at the ends is what stft never produces: it counts for nothing. */
static void load_spectra(const task *k, const buffers *b, int64_t sample, int64_t first, int64_t m)
{
    int64_t f_count = bins(k->a), size = spectrum(k->a);
    const real *re = k->x + 2 * sample * f_count * k->t + first, *im = re + f_count * k->t;
    for (int64_t f = 0; f < f_count; f++, re += k->t, im += k->t) {
        bool end = f == 0 || 2 * f == k->a->n_fft;
        double weight = bin_weight(k->a, f) * (end ? 1 : 0.5);
        for (int64_t t = 0; t < m; t++) {
            b->spectra[t * size + 2 * f] = weight * (double)re[t];
            b->spectra[t * size + 2 * f + 1] = end ? 0 : weight * (double)im[t];
        }
    }
}

/* sum[i] = what the frames give to padded position from + i, frame by frame in ascending order. */
static void overlap_add(const task *k, const buffers *b, int64_t sample, int64_t from, int64_t n, double *sum)
{
    const cak_stft_attr *a = k->a;
    int64_t first = from < a->n_fft ? 0 : (from - a->n_fft) / a->hop + 1;
    int64_t end = cak_min64(k->t, (from + n - 1) / a->hop + 1);
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int64_t group = first; group < end; group += GROUP) {
        int64_t m = cak_min64(GROUP, end - group);
        load_spectra(k, b, sample, group, m);
        for (int64_t t = 0; t < m; t++) {
            int64_t start = (group + t) * a->hop - from;
            cak_fft_backward(k->fft, b->spectra + t * spectrum(a), b->frame);
            for (int64_t i = cak_max64(0, -start); i < cak_min64(a->n_fft, n - start); i++)
                sum[start + i] += k->window[i] * b->frame[i];
        }
    }
}

/* The samples that padded positions low .. low + count - 1 mirror get what these collect; b->sum begins at sample `from`. */
static void add_mirror(const task *k, const buffers *b, int64_t sample, int64_t from, int64_t low, int64_t count)
{
    if (count <= 0) return;
    overlap_add(k, b, sample, low, count, b->mirror);
    for (int64_t i = 0; i < count; i++) b->sum[source(k->a, low + i, k->n) - from] += b->mirror[i];
}

static void gather_block(const task *k, int64_t sample, int64_t from)
{
    const cak_stft_attr *a = k->a;
    buffers b = my_buffers(k);
    int64_t n = cak_min64(block_length(a), k->n - from), side = offset(a);
    overlap_add(k, &b, sample, from + side, n, b.sum);
    if (a->pad_mode == PAD_REFLECT) {
        int64_t lo = cak_max64(from, 1), hi = cak_min64(from + n, side + 1); /* samples 1 .. side lie to the left as well */
        add_mirror(k, &b, sample, from, side - (hi - 1), hi - lo);
        lo = cak_max64(from, k->n - 1 - side), hi = cak_min64(from + n, k->n - 1); /* and the last ones to the right */
        add_mirror(k, &b, sample, from, side + 2 * (k->n - 1) - (hi - 1), hi - lo);
    }
    for (int64_t i = 0; i < n; i++) k->y[sample * k->n + from + i] = (real)b.sum[i];
}

static void adjoint_run(const cak_work *w)
{
    task k = make_task(w, w->y.shape.dim[1], w->in[0].shape.dim[3]);
    int64_t length = block_length(k.a), blocks = (k.n + length - 1) / length;
    CAK_PARALLEL_FOR (i, w->y.shape.dim[0] * blocks, cak_shape_size(&w->in[0].shape))
        gather_block(&k, i / blocks, i % blocks * length);
}

static void adjoint_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin)
{
    cak_stft_attr a = *(const cak_stft_attr *)s->attr;
    a.length = 0;
    gin[0] = cak_stft(g, gy, &a);
}

static cak_rows same_rows(const cak_site *s, const cak_rows *in)
{
    (void)s;
    return in[0];
}

/* ---- window_square_sum ---- */

static bool square_sum_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    const cak_stft_attr *a = s->attr;
    *y = CAK_SHAPE(a->length);
    return check(g, a, a->length);
}

static size_t square_sum_scratch(const cak_site *s)
{
    return (size_t)pad8(((const cak_stft_attr *)s->attr)->n_fft) * sizeof(double);
}

/* What frames weigh together at each sample; 1 where they weigh nothing (the smallest normal float is the limit, as in librosa). */
static void square_sum_run(const cak_work *w)
{
    const cak_stft_attr *a = w->attr;
    double *window = w->scratch;
    int64_t n = w->y.shape.dim[0], count = frames(a, n);
    make_window(a, window);
    CAK_PARALLEL_FOR (i, n, n) {
        int64_t at = i + offset(a), t = at < a->n_fft ? 0 : (at - a->n_fft) / a->hop + 1;
        double sum = 0;
        for (; t < count && t * a->hop <= at; t++) sum += window[at - t * a->hop] * window[at - t * a->hop];
        w->y.data[i] = (real)(sum > (double)1.17549435e-38f ? sum : 1);
    }
}

/* ---- descriptors ---- */

static const char *const pad_modes[] = { "zero", "reflect", NULL };
static const cak_port signal_in[] = { { "x", "signals [B,N]", false }, { 0 } };
static const cak_port spectrum_in[] = { { "x", "real and imaginary part [B,2,F,T]", false }, { 0 } };
static const cak_port spectrum_out[] = { { "y", "real and imaginary part [B,2,F,T]", false }, { 0 } };
static const cak_port signal_out[] = { { "y", "signals [B,N]", false }, { 0 } };
static const cak_port no_in[] = { { 0 } };
static const cak_port sum_out[] = { { "y", "[N]", false }, { 0 } };

#define FIELD(f) .name = #f, .offset = offsetof(cak_stft_attr, f)
#define COMMON                                                                                                                   \
    { FIELD(n_fft), .doc = "length of a frame", .kind = CAK_INT, .def = 2048, .min = 1, .max = CAK_FFT_MAX, .unit = "samples" }, \
        { FIELD(hop), .doc = "distance of frames", .kind = CAK_INT, .def = 512, .min = 1, .max = 1 << 30, .unit = "samples" },   \
        { FIELD(win), .doc = "length of the window, centred in the frame; 0: n_fft", .kind = CAK_INT, .max = CAK_FFT_MAX,        \
          .unit = "samples" },                                                                                                   \
        { FIELD(window), .doc = "window, periodic", .kind = CAK_ENUM, .choices = cak_stft_windows },                             \
        { FIELD(center), .doc = "frame t is centred at sample t * hop", .kind = CAK_BOOL, .def = 1 },                            \
        { FIELD(pad_mode), .doc = "what lies beyond the ends", .kind = CAK_ENUM, .choices = pad_modes },                         \
    {                                                                                                                            \
        FIELD(weighted), .doc = "multiply bin f by its weight in irfft: 2 / n_fft, 1 / n_fft at the ends", .kind = CAK_BOOL      \
    }
static const cak_attr stft_attrs[] = { COMMON, { .kind = CAK_END } };
static const cak_attr length_attrs[] = {
    COMMON,
    { FIELD(length), .doc = "samples of the result", .kind = CAK_INT, .min = 1, .max = 1LL << 40, .unit = "samples",
      .required = true },
    { .kind = CAK_END },
};

CAK_NODE(stft) = {
    .name = "stft",
    .doc = "short-time Fourier transform; librosa.stft, torch.stft",
    .formula = "y[b,:,f,t] = sum over i of window[i] x[b, t hop + i - n_fft/2] exp(-2 pi j f i / n_fft)",
    .in = signal_in,
    .out = spectrum_out,
    .attr = stft_attrs,
    .attr_size = sizeof(cak_stft_attr),
    .shape = stft_shape,
    .run = stft_run,
    .scratch = stft_scratch,
    .linear = CAK_LINEAR_JOINT,
    .diff = CAK_DIFF_RULE,
    .grad = stft_grad,
    .rows = same_rows,
};
CAK_NODE(stft_adjoint) = {
    .name = "stft_adjoint",
    .doc = "adjoint of stft: overlap-add of the inverse transforms of one-sided spectra",
    .formula = "<stft(x), g> = <x, y>",
    .in = spectrum_in,
    .out = signal_out,
    .attr = length_attrs,
    .attr_size = sizeof(cak_stft_attr),
    .shape = adjoint_shape,
    .run = adjoint_run,
    .scratch = stft_scratch,
    .linear = CAK_LINEAR_JOINT,
    .diff = CAK_DIFF_RULE,
    .grad = adjoint_grad,
    .rows = same_rows,
};
CAK_NODE(window_square_sum) = {
    .name = "window_square_sum",
    .doc = "sum of the squared windows of all frames at each sample; librosa.filters.window_sumsquare",
    .formula = "y[i] = sum over t of window[i - t hop]^2, 1 where that is 0",
    .in = no_in,
    .out = sum_out,
    .attr = length_attrs,
    .attr_size = sizeof(cak_stft_attr),
    .shape = square_sum_shape,
    .run = square_sum_run,
    .scratch = square_sum_scratch,
    .diff = CAK_DIFF_ZERO,
};
