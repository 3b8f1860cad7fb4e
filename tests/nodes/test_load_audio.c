/* load_audio: formats, rates, cropping, segments, bad files. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/build.h"
#include "graph/io.h"
#include "nodes/audio/lib_corpus.h"
#include "tests/support/sound_test.h"

extern const cak_node cak_node_load_audio;
static const cak_node *const node = &cak_node_load_audio;

typedef struct opened { /* a source of one test */
    cak_arena *a;
    cak_diag *d;
    cak_source_info info;
    void *src;
} opened;

static opened open_dir(const char *dir, const char *yaml)
{
    opened o = { .a = cak_arena_open("test"), .d = cak_diag_open() };
    o.src = node->stage->open_source(o.a, o.d, stage_attr(o.a, o.d, node, yaml), CAK_NOWHERE, dir, &o.info);
    return o;
}

static void close_all(opened *o)
{
    if (o->src) node->stage->close_source(o->src);
    cak_diag_close(o->d);
    cak_arena_close(o->a);
}

static void expect_open(const opened *o)
{
    if (!o->src) cak_diag_print(o->d, stderr);
    ck_assert_ptr_nonnull(o->src);
    ck_assert_int_eq(cak_diag_errors(o->d), 0);
}

static real *read_clip(opened *o, int i)
{
    real *x = cak_arena_alloc(o->a, (size_t)o->info.length * sizeof *x);
    ck_assert(node->stage->read_clip(o->src, o->d, i, x));
    return x;
}

/* Amplitude of a frequency in x[from..to): projection on sine and cosine. */
static double amplitude(const real *x, int64_t from, int64_t to, double hz, double rate)
{
    double s = 0, c = 0;
    for (int64_t i = from; i < to; i++) {
        s += (double)x[i] * sin(2 * M_PI * hz * (double)i / rate);
        c += (double)x[i] * cos(2 * M_PI * hz * (double)i / rate);
    }
    return 2 * hypot(s, c) / (double)(to - from);
}

/* Exactly one error, with this code and this text in it. */
static void expect_error(const opened *o, cak_code code, const char *text)
{
    ck_assert_ptr_null(o->src);
    ck_assert_int_eq(cak_diag_errors(o->d), 1);
    ck_assert_msg(cak_diag_code(o->d, 0) == code && strstr(cak_diag_message(o->d, 0), text), "%s, expected %s: %s",
                  cak_diag_message(o->d, 0), cak_code_name(code), text);
}

/* ---- good files ---- */

START_TEST(every_format)
{
    static const sound_spec specs[] = {
        { .name = "a.wav", .seconds = 1 },
        { .name = "b.flac", .format = SF_FORMAT_FLAC | SF_FORMAT_PCM_24, .seconds = 1, .channels = 2 },
        { .name = "c.ogg", .format = SF_FORMAT_OGG | SF_FORMAT_VORBIS, .seconds = 1, .rate = 22050 },
        { .name = "d.opus", .format = SF_FORMAT_OGG | SF_FORMAT_OPUS, .seconds = 1, .rate = 48000, .channels = 2 },
        { .name = "e.mp3", .format = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, .seconds = 1, .channels = 2 },
        { .name = "f.aiff", .format = SF_FORMAT_AIFF | SF_FORMAT_PCM_16, .seconds = 1, .rate = 48000 },
        { .name = "g.wav", .format = SF_FORMAT_WAV | SF_FORMAT_DOUBLE, .seconds = 1, .channels = 4 },
        { .name = "h.wav", .format = SF_FORMAT_WAVEX | SF_FORMAT_PCM_24, .seconds = 1, .rate = 96000 },
        { .name = "i.wav", .format = SF_FORMAT_WAV | SF_FORMAT_PCM_U8, .seconds = 1 },
        { .name = "j.AIF", .format = SF_FORMAT_AIFF | SF_FORMAT_FLOAT, .seconds = 1, .rate = 8000 },
    };
    const int n = sizeof specs / sizeof *specs;
    const char *dir = temp_dir();
    for (int i = 0; i < n; i++) write_sound(dir, &specs[i]);
    opened o = open_dir(dir, "{path: ., seconds: 1, fade_s: 0}");
    expect_open(&o);
    ck_assert_int_eq(o.info.n, n);
    ck_assert_int_eq(o.info.length, 44100);
    for (int i = 0; i < n; i++) {
        int channels = specs[i].channels ? specs[i].channels : 1;
        ck_assert_str_eq(o.info.clip[i].name, specs[i].name);
        ck_assert_int_eq(o.info.clip[i].frames, 44100);
        const real *x = read_clip(&o, i);
        for (int c = 0; c < channels; c++) {
            double got = amplitude(x, 4410, 39690, 440 * (c + 1), 44100);
            ck_assert_msg(fabs(got - 0.25 / channels) < 0.004, "%s: amplitude %g of channel %d", specs[i].name, got, c);
        }
    }
    close_all(&o);
}
END_TEST

