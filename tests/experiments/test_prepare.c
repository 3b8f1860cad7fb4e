/* Data preparation: statistics, cache, chain, loaders, errors. */
#include "experiments/prepare.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/io.h"
#include "graph/par.h"
#include "graph/safetensors.h"
#include "tests/support/sound_test.h"

typedef struct opened { /* one preparation */
    cak_arena *a;
    cak_diag *d;
    cak_yaml *tree;
    cak_data *x;
} opened;

static opened parse(const char *yaml)
{
    opened o = { .a = cak_arena_open("test"), .d = cak_diag_open() };
    o.tree = cak_yaml_parse(o.a, o.d, "test.yaml", yaml, strlen(yaml));
    ck_assert_ptr_nonnull(o.tree);
    return o;
}

static opened open_data(const char *yaml, const char *base, const char *cache)
{
    opened o = parse(yaml);
    o.x = cak_data_open(o.d, o.tree, base, 1, &(cak_data_options){ .cache_dir = cache, .progress = CAK_PROGRESS_NONE });
    return o;
}

static void expect_open(const opened *o)
{
    if (!o->x) cak_diag_print(o->d, stderr);
    ck_assert_ptr_nonnull(o->x);
    ck_assert_int_eq(cak_diag_errors(o->d), 0);
}

static void close_all(opened *o)
{
    cak_data_close(o->x);
    cak_diag_close(o->d);
    cak_arena_close(o->a);
}

static real *whole_clip(opened *o, int i)
{
    const cak_shape *s = &o->x->prepared.shape;
    real *x = cak_arena_alloc(o->a, (size_t)cak_shape_size(s) * sizeof *x);
    ck_assert(o->x->prepared.read(o->x->prepared.ctx, o->d, i, 0, s->dim[1], 0, s->dim[2], x));
    return x;
}

/* Number of files in a directory whose name ends in `suffix`. */
static int count_files(const char *dir, const char *suffix)
{
    cak_arena *a = cak_arena_open("test");
    cak_diag *d = cak_diag_open();
    int n, found = 0;
    const cak_io_entry *e = cak_io_list(a, d, dir, &n);
    for (int i = 0; i < n; i++) {
        size_t len = strlen(e[i].name), m = strlen(suffix);
        found += len >= m && !strcmp(e[i].name + len - m, suffix);
    }
    cak_diag_close(d);
    cak_arena_close(a);
    return found;
}

#define SOURCE "clips: {type: synth, count: 6, seconds: 0.5, rate: 16000, seed: 1}\n"
#define CHAIN "s: {type: stft, inputs: [clips], n_fft: 256, hop: 128, win: 256}\nm: {type: magnitude, inputs: [s]}\n"
#define AUTO "x: {type: normalise, inputs: [m]}\n"
#define LOADER "batch: {type: pair_loader, inputs: [x], batch: 4}\n"

/* ---- the whole way ---- */

/* One bin of the chain by hand: Hann window, DFT, magnitude; then the formula of the normalisation with the numbers in the tree. */
START_TEST(values)
{
    opened o = open_data(SOURCE CHAIN AUTO LOADER, ".", temp_dir());
    expect_open(&o);
    const cak_shape *shape = &o.x->prepared.shape;
    ck_assert(o.x->prepared.n == 6 && shape->dim[0] == 1 && shape->dim[1] == 129 && shape->dim[2] == 63);
    real wave[8000];
    ck_assert(o.x->source_ops->read_clip(o.x->src, o.d, 2, wave));
    const real *x = whole_clip(&o, 2);
    double low = o.x->stats[0].low, high = o.x->stats[0].high;
    for (int t = 5; t < 60; t += 11)
        for (int f = 1; f < 128; f += 13) {
            double re = 0, im = 0;
            for (int i = 0; i < 256; i++) {
                double v = (0.5 - 0.5 * cos(2 * M_PI * i / 256)) * (double)wave[t * 128 - 128 + i];
                re += v * cos(2 * M_PI * f * i / 256), im -= v * sin(2 * M_PI * f * i / 256);
            }
            double level = (log1p(10 * sqrt(hypot(re, im))) - low) / (high - low + 1e-8);
            double want = pow(fmin(1, fmax(0, level)), 0.85);
            ck_assert_msg(fabs((double)x[f * 63 + t] - want) < 1e-5, "bin %d frame %d: %g, expected %g", f, t,
                          (double)x[f * 63 + t], want);
        }
    close_all(&o);
}
END_TEST

