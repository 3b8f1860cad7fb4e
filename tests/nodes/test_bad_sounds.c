/* load_audio: what makes a sound file unusable, and what is said about it. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "graph/io.h"
#include "tests/support/sound_test.h"

/* One bad file in a folder: an error that names it, or a skipped file when the policy says so. */
static void bad_file(const char *dir, const char *name, cak_code code, const char *reason)
{
    char yaml[256], named[512];
    snprintf(yaml, sizeof yaml, "{path: '%s', seconds: 0.1, fade_s: 0}", name);
    snprintf(named, sizeof named, "%s: ", name);
    opened_sounds o = open_sounds(dir, yaml);
    expect_no_sounds(&o, code, reason);
    ck_assert_ptr_nonnull(strstr(cak_diag_message(o.d, 0), named));
    close_sounds(&o);
    snprintf(yaml, sizeof yaml, "{path: '%s', seconds: 0.1, fade_s: 0, on_bad_file: skip}", name);
    o = open_sounds(dir, yaml);
    expect_no_sounds(&o, CAK_E2001, reason);
    close_sounds(&o);
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
            opened_sounds o = open_sounds(dir, yaml);
            expect_no_sounds(&o, CAK_E2002, specs[i].name);
            close_sounds(&o);
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
    opened_sounds o = open_sounds(dir, "{path: a.mp3, seconds: 1, fade_s: 0}");
    expect_sounds(&o);
    ck_assert_int_eq(o.info.clip[0].frames, 5 * 44100);
    close_sounds(&o);
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
    static float ramp[5000];
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
    opened_sounds o = open_sounds(dir, "{path: ., seconds: 0.1, fade_s: 0}");
    expect_sounds(&o);
    close_sounds(&o);
    write_samples(dir, "y.wav", 44100, ramp, 1);
    bad_file(dir, "y.wav", CAK_E2003, "too short: 1 samples at 44100 Hz; `min_samples` is 2560");
    write_samples(dir, "y.wav", 44100, ramp, 2559);
    bad_file(dir, "y.wav", CAK_E2003, "too short: 2559 samples");
    write_samples(dir, "y.wav", 44100, ramp, 5000);
    o = open_sounds(dir, "{path: y.wav, seconds: 0.1, fade_s: 0, max_seconds: 0.1}");
    expect_no_sounds(&o, CAK_E2002, "0.1 s long; `max_seconds` is 0.1");
    close_sounds(&o);
}
END_TEST

SUITE(bad_sounds, broken_wav, truncated, last_page_missing, damaged, mp3_of_unknown_length, lengths, unusable_samples)
