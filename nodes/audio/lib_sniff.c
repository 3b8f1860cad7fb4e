/* Header checks of sound files: sizes within the file, one format chunk, sane fields, the last page of a stream. */
#include "nodes/audio/lib_sniff.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/io.h"
#include "graph/par.h"

enum { HEAD = 64, MAX_CHUNKS = 64, MAX_OGG_PAGE = 27 + 255 + 255 * 255, OGG_LAST_PAGE = 4 };

typedef struct probe {
    cak_diag *io;
    int fd;
    const char *path;
    uint64_t size;
    unsigned char head[HEAD]; /* zeros after the end of the file */
    int64_t frames;           /* samples that the headers promise, 0: not counted */
    cak_reason *why;
} probe;

bool cak_reject(cak_reason *why, cak_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why->text, sizeof why->text, fmt, ap);
    va_end(ap);
    why->code = code;
    return false;
}
#define BAD(...) cak_reject(p->why, CAK_E2002, __VA_ARGS__)

static bool get(probe *p, uint64_t at, void *out, size_t n)
{
    if (cak_io_pread(p->io, CAK_E2002, p->fd, p->path, out, n, at)) return true;
    return BAD("the file cannot be read");
}

static uint32_t le16(const unsigned char *b) { return b[0] | (uint32_t)b[1] << 8; }
static uint32_t le32(const unsigned char *b) { return le16(b) | le16(b + 2) << 16; }
static uint32_t be32(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}

/* ---- WAV and AIFF: chunks ---- */

typedef struct chunk {
    unsigned char id[5];
    uint64_t at, size; /* of the contents */
} chunk;

typedef struct wav_format {
    uint32_t tag, bits;
} wav_format;
static const wav_format wav_formats[] = { { 1, 8 }, { 1, 16 }, { 1, 24 }, { 1, 32 }, { 3, 32 }, { 3, 64 } };
enum { WAV_EXTENSIBLE = 0xfffe };

static bool check_wav_format(probe *p, const chunk *c)
{
    unsigned char b[40] = { 0 };
    if (c->size < 16) return BAD("the 'fmt ' chunk has %" PRIu64 " bytes, 16 are needed", c->size);
    if (!get(p, c->at, b, (size_t)(c->size < sizeof b ? c->size : sizeof b))) return false;
    uint32_t tag = le16(b), channels = le16(b + 2), rate = le32(b + 4), align = le16(b + 12), bits = le16(b + 14);
    if (tag == WAV_EXTENSIBLE) tag = le16(b + 24);
    if (channels < 1 || channels > CAK_SOUND_MAX_CHANNELS)
        return BAD("%u channels; 1 to %d are accepted", channels, CAK_SOUND_MAX_CHANNELS);
    if (rate < CAK_SOUND_MIN_RATE || rate > CAK_SOUND_MAX_RATE)
        return BAD("sample rate %u Hz; %d to %d are accepted", rate, CAK_SOUND_MIN_RATE, CAK_SOUND_MAX_RATE);
    bool known = false;
    for (size_t i = 0; i < sizeof wav_formats / sizeof *wav_formats; i++)
        known = known || (wav_formats[i].tag == tag && wav_formats[i].bits == bits);
    if (!known)
        return BAD("WAV format %u with %u bits is not accepted; PCM of 8, 16, 24, 32 bits and float of 32, 64 are", tag, bits);
    if (align != channels * bits / 8)
        return BAD("block_align is %u, %u channels of %u bits need %u", align, channels, bits, channels * bits / 8);
    return true;
}

static bool check_samples(probe *p, const chunk *c)
{
    if (c->at + c->size > p->size)
        return BAD("truncated: the header says %" PRIu64 " bytes of samples, the file has %" PRIu64, c->size, p->size - c->at);
    return c->size || BAD("it holds no samples");
}

static bool check_wav(probe *p)
{
    int formats = 0, datas = 0, n = 0;
    for (uint64_t at = 12; at + 8 <= p->size; n++) {
        unsigned char b[8];
        if (n == MAX_CHUNKS) return BAD("more than %d chunks", MAX_CHUNKS);
        if (!get(p, at, b, 8)) return false;
        chunk c = { .at = at + 8, .size = le32(b + 4) };
        memcpy(c.id, b, 4);
        bool format = !memcmp(c.id, "fmt ", 4), data = !memcmp(c.id, "data", 4);
        if (format && (datas || ++formats > 1)) return BAD("a second 'fmt ' chunk, or one after the samples");
        if (data && (!formats || ++datas > 1)) return BAD("a second 'data' chunk, or one before the format");
        if (data && !check_samples(p, &c)) return false;
        if (c.at + c.size > p->size) return BAD("truncated in a chunk of %" PRIu64 " bytes", c.size);
        if (format && !check_wav_format(p, &c)) return false;
        at = c.at + c.size + (c.size & 1);
    }
    return datas ? true : BAD("truncated: no samples after the header");
}

static bool check_aiff(probe *p)
{
    for (uint64_t at = 12, n = 0; at + 8 <= p->size; n++) {
        unsigned char b[8];
        if (n == MAX_CHUNKS) return BAD("more than %d chunks", MAX_CHUNKS);
        if (!get(p, at, b, 8)) return false;
        chunk c = { .at = at + 8, .size = be32(b + 4) };
        if (!memcmp(b, "SSND", 4)) return check_samples(p, &c);
        at = c.at + c.size + (c.size & 1);
    }
    return BAD("truncated: no samples after the header");
}

/* ---- FLAC, Ogg, MP3 ---- */