/* Resampled or not, a piece read from the middle is the middle of the whole; also for lossy formats. */
START_TEST(seeking)
{
    static const sound_spec specs[] = {
        { .name = "a.wav", .seconds = 6, .rate = 48000 },
        { .name = "b.flac", .format = SF_FORMAT_FLAC | SF_FORMAT_PCM_16, .seconds = 6, .rate = 44100 },
        { .name = "c.ogg", .format = SF_FORMAT_OGG | SF_FORMAT_VORBIS, .seconds = 6, .rate = 44100, .channels = 2 },
        { .name = "d.opus", .format = SF_FORMAT_OGG | SF_FORMAT_OPUS, .seconds = 6, .rate = 48000 },
        { .name = "e.mp3", .format = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, .seconds = 6, .rate = 44100 },
        { .name = "f.wav", .seconds = 6, .rate = 11025 },
    };
    enum { N = 6 * 44100, PIECE = 10007 };
    const char *dir = temp_dir();
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) write_sound(dir, &specs[i]);
    opened o = open_dir(dir, "{path: ., seconds: 1, fade_s: 0}");
    expect_open(&o);
    real *whole = cak_arena_alloc(o.a, N * sizeof *whole), *piece = cak_arena_alloc(o.a, N * sizeof *piece);
    for (int i = 0; i < o.info.n; i++) {
        ck_assert_int_eq(node->stage->read_whole(o.src, o.d, i, 0, N, whole), N);
        ck_assert_int_eq(node->stage->read_whole(o.src, o.d, i, N, PIECE, piece), 0);
        for (int64_t from = 44100; from < N; from += from < 240000 ? 33333 : 2000) {
            int64_t n = node->stage->read_whole(o.src, o.d, i, from, PIECE, piece);
            ck_assert_int_eq(n, from + PIECE < N ? PIECE : N - from);
            for (int64_t k = 0; k < n; k++)
                ck_assert_msg(fabs((double)(piece[k] - whole[from + k])) < 2e-5, "%s at %ld + %ld: %g, expected %g",
                              specs[i].name, (long)from, (long)k, (double)piece[k], (double)whole[from + k]);
        }
        int64_t at = 0; /* and in order, by pieces */
        for (int64_t n; (n = node->stage->read_whole(o.src, o.d, i, at, PIECE, piece)) > 0; at += n)
            ck_assert(!memcmp(piece, whole + at, (size_t)n * sizeof *piece));
        ck_assert_int_eq(at, N);
    }
    close_all(&o);
}
END_TEST

static float ramp[20000];