/* The loader sees windows of what the whole clips hold. */
START_TEST(windows)
{
    opened o = open_data(SOURCE CHAIN AUTO LOADER, ".", temp_dir());
    expect_open(&o);
    const real *x = whole_clip(&o, 3);
    real window[20 * 30];
    static const int places[][4] = { { 0, 20, 0, 30 }, { 109, 20, 33, 30 }, { 7, 9, 0, 63 }, { 128, 1, 62, 1 } };
    for (int k = 0; k < 4; k++) {
        const int *p = places[k];
        ck_assert(o.x->prepared.read(o.x->prepared.ctx, o.d, 3, p[0], p[1], p[2], p[3], window));
        for (int r = 0; r < p[1]; r++)
            ck_assert(!memcmp(window + r * p[3], x + (p[0] + r) * 63 + p[2], (size_t)p[3] * sizeof *x));
    }
    close_all(&o);
}
END_TEST

/* ---- statistics ---- */

static int by_level(const void *x, const void *y)
{
    return (*(const float *)x > *(const float *)y) - (*(const float *)x < *(const float *)y);
}

/* The same percentiles from all sorted levels; they may differ by the width of a bin. */
START_TEST(percentiles)
{
    opened o = open_data(SOURCE CHAIN "x: {type: normalise, inputs: [m], percentiles: [10, 90], low: null, high: auto}\n" LOADER,
                         ".", temp_dir()),
           raw = open_data(SOURCE CHAIN "batch: {type: pair_loader, inputs: [m], batch: 4}\n", ".", temp_dir());
    expect_open(&o);
    expect_open(&raw);
    enum { N = 6 * 129 * 63 };
    static float level[N];
    for (int i = 0; i < 6; i++) {
        const real *m = whole_clip(&raw, i);
        for (int k = 0; k < 129 * 63; k++) level[i * 129 * 63 + k] = (float)log1p(10 * sqrt((double)m[k]));
    }
    qsort(level, N, sizeof *level, by_level);
    const cak_data_stats *s = &o.x->stats[0];
    double width = (s->range[1] - s->range[0]) / 10000;
    ck_assert(o.x->n_stats == 1 && s->files == 6 && s->count == N);
    ck_assert(fabs(s->range[1] - ((double)level[N - 1] + 2)) < 1 && width < 1e-2); /* five of the six files tell it */
    ck_assert(s->low <= (double)level[N / 10 - 1] && s->low > (double)level[N / 10 - 1] - 1.01 * width);
    ck_assert(s->high <= (double)level[N * 9 / 10 - 1] && s->high > (double)level[N * 9 / 10 - 1] - 1.01 * width);
    double low, high; /* the tree holds the numbers, exactly */
    ck_assert(cak_config_num(o.d, cak_yaml_path(o.tree, "x.low"), &low) &&
              cak_config_num(o.d, cak_yaml_path(o.tree, "x.high"), &high));
    ck_assert(low == s->low && high == s->high);
    close_all(&o);
    close_all(&raw);
}
END_TEST

START_TEST(given_numbers_stay)
{
    opened o = open_data(SOURCE CHAIN "x: {type: normalise, inputs: [m], low: 0.5}\n" LOADER, ".", temp_dir());
    expect_open(&o);
    double low;
    ck_assert(cak_config_num(o.d, cak_yaml_path(o.tree, "x.low"), &low) && low == 0.5);
    ck_assert_int_eq(o.x->n_stats, 1);
    close_all(&o);
    o = open_data(SOURCE CHAIN "x: {type: normalise, inputs: [m], low: 0.5, high: 3}\n" LOADER, ".", temp_dir());
    expect_open(&o);
    ck_assert_int_eq(o.x->n_stats, 0);
    close_all(&o);
}
END_TEST

