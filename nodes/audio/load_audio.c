/* load_audio: clips of equal length from sound files. */
#include <inttypes.h>
#include <math.h>

#include "graph/par.h"
#include "graph/stage.h"
#include "graph/text.h"
#include "nodes/audio/lib_clip.h"
#include "nodes/audio/lib_corpus.h"

typedef enum crop { CROP_CENTRE, CROP_START, CROP_END } crop;
typedef enum pad { PAD_END, PAD_START, PAD_BOTH } pad;

typedef struct load_attr {
    const char *path;
    int64_t rate, max_files, segments, min_samples;
    double seconds, fade_s, max_seconds;
    int32_t crop, pad, on_bad_file;
} load_attr;

typedef struct clip { /* where a clip lies in its track */
    int track;
    int64_t start, frames; /* samples taken from the track */
} clip;

typedef struct source {
    const load_attr *attr;
    cak_corpus corpus;
    clip *clip;
    int n;
    int64_t length, fade;
    cak_reader **whole; /* by track: the reader of read_whole and where it is */
    int64_t *whole_at;
} source;

/* ---- which part of which track ---- */

static void place_one(const source *s, clip *c)
{
    int64_t have = s->corpus.track[c->track].length, spare = cak_max64(0, have - s->length);
    const int64_t start[] = { [CROP_CENTRE] = spare / 2, [CROP_START] = 0, [CROP_END] = spare };
    c->start = start[s->attr->crop];
    c->frames = cak_min64(s->length, have);
}

/* Clip k of the n clips of a track: centred in its equal share, moved inwards where it would stick out. */
static void place_segment(const source *s, clip *c, int64_t k, int64_t n)
{
    int64_t have = s->corpus.track[c->track].length;
    int64_t centre = (2 * k + 1) * have / (2 * n);
    c->start = cak_max64(0, cak_min64(centre - s->length / 2, have - s->length));
    c->frames = cak_min64(s->length, have);
}

/* `segments` clips in all; track i gets floor((i+1) S/n) - floor(i S/n) of them. */
static void make_clips(cak_arena *a, source *s)
{
    int64_t tracks = s->corpus.n, total = s->attr->segments ? s->attr->segments : tracks;
    s->clip = cak_arena_alloc(a, (size_t)total * sizeof *s->clip);
    for (int64_t t = 0; t < tracks; t++) {
        int64_t n = (t + 1) * total / tracks - t * total / tracks;
        for (int64_t k = 0; k < n; k++) {
            clip *c = &s->clip[s->n++];
            c->track = (int)t;
            if (s->attr->segments) place_segment(s, c, k, n);
            else place_one(s, c);
        }
    }
}

static const cak_source_clip *describe(cak_arena *a, const source *s)
{
    cak_source_clip *out = cak_arena_alloc(a, ((size_t)s->n + 1) * sizeof *out);
    for (int i = 0, k = 0; i < s->n; i++) {
        const cak_track *t = &s->corpus.track[s->clip[i].track];
        k = i && s->clip[i - 1].track == s->clip[i].track ? k + 1 : 1;
        out[i] = (cak_source_clip){ .name = t->name, .path = t->path, .frames = t->length };
        if (s->attr->segments) out[i].name = cak_arena_print(a, "%s#%d", t->name, k);
    }
    return out;
}

/* Everything that decides a sample: contents of the files, places of the clips, their shaping. */
static void digest(cak_arena *a, const source *s, char hex[33])
{
    cak_text_builder b = { .a = a };
    cak_text_add(&b, "load_audio 1 rate %" PRId64 " length %" PRId64 " fade %" PRId64 " pad %d\n", s->attr->rate, s->length,
                 s->fade, (int)s->attr->pad);
    for (int i = 0; i < s->n; i++) {
        const cak_track *t = &s->corpus.track[s->clip[i].track];
        cak_text_add(&b, "%s %" PRId64 " %" PRId64 " %s\n", t->scan.hash, s->clip[i].start, s->clip[i].frames, t->name);
    }
    cak_text_digest(cak_text_done(&b), hex);
}

/* ---- the stage ---- */

static bool check_attr(cak_diag *d, const load_attr *at, cak_pos pos)
{
    if (at->fade_s <= at->seconds) return true;
    return cak_error(d, CAK_E1202, pos, "`fade_s` %g is longer than `seconds` %g", at->fade_s, at->seconds);
}

static void *open_source(cak_arena *a, cak_diag *d, const void *attr, cak_pos at, const char *base_dir, cak_source_info *info)
{
    const load_attr *l = attr;
    source *s = cak_arena_alloc(a, sizeof *s);
    *s = (source){ .attr = l, .length = llround(l->seconds * (double)l->rate), .fade = llround(l->fade_s * (double)l->rate) };
    *info = (cak_source_info){ .length = s->length, .rate = (double)l->rate };
    if (!check_attr(d, l, at)) return NULL;
    if (!base_dir) return s; /* only the shape is wanted */
    const cak_corpus_options o = { .path = cak_path_join(a, base_dir, l->path),
                                   .rate = (int)l->rate,
                                   .min_samples = l->min_samples,
                                   .max_seconds = l->max_seconds,
                                   .max_files = (int)l->max_files,
                                   .skip = l->on_bad_file };
    if (!cak_corpus_open(a, d, at, &o, &s->corpus)) return NULL;
    make_clips(a, s);
    s->whole = cak_arena_alloc(a, (size_t)s->corpus.n * sizeof(cak_reader *));
    s->whole_at = cak_arena_alloc(a, (size_t)s->corpus.n * sizeof *s->whole_at);
    info->clip = describe(a, s);
    info->n = s->n;
    info->skipped = s->corpus.skipped;
    info->n_skipped = s->corpus.n_skipped;
    digest(a, s, info->digest);
    return s;
}