START_TEST(crop_pad_fade)
{
    const char *dir = temp_dir();
    for (int i = 0; i < 20000; i++) ramp[i] = (float)(i + 1) / 32768;
    write_samples(dir, "long.wav", 8000, ramp, 20000);
    write_samples(dir, "short.wav", 8000, ramp, 3001);
    static const struct {
        const char *yaml;
        int from, before; /* first sample of long.wav, zeros before those of short.wav */
    } cases[] = {
        { "{path: ., rate: 8000, seconds: 1, fade_s: 0}", 6000, 0 },
        { "{path: ., rate: 8000, seconds: 1, fade_s: 0, crop: start, pad: start}", 0, 4999 },
        { "{path: ., rate: 8000, seconds: 1, fade_s: 0, crop: end, pad: both}", 12000, 2499 },
    };
    for (int k = 0; k < 3; k++) {
        opened o = open_dir(dir, cases[k].yaml);
        expect_open(&o);
        const real *x = read_clip(&o, 0), *y = read_clip(&o, 1);
        for (int i = 0; i < 8000; i++) {
            int j = i - cases[k].before;
            ck_assert(x[i] == (real)ramp[cases[k].from + i]);
            ck_assert(y[i] == (j >= 0 && j < 3001 ? (real)ramp[j] : 0));
        }
        close_all(&o);
    }
    opened o = open_dir(dir, "{path: long.wav, rate: 8000, seconds: 1, fade_s: 0.1, crop: start}");
    expect_open(&o);
    const real *x = read_clip(&o, 0);
    for (int i = 0; i < 800; i++) {
        ck_assert(fabs((double)x[i] - (double)ramp[i] * i / 799) < 1e-7);
        ck_assert(fabs((double)x[7999 - i] - (double)ramp[7999 - i] * i / 799) < 1e-7);
    }
    ck_assert(x[800] == (real)ramp[800] && x[7199] == (real)ramp[7199]);
    close_all(&o);
}
END_TEST

START_TEST(segments)
{
    const char *dir = temp_dir();
    for (int i = 0; i < 20000; i++) ramp[i] = (float)(i + 1) / 32768;
    write_samples(dir, "a.wav", 8000, ramp, 20000);
    write_samples(dir, "b.wav", 8000, ramp, 8000);
    opened o = open_dir(dir, "{path: ., rate: 8000, seconds: 0.5, fade_s: 0, segments: 5}");
    expect_open(&o);
    static const struct {
        const char *name;
        int start;
    } want[] = { { "a.wav#1", 3000 }, { "a.wav#2", 13000 }, { "b.wav#1", 0 }, { "b.wav#2", 2000 }, { "b.wav#3", 4000 } };
    ck_assert_int_eq(o.info.n, 5); /* centres at 5000, 15000 and 1333, 4000, 6666, moved inside */
    for (int i = 0; i < 5; i++) {
        ck_assert_str_eq(o.info.clip[i].name, want[i].name);
        ck_assert(read_clip(&o, i)[0] == (real)ramp[want[i].start]);
    }
    close_all(&o);
}
END_TEST

/* ---- which files ---- */

