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

static const cak_node *const node = &cak_node_load_audio;

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
    opened_sounds o = open_sounds(dir, "{path: ., seconds: 1, fade_s: 0}");
    expect_sounds(&o);
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
    close_sounds(&o);
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
    opened_sounds o = open_sounds(dir, "{path: ., seconds: 1, fade_s: 0}");
    expect_sounds(&o);
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
    close_sounds(&o);
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
        opened_sounds o = open_sounds(dir, cases[k].yaml);
        expect_sounds(&o);
        const real *x = read_clip(&o, 0), *y = read_clip(&o, 1);
        for (int i = 0; i < 8000; i++) {
            int j = i - cases[k].before;
            ck_assert(x[i] == (real)ramp[cases[k].from + i]);
            ck_assert(y[i] == (j >= 0 && j < 3001 ? (real)ramp[j] : 0));
        }
        close_sounds(&o);
    }
    opened_sounds o = open_sounds(dir, "{path: long.wav, rate: 8000, seconds: 1, fade_s: 0.1, crop: start}");
    expect_sounds(&o);
    const real *x = read_clip(&o, 0);
    for (int i = 0; i < 800; i++) {
        ck_assert(fabs((double)x[i] - (double)ramp[i] * i / 799) < 1e-7);
        ck_assert(fabs((double)x[7999 - i] - (double)ramp[7999 - i] * i / 799) < 1e-7);
    }
    ck_assert(x[800] == (real)ramp[800] && x[7199] == (real)ramp[7199]);
    close_sounds(&o);
}
END_TEST

START_TEST(segments)
{
    const char *dir = temp_dir();
    for (int i = 0; i < 20000; i++) ramp[i] = (float)(i + 1) / 32768;
    write_samples(dir, "a.wav", 8000, ramp, 20000);
    write_samples(dir, "b.wav", 8000, ramp, 8000);
    opened_sounds o = open_sounds(dir, "{path: ., rate: 8000, seconds: 0.5, fade_s: 0, segments: 5}");
    expect_sounds(&o);
    static const struct {
        const char *name;
        int start;
    } want[] = { { "a.wav#1", 3000 }, { "a.wav#2", 13000 }, { "b.wav#1", 0 }, { "b.wav#2", 2000 }, { "b.wav#3", 4000 } };
    ck_assert_int_eq(o.info.n, 5); /* centres at 5000, 15000 and 1333, 4000, 6666, moved inside */
    for (int i = 0; i < 5; i++) {
        ck_assert_str_eq(o.info.clip[i].name, want[i].name);
        ck_assert(read_clip(&o, i)[0] == (real)ramp[want[i].start]);
    }
    close_sounds(&o);
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
    opened_sounds o = open_sounds(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    expect_sounds(&o);
    static const char *const want[] = { "a\\xFF.wav", "b sub/\xc3\xa9t\xc3\xa9 1.WAV", "c.wav", "d.wav" };
    ck_assert_int_eq(o.info.n, 4);
    for (int i = 0; i < 4; i++) ck_assert_str_eq(o.info.clip[i].name, want[i]);
    close_sounds(&o);
    o = open_sounds(dir, "{path: ., seconds: 0.1, fade_s: 0, max_files: 2}");
    expect_sounds(&o);
    ck_assert_int_eq(o.info.n, 2);
    ck_assert_str_eq(o.info.clip[1].name, want[1]);
    close_sounds(&o);
    static const char list[] = "# comment\nc.wav\nb sub/\xc3\xa9t\xc3\xa9 1.WAV\r\n\nc.wav\n";
    write_bytes(dir, "list.txt", list, sizeof list - 1);
    o = open_sounds(dir, "{path: list.txt, seconds: 0.1, fade_s: 0}");
    expect_sounds(&o);
    ck_assert_int_eq(o.info.n, 2);
    ck_assert_str_eq(o.info.clip[0].name, want[1]);
    close_sounds(&o);
}
END_TEST

START_TEST(nothing_found)
{
    const char *dir = temp_dir();
    write_bytes(dir, "a.txt", "# nothing\n", 10);
    write_bytes(dir, "b.md", "x", 1);
    opened_sounds o = open_sounds(dir, "{path: .}");
    expect_no_sounds(&o, CAK_E2001, "2 files seen, none ends in .wav");
    close_sounds(&o);
    o = open_sounds(dir, "{path: a.txt}");
    expect_no_sounds(&o, CAK_E2001, "no sound file");
    close_sounds(&o);
    o = open_sounds(dir, "{path: absent}");
    expect_no_sounds(&o, CAK_E2001, "No such file or directory");
    close_sounds(&o);
    o = open_sounds(dir, "{path: ., seconds: 1, fade_s: 2}");
    expect_no_sounds(&o, CAK_E1202, "`fade_s` 2 is longer than `seconds` 1");
    close_sounds(&o);
    o = open_sounds(dir, "{path: b.md}");
    expect_no_sounds(&o, CAK_E2002, "not a sound file");
    close_sounds(&o);
}
END_TEST

START_TEST(silence_is_refused)
{
    const char *dir = temp_dir();
    write_sound(dir, &(sound_spec){ .name = "quiet.wav", .seconds = 0.2, .level = -1 });
    opened_sounds o = open_sounds(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    expect_no_sounds(&o, CAK_E2003, "quiet.wav: silent");
    close_sounds(&o);
}
END_TEST

START_TEST(skip_keeps_the_rest)
{
    const char *dir = temp_dir();
    write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.2 });
    write_bytes(dir, "b.wav", "", 0);
    write_sound(dir, &(sound_spec){ .name = "c.wav", .seconds = 0.2 });
    opened_sounds o = open_sounds(dir, "{path: ., seconds: 0.1, fade_s: 0, on_bad_file: skip}");
    expect_sounds(&o);
    ck_assert_int_eq(o.info.n, 2);
    ck_assert_str_eq(o.info.clip[1].name, "c.wav");
    ck_assert_int_eq(o.info.n_skipped, 1);
    ck_assert_str_eq(o.info.skipped[0], "b.wav: the file is empty");
    close_sounds(&o);
}
END_TEST