static bool check_flac(probe *p)
{
    const unsigned char *b = p->head;
    if (p->size < 42 || (b[4] & 0x7f) != 0 || (be32(b + 4) & 0xffffff) != 34) return BAD("FLAC without STREAMINFO");
    uint64_t total = (uint64_t)(b[21] & 15) << 32 | be32(b + 22);
    return total ? true : BAD("FLAC of unknown length; encode it again so that the header tells it");
}

/* The last page of the stream must be there, complete and marked as the last. */
static bool check_ogg_end(probe *p)
{
    static _Thread_local unsigned char tail[MAX_OGG_PAGE];
    uint64_t n = p->size < sizeof tail ? p->size : sizeof tail;
    if (!get(p, p->size - n, tail, (size_t)n)) return false;
    for (int64_t i = (int64_t)n - 27; i >= 0; i--) {
        const unsigned char *page = tail + i;
        if (memcmp(page, "OggS", 5)) continue; /* with version 0 */
        uint64_t end = (uint64_t)i + 27 + page[26];
        for (int k = 0; k < page[26] && i + 27 + k < (int64_t)n; k++) end += page[27 + k];
        if (end <= n && page[5] & OGG_LAST_PAGE) return true;
        break;
    }
    return BAD("truncated: the Ogg stream has no last page");
}

static bool check_ogg(probe *p)
{
    const unsigned char *packet = p->head + 27 + p->head[26];
    if (p->head[26] > HEAD - 27 - 8 || (memcmp(packet, "\001vorbis", 7) && memcmp(packet, "OpusHead", 8)))
        return BAD("Ogg holds neither Vorbis nor Opus");
    return check_ogg_end(p);
}

static const uint16_t mp3_kbit[2][16] = { { 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0 },
                                          { 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0 } };
static const uint32_t mp3_rate[] = { 44100, 48000, 32000 };

/* Bytes of the layer III frame whose header is b, 0 when b is none, and its samples. */
static uint32_t mp3_frame(const unsigned char *b, int *samples)
{
    int version = b[1] >> 3 & 3, rate = b[2] >> 2 & 3; /* 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5 */
    bool sync = b[0] == 0xff && (b[1] & 0xe0) == 0xe0, layer3 = (b[1] >> 1 & 3) == 1;
    uint32_t kbit = mp3_kbit[version != 3][b[2] >> 4];
    if (!sync || !layer3 || version == 1 || rate == 3 || !kbit) return 0;
    *samples = version == 3 ? 1152 : 576;
    uint32_t hz = mp3_rate[rate] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
    return (version == 3 ? 144000 : 72000) * kbit / hz + (b[2] >> 1 & 1);
}

/* Add up the frames from `at` on, as far as they follow each other. */
static bool count_mp3(probe *p, uint64_t at)
{
    unsigned char b[4];
    int samples = 0;
    for (uint32_t size; at + sizeof b <= p->size; at += size, p->frames += samples) {
        if (!get(p, at, b, sizeof b)) return false;
        if (!(size = mp3_frame(b, &samples))) break;
    }
    return true;
}

/* An ID3v2 tag may stand before the first frame. */
static bool check_id3(probe *p)
{
    const unsigned char *b = p->head;
    uint64_t tag =
        10 + ((uint64_t)(b[6] & 127) << 21 | (uint64_t)(b[7] & 127) << 14 | (uint64_t)(b[8] & 127) << 7 | (b[9] & 127));
    unsigned char next[4] = { 0 };
    if (tag + sizeof next > p->size) return BAD("truncated in its ID3 tag");
    if (!get(p, tag, next, sizeof next)) return false;
    if (!memcmp(next, "fLaC", 4)) return BAD("FLAC behind an ID3 tag; remove the tag");
    return count_mp3(p, tag);
}

typedef struct magic {
    const char *at0, *at8; /* NULL: anything */
    bool (*check)(probe *p);
} magic;
static const magic magics[] = {
    { "RIFF", "WAVE", check_wav }, { "FORM", "AIFF", check_aiff }, { "FORM", "AIFC", check_aiff },
    { "fLaC", NULL, check_flac },  { "OggS", NULL, check_ogg },    { "ID3", NULL, check_id3 },
};

/* The first bytes of an unknown file, readable. */
static void show_start(const probe *p, char *out)
{
    for (int i = 0; i < 12 && (uint64_t)i < p->size; i++)
        *out++ = (char)(p->head[i] >= 0x20 && p->head[i] < 0x7f ? p->head[i] : '.');
    *out = 0;
}

static bool finish(const probe *p, bool ok, int64_t *frames)
{
    *frames = p->frames;
    return ok;
}

bool cak_sniff(cak_diag *io, int fd, const char *path, uint64_t size, int64_t *frames, cak_reason *why)
{
    probe *p = &(probe){ .io = io, .fd = fd, .path = path, .size = size, .why = why };
    char start[16];
    if (!size) return BAD("the file is empty");
    if (!get(p, 0, p->head, (size_t)(size < HEAD ? size : HEAD))) return false;
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        const magic *m = &magics[i];
        if (memcmp(p->head, m->at0, strlen(m->at0)) || (m->at8 && memcmp(p->head + 8, m->at8, 4))) continue;
        if (size < 16) return BAD("truncated: %" PRIu64 " bytes", size);
        return finish(p, m->check(p), frames);
    }
    int samples;
    if (mp3_frame(p->head, &samples)) return finish(p, count_mp3(p, 0), frames);
    show_start(p, start);
    return BAD("not a sound file of a known format, it starts with '%s'; known: WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF", start);
}