START_TEST(folders_and_names)
{
    char path[512], target[512];
    const char *dir = temp_dir();
    snprintf(path, sizeof path, "%s/b sub", dir);
    mkdir(path, 0777);
    write_sound(dir, &(sound_spec){ .name = "b sub/\xc3\xa9t\xc3\xa9 1.WAV", .seconds = 0.1 });
    write_sound(dir, &(sound_spec){ .name = "a\xff.wav", .seconds = 0.1 });
    write_sound(dir, &(sound_spec){ .name = "c.wav", .seconds = 0.1 });
    write_bytes(dir, "notes.md", "x", 1);
    snprintf(target, sizeof target, "%s/b sub/loop", dir);
    ck_assert_int_eq(symlink("..", target), 0); /* a loop, and the folder a second time */
    snprintf(target, sizeof target, "%s/z", dir);
    ck_assert_int_eq(symlink("b sub", target), 0);
    snprintf(target, sizeof target, "%s/d.wav", dir);
    ck_assert_int_eq(symlink("c.wav", target), 0);
    snprintf(target, sizeof target, "%s/e.wav", dir);
    ck_assert_int_eq(symlink("nowhere", target), 0);
    opened o = open_dir(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    expect_open(&o);
    static const char *const want[] = { "a\\xFF.wav", "b sub/\xc3\xa9t\xc3\xa9 1.WAV", "c.wav", "d.wav" };
    ck_assert_int_eq(o.info.n, 4);
    for (int i = 0; i < 4; i++) ck_assert_str_eq(o.info.clip[i].name, want[i]);
    close_all(&o);
    o = open_dir(dir, "{path: ., seconds: 0.1, fade_s: 0, max_files: 2}");
    expect_open(&o);
    ck_assert_int_eq(o.info.n, 2);
    ck_assert_str_eq(o.info.clip[1].name, want[1]);
    close_all(&o);
    static const char list[] = "# comment\nc.wav\nb sub/\xc3\xa9t\xc3\xa9 1.WAV\r\n\nc.wav\n";
    write_bytes(dir, "list.txt", list, sizeof list - 1);
    o = open_dir(dir, "{path: list.txt, seconds: 0.1, fade_s: 0}");
    expect_open(&o);
    ck_assert_int_eq(o.info.n, 2);
    ck_assert_str_eq(o.info.clip[0].name, want[1]);
    close_all(&o);
}
END_TEST

START_TEST(nothing_found)
{
    const char *dir = temp_dir();
    write_bytes(dir, "a.txt", "# nothing\n", 10);
    write_bytes(dir, "b.md", "x", 1);
    opened o = open_dir(dir, "{path: .}");
    expect_error(&o, CAK_E2001, "2 files seen, none ends in .wav");
    close_all(&o);
    o = open_dir(dir, "{path: a.txt}");
    expect_error(&o, CAK_E2001, "no sound file");
    close_all(&o);
    o = open_dir(dir, "{path: absent}");
    expect_error(&o, CAK_E2001, "No such file or directory");
    close_all(&o);
    o = open_dir(dir, "{path: ., seconds: 1, fade_s: 2}");
    expect_error(&o, CAK_E1202, "`fade_s` 2 is longer than `seconds` 1");
    close_all(&o);
    o = open_dir(dir, "{path: b.md}");
    expect_error(&o, CAK_E2002, "not a sound file");
    close_all(&o);
}
END_TEST

/* ---- bad files ---- */

/* One bad file in a folder: an error that names it, or a skipped file when the policy says so. */
static void bad_file(const char *dir, const char *name, cak_code code, const char *reason)
{
    char yaml[256], named[512];
    snprintf(yaml, sizeof yaml, "{path: '%s', seconds: 0.1, fade_s: 0}", name);
    snprintf(named, sizeof named, "%s: ", name);
    opened o = open_dir(dir, yaml);
    expect_error(&o, code, reason);
    ck_assert_ptr_nonnull(strstr(cak_diag_message(o.d, 0), named));
    close_all(&o);
    snprintf(yaml, sizeof yaml, "{path: '%s', seconds: 0.1, fade_s: 0, on_bad_file: skip}", name);
    o = open_dir(dir, yaml);
    expect_error(&o, CAK_E2001, reason);
    close_all(&o);
}

static size_t put_chunk(unsigned char *out, const char *id, uint32_t size, const void *data, size_t n)
{
    memcpy(out, id, 4);
    for (int i = 0; i < 4; i++) out[4 + i] = (unsigned char)(size >> 8 * i);
    memcpy(out + 8, data, n);
    return 8 + n;
}

typedef struct wav_header {
    uint16_t tag, channels;
    uint32_t rate, bytes;
    uint16_t align, bits;
} wav_header;
static const wav_header good = { 1, 1, 44100, 88200, 2, 16 };

/* A WAV of 3000 frames by hand: `order` lists its chunks (f: fmt, d: data, x: another). */
static void write_wav(const char *dir, const char *name, wav_header h, const char *order, uint32_t data_size)
{
    static unsigned char file[200000], zeros[6000];
    size_t n = 12;
    memcpy(file, "RIFF\xff\xff\xff\x7fWAVE", 12);
    for (; *order; order++) {
        if (*order == 'f') n += put_chunk(file + n, "fmt ", sizeof h, &h, sizeof h);
        else if (*order == 'd') n += put_chunk(file + n, "data", data_size, zeros, sizeof zeros);
        else n += put_chunk(file + n, "junk", 2, "ab", 2);
    }
    write_bytes(dir, name, file, n);
}

START_TEST(broken_wav)
{
    const char *dir = temp_dir();
    wav_header h;
    write_bytes(dir, "empty.wav", "", 0);
    bad_file(dir, "empty.wav", CAK_E2002, "the file is empty");
    write_bytes(dir, "text.wav", "Dear diary, today I recorded nothing.", 37);
    bad_file(dir, "text.wav", CAK_E2002, "it starts with 'Dear diary, '");
    write_bytes(dir, "riff.wav", "RIFF\4\0\0\0WAVE", 12);
    bad_file(dir, "riff.wav", CAK_E2002, "truncated: 12 bytes");
    write_wav(dir, "order.wav", good, "df", 6000);
    bad_file(dir, "order.wav", CAK_E2002, "before the format");
    write_wav(dir, "twice.wav", good, "ffd", 6000);
    bad_file(dir, "twice.wav", CAK_E2002, "a second 'fmt ' chunk");
    write_wav(dir, "two.wav", good, "fdd", 6000);
    bad_file(dir, "two.wav", CAK_E2002, "a second 'data' chunk");
    write_wav(dir, "none.wav", good, "fx", 0);
    bad_file(dir, "none.wav", CAK_E2002, "no samples after the header");
    write_wav(dir, "zero.wav", good, "fd", 0);
    bad_file(dir, "zero.wav", CAK_E2002, "it holds no samples");
    write_wav(dir, "huge.wav", good, "fd", 0xffffffff);
    bad_file(dir, "huge.wav", CAK_E2002, "truncated: the header says 4294967295 bytes of samples, the file has 6000");
    write_wav(dir, "many.wav", good, "fxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxd", 6000);
    bad_file(dir, "many.wav", CAK_E2002, "more than 64 chunks");
    static const struct {
        uint16_t tag, channels;
        uint32_t rate;
        uint16_t align, bits;
        const char *reason;
    } fields[] = {
        { 1, 0, 44100, 2, 16, "0 channels; 1 to 64" },
        { 1, 255, 44100, 510, 16, "255 channels" },
        { 1, 65535, 44100, 2, 16, "65535 channels" },
        { 1, 1, 0, 2, 16, "sample rate 0 Hz; 1000 to 768000" },
        { 1, 1, 0x7fffffff, 2, 16, "sample rate 2147483647 Hz" },
        { 1, 1, 44100, 2, 0, "format 1 with 0 bits" },
        { 1, 1, 44100, 1, 7, "format 1 with 7 bits" },
        { 1, 1, 44100, 8, 64, "format 1 with 64 bits" },
        { 2, 1, 44100, 1, 4, "format 2 with 4 bits" },
        { 7, 1, 44100, 1, 8, "format 7 with 8 bits" },
        { 1, 2, 44100, 2, 16, "block_align is 2, 2 channels of 16 bits need 4" },
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        h = (wav_header){ fields[i].tag, fields[i].channels, fields[i].rate, 0, fields[i].align, fields[i].bits };
        write_wav(dir, "field.wav", h, "fd", 6000);
        bad_file(dir, "field.wav", CAK_E2002, fields[i].reason);
    }
}
END_TEST

START_TEST(truncated)
{
    static const sound_spec specs[] = {
        { .name = "a.wav", .seconds = 1 },
        { .name = "b.flac", .format = SF_FORMAT_FLAC | SF_FORMAT_PCM_16, .seconds = 1 },
        { .name = "c.ogg", .format = SF_FORMAT_OGG | SF_FORMAT_VORBIS, .seconds = 1 },
        { .name = "d.opus", .format = SF_FORMAT_OGG | SF_FORMAT_OPUS, .seconds = 1, .rate = 48000 },
        { .name = "e.mp3", .format = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, .seconds = 1 },
        { .name = "f.aiff", .format = SF_FORMAT_AIFF | SF_FORMAT_PCM_16, .seconds = 1 },
    };
    static const double parts[] = { 0.9, 0.5, 0.1 };
    const char *dir = temp_dir();
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        for (int k = 0; k < 3; k++) {
            cut_file(write_sound(dir, &specs[i]), parts[k]);
            char yaml[64];
            snprintf(yaml, sizeof yaml, "{path: %s, seconds: 0.1, fade_s: 0, min_samples: 1}", specs[i].name);
            opened o = open_dir(dir, yaml);
            expect_error(&o, CAK_E2002, specs[i].name);
            close_all(&o);
        }
}
END_TEST

/* An Ogg file that ends with a whole page, but not the last one. */
START_TEST(last_page_missing)
{
    cak_arena *a = cak_arena_open("test");
    cak_diag *d = cak_diag_open();
    const char *dir = temp_dir();
    size_t n;
    const char *path =
        write_sound(dir, &(sound_spec){ .name = "a.ogg", .format = SF_FORMAT_OGG | SF_FORMAT_VORBIS, .seconds = 5 });
    const char *x = cak_io_read_all(a, d, CAK_E4002, path, 0, &n), *page = x + n - 4;
    while (memcmp(page, "OggS", 4)) page--;
    write_bytes(dir, "a.ogg", x, (size_t)(page - x));
    bad_file(dir, "a.ogg", CAK_E2002, "the Ogg stream has no last page");
    cak_diag_close(d);
    cak_arena_close(a);
}
END_TEST

START_TEST(damaged)
{
    const char *dir = temp_dir();
    const char *path =
        write_sound(dir, &(sound_spec){ .name = "a.flac", .format = SF_FORMAT_FLAC | SF_FORMAT_PCM_16, .seconds = 2 });
    FILE *f = fopen(path, "r+b");
    fseek(f, 0, SEEK_END);
    fseek(f, ftell(f) * 6 / 10, SEEK_SET);
    fwrite("damage", 1, 6, f);
    fclose(f);
    bad_file(dir, "a.flac", CAK_E2002, "a.flac: ");
    unsigned char flac[64] = "fLaC\0\0\0\42";
    write_bytes(dir, "b.flac", flac, sizeof flac);
    bad_file(dir, "b.flac", CAK_E2002, "unknown length");
    write_bytes(dir, "c.flac", "ID3\3\0\0\0\0\0\0fLaC\0\0\0\42", 18);
    bad_file(dir, "c.flac", CAK_E2002, "behind an ID3 tag");
    write_bytes(dir, "d.mp3", "ID3\3\0\0\0\0\177\0fLaC\0\0\0\42", 18);
    bad_file(dir, "d.mp3", CAK_E2002, "truncated in its ID3 tag");
    write_bytes(dir, "e.ogg", "OggS\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\10Speex   ", 36);
    bad_file(dir, "e.ogg", CAK_E2002, "neither Vorbis nor Opus");
    write_bytes(dir, "f.aiff", "FORM\0\0\0\20AIFFCOMM\0\0\0\0", 20);
    bad_file(dir, "f.aiff", CAK_E2002, "no samples after the header");
    write_bytes(dir, "g.flac", "fLaC\4\0\0\42AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 48);
    bad_file(dir, "g.flac", CAK_E2002, "without STREAMINFO");
    write_sound(dir, &(sound_spec){ .name = "h.aifc", .format = SF_FORMAT_AIFF | SF_FORMAT_ULAW, .seconds = 1 });
    bad_file(dir, "h.aifc", CAK_E2002, "is not accepted; convert it");
    write_sound(dir, &(sound_spec){ .name = "i.flac", .format = SF_FORMAT_FLAC | SF_FORMAT_PCM_16, .seconds = 9, .rate = 999 });
    bad_file(dir, "i.flac", CAK_E2002, "sample rate 999 Hz");
}
END_TEST

/* libsndfile takes the length of an MP3 without a Xing frame from the rate of its first frame, which is wrong when the rate varies. */
START_TEST(mp3_of_unknown_length)
{
    cak_arena *a = cak_arena_open("test");
    cak_diag *d = cak_diag_open();
    const char *dir = temp_dir();
    size_t n;
    const char *path =
        write_sound(dir, &(sound_spec){ .name = "a.mp3", .format = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, .seconds = 5 });
    unsigned char *x = (unsigned char *)cak_io_read_all(a, d, CAK_E4002, path, 0, &n);
    size_t xing = 144 * 128000 / 44100; /* the first frame, 128 kbit/s, tells the length */
    ck_assert(n > 10 * xing && x[xing] == 0xff);
    write_bytes(dir, "b.mp3", x + xing, n - xing);
    bad_file(dir, "b.mp3", CAK_E2002, "MP3 without a header that tells its length");
    static unsigned char tagged[100000] = "ID3\3\0\0\0\0\0\5.....";
    memcpy(tagged + 15, x, n);
    write_bytes(dir, "a.mp3", tagged, n + 15); /* a tag in front does no harm */
    opened o = open_dir(dir, "{path: a.mp3, seconds: 1, fade_s: 0}");
    expect_open(&o);
    ck_assert_int_eq(o.info.clip[0].frames, 5 * 44100);
    close_all(&o);
    cak_diag_close(d);
    cak_arena_close(a);
}
END_TEST

START_TEST(lengths)
{
    const char *dir = temp_dir();
    write_sound(dir, &(sound_spec){ .name = "a.aiff", .format = SF_FORMAT_AIFF | SF_FORMAT_PCM_16, .seconds = 0 });
    bad_file(dir, "a.aiff", CAK_E2002, "it holds no samples");
    const off_t day = 86400 * 1000 + 100000;
    unsigned char head[44] = "RIFF\xff\xff\xff\x7fWAVEfmt \20\0\0\0\1\0\1\0\xe8\3\0\0\xe8\3\0\0\1\0\10\0"
                             "data";
    for (int i = 0; i < 4; i++) head[40 + i] = (unsigned char)(day >> 8 * i);
    ck_assert_int_eq(truncate(write_bytes(dir, "b.wav", head, sizeof head), day + 44), 0); /* at 1000 Hz, sparse */
    bad_file(dir, "b.wav", CAK_E2002, "longer than 24 hours");
}
END_TEST

START_TEST(unusable_samples)
{
    const char *dir = temp_dir();
    static const struct {
        float value;
        const char *reason;
    } bad[] = { { NAN, "sample 1234 of channel 0 is NaN" },
                { INFINITY, "sample 1234 of channel 0 is infinite" },
                { -INFINITY, "sample 1234 of channel 0 is infinite" },
                { 64.5f, "sample 1234 of channel 0 is 64.5; sound lies within +-64" },
                { -1e29f, "is -1e+29" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ramp[1234] = bad[i].value;
        write_samples(dir, "x.wav", 44100, ramp, 5000);
        bad_file(dir, "x.wav", CAK_E2003, bad[i].reason);
    }
    ramp[1234] = 64;
    write_samples(dir, "x.wav", 44100, ramp, 5000);
    opened o = open_dir(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    expect_open(&o);
    close_all(&o);
    write_samples(dir, "y.wav", 44100, ramp, 1);
    bad_file(dir, "y.wav", CAK_E2003, "too short: 1 samples at 44100 Hz; `min_samples` is 2560");
    write_samples(dir, "y.wav", 44100, ramp, 2559);
    bad_file(dir, "y.wav", CAK_E2003, "too short: 2559 samples");
    write_samples(dir, "y.wav", 44100, ramp, 5000);
    o = open_dir(dir, "{path: y.wav, seconds: 0.1, fade_s: 0, max_seconds: 0.1}");
    expect_error(&o, CAK_E2002, "0.1 s long; `max_seconds` is 0.1");
    close_all(&o);
}
END_TEST

START_TEST(silence_is_a_warning)
{
    char text[400] = "";
    const char *dir = temp_dir();
    write_sound(dir, &(sound_spec){ .name = "quiet.wav", .seconds = 0.2, .level = -1 });
    opened o = open_dir(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    expect_open(&o);
    FILE *f = fmemopen(text, sizeof text, "w");
    cak_diag_print(o.d, f);
    fclose(f);
    ck_assert_ptr_nonnull(strstr(text, "quiet.wav is silent"));
    close_all(&o);
}
END_TEST

START_TEST(skip_keeps_the_rest)
{
    const char *dir = temp_dir();
    write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.2 });
    write_bytes(dir, "b.wav", "", 0);
    write_sound(dir, &(sound_spec){ .name = "c.wav", .seconds = 0.2 });
    opened o = open_dir(dir, "{path: ., seconds: 0.1, fade_s: 0, on_bad_file: skip}");
    expect_open(&o);
    ck_assert_int_eq(o.info.n, 2);
    ck_assert_str_eq(o.info.clip[1].name, "c.wav");
    ck_assert_int_eq(o.info.n_skipped, 1);
    ck_assert_str_eq(o.info.skipped[0], "b.wav: the file is empty");
    close_all(&o);
}
END_TEST

/* ---- changes ---- */

START_TEST(change_during_a_run)
{
    const char *dir = temp_dir();
    write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.2 });
    opened o = open_dir(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    expect_open(&o);
    write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.3 });
    real *x = cak_arena_alloc(o.a, 4410 * sizeof *x);
    ck_assert(!node->stage->read_clip(o.src, o.d, 0, x));
    ck_assert_int_eq(cak_diag_code(o.d, 0), CAK_E2006);
    ck_assert_int_eq(node->stage->read_whole(o.src, o.d, 0, 0, 4410, x), -1);
    close_all(&o);
    o = open_dir(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    expect_open(&o);
    const char *same = write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.3, .level = 0.1 }); /* as long as before */
    const struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };
    ck_assert_int_eq(utimensat(AT_FDCWD, same, times, 0), 0);
    ck_assert(!node->stage->read_clip(o.src, o.d, 0, x));
    ck_assert_int_eq(cak_diag_code(o.d, 0), CAK_E2006);
    close_all(&o);
}
END_TEST