/* ---- changes ---- */

START_TEST(change_during_a_run)
{
    const char *dir = temp_dir();
    write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.2 });
    opened_sounds o = open_sounds(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    expect_sounds(&o);
    write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.3 });
    static real x[4410];
    ck_assert(!node->stage->read_clip(o.src, o.d, 0, x));
    ck_assert_int_eq(cak_diag_code(o.d, 0), CAK_E2006);
    ck_assert_int_eq(node->stage->read_whole(o.src, o.d, 0, 0, 4410, x), -1);
    close_sounds(&o);
    o = open_sounds(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    expect_sounds(&o);
    const char *same = write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.3, .level = 0.1 }); /* as long as before */
    const struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };
    ck_assert_int_eq(utimensat(AT_FDCWD, same, times, 0), 0);
    ck_assert(!node->stage->read_clip(o.src, o.d, 0, x));
    ck_assert_int_eq(cak_diag_code(o.d, 0), CAK_E2006);
    close_sounds(&o);
}
END_TEST

START_TEST(digests)
{
    const char *dir = temp_dir();
    char first[33];
    write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.2 });
    opened_sounds o = open_sounds(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    snprintf(first, sizeof first, "%s", o.info.digest);
    ck_assert_int_eq(strlen(first), 32);
    close_sounds(&o);
    static const char *const others[] = { "{path: ., seconds: 0.11, fade_s: 0}", "{path: ., seconds: 0.1, fade_s: 0.01}",
                                          "{path: ., seconds: 0.1, fade_s: 0, crop: end}",
                                          "{path: ., seconds: 0.1, fade_s: 0, rate: 22050}" };
    for (int i = 0; i < 4; i++) {
        o = open_sounds(dir, others[i]);
        ck_assert_str_ne(o.info.digest, first);
        close_sounds(&o);
    }
    o = open_sounds(dir, "{path: a.wav, seconds: 0.1, fade_s: 0}");
    ck_assert_str_eq(o.info.digest, first);
    close_sounds(&o);
    write_sound(dir, &(sound_spec){ .name = "a.wav", .seconds = 0.2, .level = 0.251 }); /* same size, other bytes */
    o = open_sounds(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    ck_assert_str_ne(o.info.digest, first);
    close_sounds(&o);
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
        opened_sounds o = open_sounds(dir, "{path: ., seconds: 0.1, fade_s: 0, on_bad_file: skip}");
        expect_sounds(&o);
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
        close_sounds(&o);
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
    opened_sounds o = open_sounds(NULL, "{path: /nowhere, seconds: 2, rate: 8000}");
    expect_sounds(&o);
    ck_assert_int_eq(o.info.length, 16000);
    ck_assert(o.info.rate == 8000);
    close_sounds(&o);
}
END_TEST

SUITE(load_audio, every_format, seeking, crop_pad_fade, segments, folders_and_names, nothing_found, silence_is_refused,
      skip_keeps_the_rest, change_during_a_run, digests, memory, shape_without_reading)