/* Whole files count, not the clips: a file longer than a chunk and than its clip. Segments of one file count once. */
START_TEST(whole_files)
{
    const char *dir = temp_dir();
    write_sound(dir, &(sound_spec){ .name = "a.wav", .rate = 8000, .seconds = 31 });
    write_sound(dir, &(sound_spec){ .name = "b.wav", .rate = 8000, .seconds = 1 });
    opened o =
        open_data("clips: {type: load_audio, path: ., rate: 8000, seconds: 0.5, fade_s: 0, segments: 8}\n" CHAIN AUTO LOADER, dir,
                  temp_dir());
    expect_open(&o);
    ck_assert_int_eq(o.x->prepared.n, 8);
    ck_assert_int_eq(o.x->stats[0].files, 2);
    ck_assert_uint_eq(o.x->stats[0].count, 129 * ((1 + 240000 / 128) + 2 * (1 + 8000 / 128)));
    close_all(&o);
}
END_TEST

/* ---- cache ---- */

START_TEST(second_time)
{
    const char *cache = temp_dir();
    char digest[33], path[512];
    opened o = open_data(SOURCE CHAIN AUTO LOADER, ".", cache);
    expect_open(&o);
    ck_assert(!o.x->cached);
    snprintf(digest, sizeof digest, "%s", o.x->digest);
    snprintf(path, sizeof path, "%s", o.x->cache_path);
    real *first = cak_heap_alloc(6 * 129 * 63 * sizeof *first, "test");
    for (int i = 0; i < 6; i++) memcpy(first + i * 129 * 63, whole_clip(&o, i), 129 * 63 * sizeof *first);
    close_all(&o);
    o = open_data(SOURCE CHAIN AUTO LOADER, ".", cache);
    expect_open(&o);
    ck_assert(o.x->cached);
    ck_assert_str_eq(o.x->digest, digest);
    for (int i = 0; i < 6; i++) ck_assert(!memcmp(first + i * 129 * 63, whole_clip(&o, i), 129 * 63 * sizeof *first));
    cak_yaml *resolved = cak_yaml_clone(o.a, o.tree); /* the saved configuration, with its numbers, finds the same file */
    cak_data *again = cak_data_open(o.d, resolved, ".", 1, &(cak_data_options){ cache, CAK_PROGRESS_NONE });
    ck_assert(again && again->cached && !strcmp(again->digest, digest) && !again->n_stats);
    cak_data_close(again);
    close_all(&o);
    ck_assert_int_eq(count_files(cache, CAK_REAL_NAME), 1);
    ck_assert_int_eq(count_files(cache, ".stats"), 1);
    cak_heap_free(first);
}
END_TEST

/* Bits do not depend on the number of threads. */
START_TEST(threads)
{
    real *one = cak_heap_alloc(6 * 129 * 63 * sizeof *one, "test");
    for (int n = 1; n <= 3; n++) {
        cak_threads_set(n);
        opened o = open_data(SOURCE CHAIN AUTO LOADER, ".", temp_dir());
        expect_open(&o);
        for (int i = 0; i < 6; i++) {
            if (n == 1) memcpy(one + i * 129 * 63, whole_clip(&o, i), 129 * 63 * sizeof *one);
            else ck_assert(!memcmp(one + i * 129 * 63, whole_clip(&o, i), 129 * 63 * sizeof *one));
        }
        close_all(&o);
    }
    cak_threads_set(2);
    cak_heap_free(one);
}
END_TEST

/* Any change of sounds or chain makes another file; the loader's attributes do not. */
START_TEST(digests)
{
    static const struct {
        const char *yaml;
        bool same;
    } cases[] = {
        { SOURCE CHAIN AUTO "batch: {type: pair_loader, inputs: [x], batch: 2, crop_f: 8}\n", true },
        { "# words\n" SOURCE CHAIN AUTO LOADER, true },
        { SOURCE CHAIN "x: {type: normalise, inputs: [m], gamma: 0.9}\n" LOADER, false },
        { SOURCE
          "s: {type: stft, inputs: [clips], n_fft: 256, hop: 64, win: 256}\nm: {type: magnitude, inputs: [s]}\n" AUTO LOADER,
          false },
        { "clips: {type: synth, count: 6, seconds: 0.5, rate: 16000, seed: 2}\n" CHAIN AUTO LOADER, false },
        { "clips: {type: synth, count: 7, seconds: 0.5, rate: 16000, seed: 1}\n" CHAIN AUTO LOADER, false },
    };
    const char *cache = temp_dir();
    char digest[33];
    opened o = open_data(SOURCE CHAIN AUTO LOADER, ".", cache);
    expect_open(&o);
    snprintf(digest, sizeof digest, "%s", o.x->digest);
    close_all(&o);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        o = open_data(cases[i].yaml, ".", cache);
        expect_open(&o);
        ck_assert_msg(!strcmp(digest, o.x->digest) == cases[i].same && o.x->cached == cases[i].same, "case %zu", i);
        close_all(&o);
    }
}
END_TEST