static bool read_clip(void *src, cak_diag *d, int i, real *out)
{
    const source *s = src;
    const clip *c = &s->clip[i];
    const cak_track *t = &s->corpus.track[c->track];
    int64_t spare = s->length - c->frames;
    const int64_t before[] = { [PAD_END] = 0, [PAD_START] = spare, [PAD_BOTH] = spare / 2 };
    int64_t from = before[s->attr->pad];
    for (int64_t k = 0; k < s->length; k++) out[k] = 0;
    cak_reader *r = cak_reader_open(d, t->path, &t->scan, (int)s->attr->rate, c->start);
    bool ok = r && cak_reader_read(r, d, c->frames, out + from) == c->frames;
    cak_reader_close(r);
    if (ok) cak_clip_fade(out, s->length, s->fade);
    return ok;
}

/* One thread reads a track, from front to back: the reader stays open between the pieces. */
static int64_t read_whole(void *src, cak_diag *d, int i, int64_t from, int64_t chunk, real *out)
{
    source *s = src;
    int t = s->clip[i].track;
    cak_reader **r = &s->whole[t];
    if (!*r || s->whole_at[t] != from) {
        cak_reader_close(*r);
        *r = cak_reader_open(d, s->corpus.track[t].path, &s->corpus.track[t].scan, (int)s->attr->rate, from);
    }
    if (!*r) return -1;
    int64_t n = cak_reader_read(*r, d, chunk, out);
    s->whole_at[t] = from + n;
    if (n < chunk) cak_reader_close(*r), *r = NULL;
    return n;
}

static void close_source(void *src)
{
    source *s = src;
    for (int t = 0; t < s->corpus.n; t++) cak_reader_close(s->whole[t]);
}

#define ROW(field, k, ...)                                                           \
    {                                                                                \
        .name = #field, .kind = k, .offset = offsetof(load_attr, field), __VA_ARGS__ \
    }
static const char *const crops[] = { "centre", "start", "end", NULL };
static const char *const pads[] = { "end", "start", "both", NULL };
static const char *const policies[] = { "fail", "skip", NULL };
static const cak_attr attrs[] = {
    ROW(path, CAK_TEXT, .required = true,
        .doc = "a sound file, a folder (searched recursively) or a list of files (.txt, .m3u); relative to the configuration"),
    ROW(rate, CAK_INT, .def = 44100, .min = CAK_SOUND_MIN_RATE, .max = CAK_SOUND_MAX_RATE, .unit = "Hz",
        .doc = "sample rate; others are converted by libsoxr (HQ)"),
    ROW(seconds, CAK_NUM, .def = 15, .min = 0.001, .max = 3600, .unit = "s", .doc = "length of a clip"),
    ROW(crop, CAK_ENUM, .choices = crops, .doc = "part taken from a longer file"),
    ROW(pad, CAK_ENUM, .choices = pads, .doc = "where zeros go when a file is shorter"),
    ROW(fade_s, CAK_NUM, .def = 2, .min = 0, .max = 3600, .unit = "s", .doc = "linear ramps at both ends of the clip"),
    ROW(segments, CAK_INT, .min = 0, .max = 1e7,
        .doc = "cut the files into so many clips in all, evenly spread over the files and within each; 0: one clip per file"),
    ROW(max_files, CAK_INT, .min = 0, .max = 1e7, .doc = "use the first files in sorted order; 0: all"),
    ROW(on_bad_file, CAK_ENUM, .choices = policies, .doc = "stop, or leave the file out"),
    ROW(min_samples, CAK_INT, .def = 2560, .min = 1, .max = 1e9, .unit = "samples", .doc = "shorter files are bad"),
    ROW(max_seconds, CAK_NUM, .def = 14400, .min = 0.001, .max = 86400, .unit = "s", .doc = "longer files are bad"),
    { .kind = CAK_END },
};
static const cak_port ports_in[] = { { 0 } };
static const cak_port ports_out[] = { { "clips", "sound [B,N]", false }, { 0 } };
static const cak_stage_ops ops = {
    .open_source = open_source, .read_clip = read_clip, .read_whole = read_whole, .close_source = close_source
};
CAK_NODE(load_audio) = {
    .name = "load_audio",
    .doc = "clips of sound files: WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF; any rate, any number of channels, mixed to mono",
    .formula = "mean of channels; resample; crop or pad; fade in and out",
    .in = ports_in,
    .out = ports_out,
    .attr = attrs,
    .attr_size = sizeof(load_attr),
    .stage = &ops,
};