START_TEST(digests)
{
    const char *dir = temp_dir();
    char first[33];
    write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.2 });
    opened o = open_dir(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    snprintf(first, sizeof first, "%s", o.info.digest);
    ck_assert_int_eq(strlen(first), 32);
    close_all(&o);
    static const char *const others[] = { "{path: ., seconds: 0.11, fade_s: 0}", "{path: ., seconds: 0.1, fade_s: 0.01}",
                                          "{path: ., seconds: 0.1, fade_s: 0, crop: end}",
                                          "{path: ., seconds: 0.1, fade_s: 0, rate: 22050}" };
    for (int i = 0; i < 4; i++) {
        o = open_dir(dir, others[i]);
        ck_assert_str_ne(o.info.digest, first);
        close_all(&o);
    }
    o = open_dir(dir, "{path: a.wav, seconds: 0.1, fade_s: 0}");
    ck_assert_str_eq(o.info.digest, first);
    close_all(&o);
    write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.2, .level = 0.251 }); /* same size, other bytes */
    o = open_dir(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    ck_assert_str_ne(o.info.digest, first);
    close_all(&o);
}
END_TEST

/* Verdicts are remembered by content: a remembered file is not decoded again, damage of the memory does no harm. */
START_TEST(memory)
{
    char path[512], text[512];
    size_t n;
    const char *dir = temp_dir(), *store = temp_dir();
    cak_corpus_memory(store);
    write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.2, .channels = 2 });
    write_bytes(dir, "b.wav", "nonsense", 8);
    for (int round = 0; round < 3; round++) {
        opened o = open_dir(dir, "{path: ., seconds: 0.1, fade_s: 0, on_bad_file: skip}");
        expect_open(&o);
        ck_assert_int_eq(o.info.n, 1);
        ck_assert_int_eq(o.info.clip[0].frames, 8820);
        ck_assert_ptr_nonnull(strstr(o.info.skipped[0], "b.wav: not a sound file"));
        real *x = read_clip(&o, 0);
        ck_assert(x[100] != 0);
        snprintf(path, sizeof path, "%s/scans", store);
        char *lines = cak_io_read_all(o.a, o.d, CAK_E4002, path, 0, &n);
        int count = 0;
        for (char *c = lines; *c; c++) count += *c == '\n';
        ck_assert_int_eq(count, round < 2 ? 2 : 4); /* the third round could not use the lines ... */
        close_all(&o);
        if (round == 1) { /* ... because of this */
            FILE *f = fopen(path, "r+b");
            ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
            long second = ftell(f);
            fseek(f, strstr(text, " 8820 ") + 1 - text, SEEK_SET);
            fputc('9', f); /* 9820 frames */
            fseek(f, second + 30, SEEK_SET);
            fputc('x', f);
            fclose(f);
        }
    }
    cak_corpus_memory(NULL);
}
END_TEST

START_TEST(shape_without_reading)
{
    opened o = open_dir(NULL, "{path: /nowhere, seconds: 2, rate: 8000}");
    expect_open(&o);
    ck_assert_int_eq(o.info.length, 16000);
    ck_assert(o.info.rate == 8000);
    close_all(&o);
}
END_TEST

SUITE(load_audio, every_format, seeking, crop_pad_fade, segments, folders_and_names, nothing_found, broken_wav, truncated,
      last_page_missing, damaged, mp3_of_unknown_length, lengths, unusable_samples, silence_is_a_warning, skip_keeps_the_rest,
      change_during_a_run, digests, memory, shape_without_reading)