/* A file of the corpus that changes is noticed, even at the same size. */
START_TEST(changed_sounds)
{
    const char *dir = temp_dir(), *cache = temp_dir();
    static const char yaml[] = "clips: {type: load_audio, path: ., rate: 8000, seconds: 0.5, fade_s: 0}\n" CHAIN AUTO LOADER;
    for (int round = 0; round < 4; round++) {
        write_sound(dir, &(sound_spec){ .name = "a.wav", .rate = 8000, .seconds = 1 });
        write_sound(dir, &(sound_spec){ .name = "b.wav", .rate = 8000, .seconds = 1, .hz = round < 2 ? 300 : 310 });
        opened o = open_data(yaml, dir, cache);
        expect_open(&o);
        ck_assert_int_eq(o.x->cached, round % 2); /* rewritten with the same bytes in rounds 1 and 3 */
        close_all(&o);
    }
}
END_TEST

static void damage(const char *path, long at)
{
    FILE *f = fopen(path, "r+b");
    fseek(f, at, at < 0 ? SEEK_END : SEEK_SET);
    int c = fgetc(f);
    fseek(f, -1, SEEK_CUR);
    fputc(c ^ 1, f);
    fclose(f);
}

/* A damaged cache file is named in a warning and made again; so are statistics. */
START_TEST(damaged_cache)
{
    const char *cache = temp_dir();
    char path[512], text[1000];
    opened o = open_data(SOURCE CHAIN AUTO LOADER, ".", cache);
    expect_open(&o);
    snprintf(path, sizeof path, "%s", o.x->cache_path);
    close_all(&o);
    static const struct {
        long at; /* damaged byte, 0: cut */
        const char *warning;
    } cases[] = { { 1, "not a cache file" }, { 9, "made for something else" }, { 53, "bad header" },     { 95, "damaged header" },
                  { 200, "damaged header" }, { 5000, "damaged values" },       { -1, "damaged values" }, { 0, "wrong size" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stat st;
        ck_assert_int_eq(stat(path, &st), 0);
        if (cases[i].at) damage(path, cases[i].at);
        else ck_assert_int_eq(truncate(path, st.st_size - 1), 0);
        o = open_data(SOURCE CHAIN AUTO LOADER, ".", cache);
        expect_open(&o);
        ck_assert(!o.x->cached);
        memset(text, 0, sizeof text);
        FILE *f = fmemopen(text, sizeof text - 1, "w");
        cak_diag_print(o.d, f);
        fclose(f);
        ck_assert_msg(strstr(text, cases[i].warning) && strstr(text, path), "case %zu: %s", i, text);
        close_all(&o);
        o = open_data(SOURCE CHAIN AUTO LOADER, ".", cache);
        expect_open(&o);
        ck_assert(o.x->cached);
        close_all(&o);
    }
    ck_assert_int_eq(truncate(path, 20), 0);
    o = open_data(SOURCE CHAIN AUTO LOADER, ".", cache);
    expect_open(&o);
    ck_assert(!o.x->cached);
    close_all(&o);
}
END_TEST

START_TEST(damaged_statistics)
{
    const char *cache = temp_dir();
    opened o = open_data(SOURCE CHAIN AUTO LOADER, ".", cache);
    expect_open(&o);
    double low = o.x->stats[0].low;
    int n;
    const cak_io_entry *e = cak_io_list(o.a, o.d, cache, &n);
    for (int i = 0; i < n; i++)
        if (strstr(e[i].name, ".stats")) write_bytes(cache, e[i].name, "cak-stats 1 0x1p+0 0x", 21);
    close_all(&o);
    o = open_data(SOURCE CHAIN AUTO LOADER, ".", cache);
    expect_open(&o);
    ck_assert(o.x->stats[0].low == low && o.x->cached);
    close_all(&o);
}
END_TEST

/* ---- controls, reports ---- */

START_TEST(features)
{
    const char *cache = temp_dir();
    static const char loader[] =
        "batch: {type: pair_loader, inputs: [x], control_dist: feature, feature: flatness, control_lo: 0}\n";
    char yaml[1000];
    snprintf(yaml, sizeof yaml, "%s%s", SOURCE CHAIN AUTO, loader);
    for (int round = 0; round < 2; round++) {
        opened o = open_data(yaml, ".", cache);
        expect_open(&o);
        const double *f = o.x->prepared.feature;
        ck_assert_ptr_nonnull(f);
        for (int i = 0; i < 6; i++)
            if (i < 2) ck_assert(f[i] < f[2]); /* sine and chirp against noise */
        close_all(&o);
    }
    opened o = open_data(SOURCE CHAIN AUTO LOADER, ".", cache);
    ck_assert_ptr_null(o.x->prepared.feature);
    close_all(&o);
}
END_TEST

START_TEST(json)
{
    const char *dir = temp_dir();
    write_sound(dir, &(sound_spec){ .name = "a \"b\".wav", .rate = 8000, .seconds = 1 });
    write_sound(dir, &(sound_spec){ .name = "c.wav", .rate = 8000, .seconds = 1, .hz = 100 });
    write_bytes(dir, "d.wav", "", 0);
    opened o = open_data(
        "clips: {type: load_audio, path: ., rate: 8000, seconds: 0.5, fade_s: 0, on_bad_file: skip}\n" CHAIN AUTO LOADER, dir,
        temp_dir());
    expect_open(&o);
    const char *text = cak_data_json(o.x, o.a);
    static const char *const want[] = { "\"a \\\"b\\\".wav\"",   "\"d.wav: the file is empty\"",
                                        "\"control\": 0.67548",  "\"clips\": 2",
                                        "\"distinct_pairs\": 1", "\"node\": \"x\"",
                                        "\"batch\": 4",          "\"cache\": \"" };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        ck_assert_msg(strstr(text, want[i]) != NULL, "%s not in\n%s", want[i], text);
    close_all(&o);
}
END_TEST

static const char *save_tensors(const char *dir, float first)
{
    char path[512];
    float x[6] = { first, 1, 2, 3, 4, 5 };
    cak_tensor t = { "input", "F32", CAK_SHAPE(3, 2), x, sizeof x };
    cak_diag *d = cak_diag_open();
    snprintf(path, sizeof path, "%s/t.safetensors", dir);
    ck_assert(cak_tensors_save(d, path, &t, 1, NULL, 0));
    cak_diag_close(d);
    return dir;
}

/* A loader without source: no cache is needed; the file's bytes are in the digest. */
START_TEST(tensors_alone)
{
    const char *dir = temp_dir(), *cache = temp_dir();
    char digest[33] = "";
    for (int round = 0; round < 2; round++) {
        opened o = open_data("batch: {type: tensors, path: t.safetensors, batch: 2}\n", save_tensors(dir, (float)round), cache);
        expect_open(&o);
        ck_assert(o.x->info.items == 3 && o.x->info.n_ports == 1 && !o.x->source_node && !cak_data_pairs(o.x));
        ck_assert_str_ne(o.x->digest, digest);
        snprintf(digest, sizeof digest, "%s", o.x->digest);
        ck_assert_ptr_nonnull(strstr(cak_data_json(o.x, o.a), "\"items\": 3"));
        close_all(&o);
    }
    ck_assert_int_eq(count_files(cache, ""), 0);
}
END_TEST

/* ---- shapes only, errors ---- */

START_TEST(describe)
{
    opened o = parse("clips: {type: load_audio, path: /nowhere, rate: 8000, seconds: 2}\n" CHAIN AUTO
                     "batch: {type: pair_loader, inputs: [x], batch: 4, crop_f: 16}\n");
    cak_loader_info info;
    ck_assert(cak_data_describe(o.a, o.d, o.tree, "/nowhere", &info));
    ck_assert(info.batch == 4 && info.items == 4 && info.n_ports == 3);
    ck_assert(info.port[0].shape.dim[1] == 16 && info.port[0].shape.dim[2] == 126);
    ck_assert_ptr_null(cak_yaml_path(o.tree, "x.low")); /* the tree is as before */
    close_all(&o);
}
END_TEST

typedef struct mistake {
    const char *yaml;
    cak_code code;
    const char *text;
    int line;
} mistake;
static const mistake mistakes[] = {
    { "[a]", CAK_E1201, "must be a mapping of nodes", 1 },
    { SOURCE CHAIN AUTO, CAK_E1204, "no loader", 1 },
    { CHAIN AUTO LOADER, CAK_E1204, "no source", 1 },
    { SOURCE "more: {type: synth}\n" CHAIN AUTO LOADER, CAK_E3004, "'more' is a second source", 2 },
    { SOURCE CHAIN AUTO LOADER "more: {type: tensors, path: x}\n", CAK_E3004, "'more' is a second loader", 6 },
    { SOURCE CHAIN AUTO "batch: {type: pair_loader, batch: 4}\n", CAK_E3004, "pair_loader takes 1 input, got 0", 5 },
    { SOURCE CHAIN AUTO "batch: {type: pair_loader, inputs: [x, m]}\n", CAK_E3004, "pair_loader takes 1 input, got 2", 5 },
    { SOURCE CHAIN AUTO "batch: {type: pair_loader, inputs: x}\n", CAK_E1201, "`inputs` must be a list", 5 },
    { SOURCE CHAIN AUTO "batch: {type: pair_loader, inputs: [[x]]}\n", CAK_E1201, "an input is a name", 5 },
    { "clips: {type: synth, inputs: [x]}\n" CHAIN AUTO LOADER, CAK_E3004, "synth takes no inputs", 1 },
    { SOURCE CHAIN AUTO "batch: {type: pair_loader, inputs: [x], bach: 4}\n", CAK_E1203, "did you mean 'batch'", 5 },
    { "clips: {type: synth, count: 0}\n" CHAIN AUTO LOADER, CAK_E1202, "integer in [1, 1000000]", 1 },
    { "clips: {type: load_audio}\n" CHAIN AUTO LOADER, CAK_E1204, "path", 1 },
    { SOURCE CHAIN "x: {type: normalize, inputs: [m]}\n" LOADER, CAK_E3001, "did you mean 'normalise'", 4 },
    { SOURCE CHAIN AUTO "batch: {type: pair_loader, inputs: [y]}\n", CAK_E3002, "'y' does not exist", 5 },
    { SOURCE CHAIN "x: {type: normalise, inputs: [m], gama: 1}\n" LOADER, CAK_E1203, "gama", 4 },
    { SOURCE CHAIN AUTO "loose: {type: exp, inputs: [absent]}\n" LOADER, CAK_E3002, "'absent' does not exist", 5 },
    { SOURCE "x: {type: sum, inputs: [clips]}\n" LOADER, CAK_E2004, "the chain gives [] for one clip", 3 },
    { SOURCE CHAIN "x: {type: linear, out: 3, inputs: [m]}\n" LOADER, CAK_E3005, "", 4 },
    { SOURCE CHAIN AUTO "batch: {type: pair_loader, inputs: [x], crop_f: 130}\n", CAK_E2004, "a window of 130", 5 },
};

START_TEST(errors_in_the_section)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const mistake *m = &mistakes[i];
        opened o = parse(m->yaml);
        cak_loader_info info;
        ck_assert_msg(!cak_data_describe(o.a, o.d, o.tree, ".", &info), "case %zu", i);
        if (cak_diag_errors(o.d) != 1) cak_diag_print(o.d, stderr);
        ck_assert_msg(cak_diag_errors(o.d) == 1, "case %zu", i);
        ck_assert_msg(cak_diag_code(o.d, 0) == m->code && strstr(cak_diag_message(o.d, 0), m->text) &&
                          cak_diag_pos(o.d, 0).line == m->line,
                      "case %zu: line %d: %s [%s]", i, cak_diag_pos(o.d, 0).line, cak_diag_message(o.d, 0),
                      cak_code_name(cak_diag_code(o.d, 0)));
        close_all(&o);
        o = open_data(m->yaml, ".", temp_dir());
        ck_assert_ptr_null(o.x);
        ck_assert_int_eq(cak_diag_code(o.d, 0), m->code);
        close_all(&o);
    }
}
END_TEST

