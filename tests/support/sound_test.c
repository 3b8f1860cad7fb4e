/* Writes sound files with libsndfile; reads stage attributes. */
#include "tests/support/sound_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/config.h"

static char *path_of(const char *dir, const char *name)
{
    static char path[8][512];
    static int k;
    char *p = path[k++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static SNDFILE *create(const char *path, int format, int rate, int channels)
{
    SF_INFO info = { .samplerate = rate, .channels = channels, .format = format };
    SNDFILE *f = sf_open(path, SFM_WRITE, &info);
    ck_assert_msg(f != NULL, "%s: %s", path, sf_strerror(NULL));
    return f;
}

const char *write_sound(const char *dir, const sound_spec *s)
{
    enum { BLOCK = 1024, MAX_CHANNELS = 8 };
    float x[BLOCK * MAX_CHANNELS];
    const char *path = path_of(dir, s->name);
    int rate = s->rate ? s->rate : 44100, channels = s->channels ? s->channels : 1;
    long n = lround(s->seconds * rate);
    double hz = s->hz != 0 ? s->hz : 440, level = s->level < 0 ? 0 : s->level > 0 ? s->level : 0.25;
    SNDFILE *f = create(path, s->format ? s->format : SF_FORMAT_WAV | SF_FORMAT_PCM_16, rate, channels);
    for (long t = 0; t < n; t += BLOCK) {
        long m = n - t < BLOCK ? n - t : BLOCK;
        for (long i = 0; i < m; i++)
            for (int c = 0; c < channels; c++)
                x[i * channels + c] = (float)(level * sin(2 * M_PI * hz * (c + 1) * (double)(t + i) / rate));
        ck_assert_int_eq(sf_writef_float(f, x, m), m);
    }
    sf_close(f);
    return path;
}

const char *write_samples(const char *dir, const char *name, int rate, const float *x, int n)
{
    const char *path = path_of(dir, name);
    SNDFILE *f = create(path, SF_FORMAT_WAV | SF_FORMAT_FLOAT, rate, 1);
    ck_assert_int_eq(sf_writef_float(f, x, n), n);
    sf_close(f);
    return path;
}

const char *write_bytes(const char *dir, const char *name, const void *data, size_t n)
{
    const char *path = path_of(dir, name);
    FILE *f = fopen(path, "wb");
    ck_assert(f && fwrite(data, 1, n, f) == n);
    fclose(f);
    return path;
}

void cut_file(const char *path, double part)
{
    struct stat st;
    ck_assert(stat(path, &st) == 0 && truncate(path, (off_t)((double)st.st_size * part)) == 0);
}

const void *stage_attr(cak_arena *a, cak_diag *d, const cak_node *node, const char *yaml)
{
    void *attr = cak_arena_alloc(a, node->attr_size);
    cak_yaml *map = cak_yaml_parse(a, d, "test", yaml, strlen(yaml));
    bool ok = map && cak_config_read(a, d, map, node->attr, attr, node->name, NULL, NULL);
    if (!ok) cak_diag_print(d, stderr);
    ck_assert(ok);
    return attr;
}

opened_sounds open_sounds(const char *dir, const char *yaml)
{
    const cak_node *node = &cak_node_load_audio;
    opened_sounds o = { .a = cak_arena_open("test"), .d = cak_diag_open() };
    o.src = node->stage->open_source(o.a, o.d, stage_attr(o.a, o.d, node, yaml), CAK_NOWHERE, dir, &o.info);
    return o;
}

void close_sounds(opened_sounds *o)
{
    if (o->src) cak_node_load_audio.stage->close_source(o->src);
    cak_diag_close(o->d);
    cak_arena_close(o->a);
}

void expect_sounds(const opened_sounds *o)
{
    if (!o->src) cak_diag_print(o->d, stderr);
    ck_assert_ptr_nonnull(o->src);
    ck_assert_int_eq(cak_diag_errors(o->d), 0);
}

void expect_no_sounds(const opened_sounds *o, cak_code code, const char *text)
{
    ck_assert_ptr_null(o->src);
    ck_assert_int_eq(cak_diag_errors(o->d), 1);
    ck_assert_msg(cak_diag_code(o->d, 0) == code && strstr(cak_diag_message(o->d, 0), text), "%s, expected %s: %s",
                  cak_diag_message(o->d, 0), cak_code_name(code), text);
}

real *read_clip(opened_sounds *o, int i)
{
    real *x = cak_arena_alloc(o->a, (size_t)o->info.length * sizeof *x);
    ck_assert(cak_node_load_audio.stage->read_clip(o->src, o->d, i, x));
    return x;
}
