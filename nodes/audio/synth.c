/* synth: sounds made from a seed, for tests and examples without sound files. */
#include <inttypes.h>
#include <math.h>

#include "graph/rng.h"
#include "graph/stage.h"
#include "graph/text.h"
#include "nodes/audio/lib_clip.h"

typedef struct synth_attr {
    int64_t count, rate, seed;
    double seconds, level;
    int32_t kind;
} synth_attr;

typedef struct source {
    const synth_attr *attr;
    int64_t length;
    uint64_t stream;
} source;

typedef struct voice { /* one clip being made */
    const source *s;
    uint64_t clip, draws;
} voice;

/* A new number in [lo, hi) at each call. */
static double draw(voice *v, double lo, double hi)
{
    return lo + (hi - lo) * cak_rng_uniform((uint64_t)v->s->attr->seed, v->s->stream, v->clip, v->draws++);
}

/* A pitch between 110 Hz and an eighth of the rate, even on a logarithmic scale. */
static double draw_hz(voice *v)
{
    double top = fmax(220, (double)v->s->attr->rate / 8);
    return 110 * pow(top / 110, draw(v, 0, 1));
}

/* ---- kinds: each adds to x[n] ---- */

static void sine(voice *v, real *x, int64_t n, double level)
{
    double step = 2 * M_PI * draw_hz(v) / (double)v->s->attr->rate, phase = draw(v, 0, 2 * M_PI);
    for (int64_t i = 0; i < n; i++) x[i] += (real)(level * sin(phase + step * (double)i));
}

/* Frequency from one pitch to another, even on a logarithmic scale: f(t) = f0 (f1/f0)^(t/n). */
static void chirp(voice *v, real *x, int64_t n, double level)
{
    double rate = (double)v->s->attr->rate, hz = draw_hz(v), growth = pow(draw_hz(v) / hz, 1 / (double)n), phase = 0;
    for (int64_t i = 0; i < n; i++, hz *= growth) {
        x[i] += (real)(level * sin(phase));
        phase += 2 * M_PI * hz / rate;
    }
}

static void noise(voice *v, real *x, int64_t n, double level)
{
    uint64_t base = v->draws;
    for (int64_t i = 0; i < n; i++)
        x[i] += (real)(level * (2 * cak_rng_uniform((uint64_t)v->s->attr->seed, v->s->stream, v->clip, base + (uint64_t)i) - 1));
    v->draws += (uint64_t)n;
}

/* 2 to 20 impulses a second. */
static void pulses(voice *v, real *x, int64_t n, double level)
{
    double period = (double)v->s->attr->rate / draw(v, 2, 20), at = draw(v, 0, 1) * period;
    for (; at < (double)n; at += period) x[(int64_t)at] += (real)level;
}

static void mixture(voice *v, real *x, int64_t n, double level)
{
    sine(v, x, n, level * draw(v, 0.2, 0.5));
    chirp(v, x, n, level * draw(v, 0.1, 0.3));
    noise(v, x, n, level * draw(v, 0.01, 0.1));
    pulses(v, x, n, level * draw(v, 0.1, 0.3));
}

static void (*const kinds[])(voice *v, real *x, int64_t n, double level) = { sine, chirp, noise, pulses, mixture };
static const char *const names[] = { "sine", "chirp", "noise", "pulses", "mixture", "all", NULL };
enum { KINDS = sizeof kinds / sizeof *kinds, ALL = KINDS };

static int kind_of(const source *s, int i) { return s->attr->kind == ALL ? i % KINDS : s->attr->kind; }

/* ---- the stage ---- */

static void *open_source(cak_arena *a, cak_diag *d, const void *attr, cak_pos at, const char *base_dir, cak_source_info *info)
{
    (void)d, (void)at, (void)base_dir;
    const synth_attr *p = attr;
    source *s = cak_arena_alloc(a, sizeof *s);
    *s = (source){ .attr = p, .length = llround(p->seconds * (double)p->rate), .stream = cak_rng_stream("synth") };
    cak_source_clip *clip = cak_arena_alloc(a, (size_t)p->count * sizeof *clip);
    for (int i = 0; i < (int)p->count; i++)
        clip[i] = (cak_source_clip){ .name = cak_arena_print(a, "%05d-%s", i, names[kind_of(s, i)]), .frames = s->length };
    *info = (cak_source_info){ .clip = clip, .n = (int)p->count, .length = s->length, .rate = (double)p->rate };
    const char *text =
        cak_arena_print(a, "synth 1 kind %d count %" PRId64 " rate %" PRId64 " length %" PRId64 " seed %" PRId64 " level %a",
                        p->kind, p->count, p->rate, s->length, p->seed, p->level);
    cak_text_digest(text, info->digest);
    return s;
}

static bool read_clip(void *src, cak_diag *d, int i, real *out)
{
    (void)d;
    const source *s = src;
    voice v = { .s = s, .clip = (uint64_t)i };
    for (int64_t k = 0; k < s->length; k++) out[k] = 0;
    kinds[kind_of(s, i)](&v, out, s->length, s->attr->level);
    return true;
}

static int64_t read_whole(void *src, cak_diag *d, int i, int64_t from, int64_t chunk, real *out)
{
    const source *s = src;
    int64_t n = from < s->length ? s->length - from : 0;
    if (n > chunk) n = chunk;
    real *whole = cak_heap_alloc((size_t)s->length * sizeof *whole, "synth");
    bool ok = n && read_clip(src, d, i, whole);
    for (int64_t k = 0; ok && k < n; k++) out[k] = whole[from + k];
    cak_heap_free(whole);
    return n;
}

static void close_source(void *src) { (void)src; }

#define ROW(field, k, ...)                                                            \
    {                                                                                 \
        .name = #field, .kind = k, .offset = offsetof(synth_attr, field), __VA_ARGS__ \
    }
static const cak_attr attrs[] = {
    ROW(kind, CAK_ENUM, .def = ALL, .choices = names, .doc = "what to make; all: every kind in turn"),
    ROW(count, CAK_INT, .def = 16, .min = 1, .max = 1e6, .doc = "number of clips"),
    ROW(seconds, CAK_NUM, .def = 1, .min = 0.001, .max = 3600, .unit = "s", .doc = "length of a clip"),
    ROW(rate, CAK_INT, .def = 44100, .min = 1000, .max = 768000, .unit = "Hz", .doc = "sample rate"),
    ROW(seed, CAK_INT, .min = 0, .max = 1e15, .doc = "other seeds make other sounds"),
    ROW(level, CAK_NUM, .def = 0.05, .min = 1e-6, .max = 1, .doc = "amplitude"),
    { .kind = CAK_END },
};
static const cak_port ports_in[] = { { 0 } };
static const cak_port ports_out[] = { { "clips", "sound [B,N]", false }, { 0 } };
static const cak_stage_ops ops = {
    .open_source = open_source, .read_clip = read_clip, .read_whole = read_whole, .close_source = close_source
};
CAK_NODE(synth) = {
    .name = "synth",
    .doc = "synthetic clips: sines, chirps, noise, impulse trains and mixtures of them",
    .formula = "pitches, levels and noise are Philox draws of (seed, clip)",
    .in = ports_in,
    .out = ports_out,
    .attr = attrs,
    .attr_size = sizeof(synth_attr),
    .stage = &ops,
};