static void expect_error(opened *o, cak_code code, const char *text)
{
    ck_assert_ptr_null(o->x);
    ck_assert_msg(cak_diag_errors(o->d) && cak_diag_code(o->d, 0) == code && strstr(cak_diag_message(o->d, 0), text), "%s",
                  cak_diag_errors(o->d) ? cak_diag_message(o->d, 0) : "no error");
    close_all(o);
}

START_TEST(errors_of_the_data)
{
    const char *dir = temp_dir(), *cache = temp_dir();
    opened o = open_data("clips: {type: load_audio, path: absent}\n" CHAIN AUTO LOADER, dir, cache);
    expect_error(&o, CAK_E2001, "absent: No such file");
    o = open_data("clips: {type: synth, count: 1}\n" CHAIN AUTO LOADER, dir, cache);
    expect_error(&o, CAK_E2004, "at least 2 clips");
    o = open_data(SOURCE CHAIN "x: {type: normalise, inputs: [m], percentiles: [5]}\n" LOADER, dir, cache);
    expect_error(&o, CAK_E1202, "`percentiles`");
    o = open_data(SOURCE CHAIN "x: {type: normalise, inputs: [m], percentiles: [50, 50.0001]}\n" LOADER, dir, cache);
    expect_error(&o, CAK_E2004, "one level only");
    o = open_data(SOURCE CHAIN "x: {type: normalise}\n" LOADER, dir, cache);
    expect_error(&o, CAK_E3004, "normalise needs input 'x'");
    o = open_data("clips: {type: synth, count: 4, seconds: 0.1, rate: 16000}\n" CHAIN AUTO LOADER, dir, cache);
    expect_error(&o, CAK_E2004, "no levels");
    o = open_data(SOURCE CHAIN AUTO "batch: {type: pair_loader, inputs: [x], control_dist: feature}\n", dir, cache);
    expect_error(&o, CAK_E1204, "needs `feature`");
}
END_TEST

/* A write that fails leaves nothing behind. */
START_TEST(full_disk)
{
    const char *cache = temp_dir();
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){ 100000, old.rlim_max }; /* bytes; the cache file needs twice as many */
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    opened o = open_data(SOURCE CHAIN AUTO LOADER, ".", cache);
    setrlimit(RLIMIT_FSIZE, &old);
    expect_error(&o, CAK_E4001, "cannot write ");
    ck_assert_int_eq(count_files(cache, ""), 1); /* the statistics */
    ck_assert_int_eq(count_files(cache, ".stats"), 1);
    o = open_data(SOURCE CHAIN AUTO LOADER, ".", cache);
    expect_open(&o);
    close_all(&o);
}
END_TEST

START_TEST(cache_places)
{
    char path[512];
    const char *dir = temp_dir(), *cache = temp_dir();
    write_sound(dir, &(sound_spec){ .name = "a.wav", .rate = 8000, .seconds = 1 });
    snprintf(path, sizeof path, "%s/file", cache);
    write_bytes(cache, "file", "x", 1);
    opened o = open_data(SOURCE CHAIN AUTO LOADER, dir, path); /* the cache directory is a file */
    expect_error(&o, CAK_E4001, path);
    unsetenv("XDG_CACHE_HOME");
    char *home = getenv("HOME"), kept[512];
    snprintf(kept, sizeof kept, "%s", home ? home : "/");
    setenv("HOME", cache, 1);
    o = open_data(SOURCE CHAIN AUTO LOADER, dir, NULL);
    expect_open(&o);
    snprintf(path, sizeof path, "%s/.cache/cak/", cache);
    ck_assert(!strncmp(o.x->cache_path, path, strlen(path)));
    close_all(&o);
    setenv("XDG_CACHE_HOME", dir, 1);
    o = open_data(SOURCE CHAIN AUTO LOADER, dir, NULL);
    expect_open(&o);
    snprintf(path, sizeof path, "%s/cak/", dir);
    ck_assert(!strncmp(o.x->cache_path, path, strlen(path)));
    ck_assert_int_eq(count_files(path, CAK_REAL_NAME), 1);
    close_all(&o);
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", kept, 1);
}
END_TEST

SUITE(prepare, values, windows, percentiles, given_numbers_stay, whole_files, second_time, threads, digests, changed_sounds,
      damaged_cache, damaged_statistics, features, json, tensors_alone, describe, errors_in_the_section, errors_of_the_data,
      full_disk, cache_places)
