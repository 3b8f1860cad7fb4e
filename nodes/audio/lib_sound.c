/* Sound files through libsndfile and libsoxr: one complete check per file, then reading from any place. */
#include "nodes/audio/lib_sound.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include <sndfile.h>
#include <soxr.h>
#include <xxhash.h>

#include "graph/arena.h"
#include "graph/io.h"
#include "graph/par.h"

enum {
    BLOCK = 65536,        /* samples of all channels that one call decodes */
    HASH_BLOCK = 1 << 20, /* bytes */
    MARGIN = 8192,        /* frames decoded before the wanted place, so that the resampler's filter is full */
    MAX_HOURS = 24,
    MP3_SLACK = 5 * 1152,
    MAX_LEVEL = 64 /* |sample| */
};

/* What we let libsndfile decode, once the header has been looked at. */
typedef struct accepted {
    int major, subtype;
} accepted;
static const accepted formats[] = {
    { SF_FORMAT_WAV, SF_FORMAT_PCM_U8 },          { SF_FORMAT_WAV, SF_FORMAT_PCM_16 },
    { SF_FORMAT_WAV, SF_FORMAT_PCM_24 },          { SF_FORMAT_WAV, SF_FORMAT_PCM_32 },
    { SF_FORMAT_WAV, SF_FORMAT_FLOAT },           { SF_FORMAT_WAV, SF_FORMAT_DOUBLE },
    { SF_FORMAT_WAVEX, SF_FORMAT_PCM_U8 },        { SF_FORMAT_WAVEX, SF_FORMAT_PCM_16 },
    { SF_FORMAT_WAVEX, SF_FORMAT_PCM_24 },        { SF_FORMAT_WAVEX, SF_FORMAT_PCM_32 },
    { SF_FORMAT_WAVEX, SF_FORMAT_FLOAT },         { SF_FORMAT_WAVEX, SF_FORMAT_DOUBLE },
    { SF_FORMAT_AIFF, SF_FORMAT_PCM_S8 },         { SF_FORMAT_AIFF, SF_FORMAT_PCM_U8 },
    { SF_FORMAT_AIFF, SF_FORMAT_PCM_16 },         { SF_FORMAT_AIFF, SF_FORMAT_PCM_24 },
    { SF_FORMAT_AIFF, SF_FORMAT_PCM_32 },         { SF_FORMAT_AIFF, SF_FORMAT_FLOAT },
    { SF_FORMAT_AIFF, SF_FORMAT_DOUBLE },         { SF_FORMAT_FLAC, SF_FORMAT_PCM_S8 },
    { SF_FORMAT_FLAC, SF_FORMAT_PCM_16 },         { SF_FORMAT_FLAC, SF_FORMAT_PCM_24 },
    { SF_FORMAT_OGG, SF_FORMAT_VORBIS },          { SF_FORMAT_OGG, SF_FORMAT_OPUS },
    { SF_FORMAT_MPEG, SF_FORMAT_MPEG_LAYER_I },   { SF_FORMAT_MPEG, SF_FORMAT_MPEG_LAYER_II },
    { SF_FORMAT_MPEG, SF_FORMAT_MPEG_LAYER_III },
};

typedef struct sound { /* an open file */
    SNDFILE *file;
    SF_INFO info;
    int block; /* frames per call */
} sound;

static bool is_accepted(int format)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].major == (format & SF_FORMAT_TYPEMASK) && formats[i].subtype == (format & SF_FORMAT_SUBMASK)) return true;
    return false;
}

/* Give the descriptor to libsndfile, which closes it, also after an error. */
static bool open_sound(int fd, sound *s, cak_reason *why)
{
    *s = (sound){ 0 };
    s->file = sf_open_fd(fd, SFM_READ, &s->info, SF_TRUE);
    if (!s->file) return cak_reject(why, CAK_E2002, "it cannot be decoded: %s", sf_strerror(NULL));
    const SF_INFO *i = &s->info;
    bool ok = true;
    if (!is_accepted(i->format))
        ok = cak_reject(why, CAK_E2002, "format 0x%06x of libsndfile is not accepted; convert it", i->format);
    else if (i->channels < 1 || i->channels > CAK_SOUND_MAX_CHANNELS)
        ok = cak_reject(why, CAK_E2002, "%d channels; 1 to %d are accepted", i->channels, CAK_SOUND_MAX_CHANNELS);
    else if (i->samplerate < CAK_SOUND_MIN_RATE || i->samplerate > CAK_SOUND_MAX_RATE)
        ok = cak_reject(why, CAK_E2002, "sample rate %d Hz; %d to %d are accepted", i->samplerate, CAK_SOUND_MIN_RATE,
                        CAK_SOUND_MAX_RATE);
    if (!ok) sf_close(s->file);
    else s->block = BLOCK / i->channels;
    return ok;
}

static int64_t read_frames(sound *s, float *out, int64_t n)
{
    int64_t got = sf_readf_float(s->file, out, cak_min64(n, s->block));
    return cak_max64(0, cak_min64(got, s->block));
}

/* ---- one complete look ---- */

static int64_t mtime_of(const struct stat *st) { return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec; }

/* Errors of the file system become a reason that does not depend on the contents. */
static bool unreadable(cak_diag *io, cak_scan *s)
{
    s->known = false;
    return cak_reject(&s->why, CAK_E2002, "%s", cak_diag_errors(io) ? cak_diag_message(io, 0) : "it changes while it is read");
}

static bool hash_bytes(cak_diag *io, int fd, const char *path, cak_scan *s)
{
    unsigned char *buf = cak_heap_alloc(HASH_BLOCK, "sound file");
    XXH3_state_t *state = XXH3_createState();
    bool ok = state && XXH3_128bits_reset(state) == XXH_OK;
    for (uint64_t at = 0; ok && at < s->size; at += HASH_BLOCK) {
        size_t n = (size_t)(s->size - at < HASH_BLOCK ? s->size - at : HASH_BLOCK);
        ok = cak_io_pread(io, CAK_E2002, fd, path, buf, n, at) && XXH3_128bits_update(state, buf, n) == XXH_OK;
    }
    if (ok) {
        XXH128_hash_t h = XXH3_128bits_digest(state);
        snprintf(s->hash, sizeof s->hash, "%016" PRIx64 "%016" PRIx64, h.high64, h.low64);
    }
    XXH3_freeState(state);
    cak_heap_free(buf);
    return ok;
}

bool cak_sound_hash(const char *path, cak_scan *s)
{
    *s = (cak_scan){ 0 };
    cak_diag *io = cak_diag_open();
    struct stat st;
    int fd = cak_io_open_read(io, CAK_E2002, path, &s->size);
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && hash_bytes(io, fd, path, s);
    if (ok) s->mtime = mtime_of(&st);
    s->known = ok;
    if (!ok) unreadable(io, s);
    if (fd >= 0) cak_io_close(fd);
    cak_diag_close(io);
    return ok;
}

static bool check_block(const float *x, int64_t frames, cak_scan *s)
{
    for (int64_t i = 0; i < frames * s->channels; i++) {
        double v = fabs((double)x[i]);
        if (v <= MAX_LEVEL) {
            if (v > s->peak) s->peak = v;
            continue;
        }
        int64_t at = s->frames + i / s->channels;
        int channel = (int)(i % s->channels);
        if (isfinite(v))
            return cak_reject(&s->why, CAK_E2003, "sample %" PRId64 " of channel %d is %g; sound lies within +-%d", at, channel,
                              (double)x[i], MAX_LEVEL);
        return cak_reject(&s->why, CAK_E2003, "sample %" PRId64 " of channel %d is %s", at, channel,
                          isnan(v) ? "NaN" : "infinite");
    }
    return true;
}

/* Did everything come out that the headers promise? The end of Opus streams is counted differently by a packet (at most 120 ms), that of
** MP3 by the encoder's delay; libsndfile stops early in MP3 of variable bit rate whose header does not tell the length. */
static bool check_count(const sound *f, int64_t promised, cak_scan *s)
{
    bool ogg = (f->info.format & SF_FORMAT_TYPEMASK) == SF_FORMAT_OGG;
    int64_t slack = ogg ? s->rate / 8 : 0;
    if (f->info.frames != SF_COUNT_MAX && s->frames + slack < f->info.frames)
        return cak_reject(&s->why, CAK_E2002, "truncated: the header says %" PRId64 " frames, %" PRId64 " could be decoded",
                          (int64_t)f->info.frames, s->frames);
    if (s->frames + MP3_SLACK < promised)
        return cak_reject(&s->why, CAK_E2002,
                          "MP3 without a header that tells its length: %" PRId64 " of %" PRId64 " frames are found; "
                          "encode it again",
                          s->frames, promised);
    return s->frames ? true : cak_reject(&s->why, CAK_E2002, "it holds no samples");
}

static bool decode_all(sound *f, int64_t promised, cak_scan *s)
{
    float *buf = cak_heap_alloc(BLOCK * sizeof *buf, "decoder");
    bool ok = true;
    s->channels = f->info.channels, s->rate = f->info.samplerate;
    for (int64_t n; ok && (n = read_frames(f, buf, f->block)) > 0; s->frames += n) {
        ok = check_block(buf, n, s);
        if (ok && s->frames > (int64_t)MAX_HOURS * 3600 * s->rate)
            ok = cak_reject(&s->why, CAK_E2002, "longer than %d hours", MAX_HOURS);
    }
    cak_heap_free(buf);
    if (!ok) return false;
    if (sf_error(f->file))
        return cak_reject(&s->why, CAK_E2002, "damaged after frame %" PRId64 ": %s", s->frames, sf_strerror(f->file));
    return check_count(f, promised, s);
}

bool cak_sound_scan(const char *path, cak_scan *s)
{
    cak_diag *io = cak_diag_open();
    uint64_t size;
    int64_t promised = 0;
    sound f = { 0 };
    int fd = cak_io_open_read(io, CAK_E2002, path, &size);
    bool ok = fd >= 0 && cak_sniff(io, fd, path, size, &promised, &s->why);
    if (!ok && fd >= 0) cak_io_close(fd);
    if (ok) ok = open_sound(fd, &f, &s->why);
    if (ok) ok = decode_all(&f, promised, s), sf_close(f.file);
    if (cak_diag_errors(io)) unreadable(io, s);
    cak_diag_close(io);
    return ok;
}

int64_t cak_sound_length(const cak_scan *s, int rate) { return (s->frames * rate + s->rate - 1) / s->rate; }

/* ---- reading ---- */

struct cak_reader {
    sound f;
    const char *path;
    float *decoded, *mono, *out; /* frames of all channels; their mean; resampled */
    soxr_t soxr;                 /* NULL: the rates are equal */
    int64_t frame, frames;       /* next frame to decode; frames of the file */
    int64_t skip, left;          /* resampled samples to drop, then to give */
    int64_t n_mono, at_mono, n_out, at_out;
    bool flushed;
};

static int64_t gcd(int64_t a, int64_t b) { return b ? gcd(b, a % b) : a; }

/* MP3 and Vorbis are decoded from their start: after a seek the first frames of MP3 are muted, because they borrow bits from frames before
** them, and libsndfile 1.2.0 lands at the wrong place in some Vorbis streams. */
static bool can_seek(const sound *f)
{
    bool vorbis = (f->info.format & SF_FORMAT_SUBMASK) == SF_FORMAT_VORBIS;
    return f->info.seekable && !vorbis && (f->info.format & SF_FORMAT_TYPEMASK) != SF_FORMAT_MPEG;
}

/* Where to start decoding for output sample `from`: a frame that coincides with an output sample. */
static void place(cak_reader *r, const cak_scan *s, int rate, int64_t from)
{
    int64_t g = gcd(s->rate, rate), down = s->rate / g, up = rate / g;
    int64_t block = cak_max64(0, from / up - (MARGIN + down - 1) / down);
    int64_t start = r->soxr ? block * down : from;
    if (start > 0 && can_seek(&r->f) && sf_seek(r->f.file, start, SEEK_SET) == start) {
        r->frame = start;
        r->skip = r->soxr ? from - block * up : 0;
    } else if (start > 0) { /* from the first frame */
        sf_seek(r->f.file, 0, SEEK_SET);
        r->skip = from;
    } else {
        r->skip = from;
    }
    r->left = cak_max64(0, cak_sound_length(s, rate) - from);
}

static bool open_resampler(cak_reader *r, cak_diag *d, const cak_scan *s, int rate)
{
    if (s->rate == rate) return true;
    soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
    soxr_error_t error = NULL;
    r->soxr = soxr_create(s->rate, rate, 1, &error, &io, &quality, &runtime);
    return r->soxr ? true
                   : cak_error(d, CAK_E2002, CAK_NOWHERE, "%s: no resampler from %d to %d Hz: %s", r->path, s->rate, rate, error);
}

cak_reader *cak_reader_open(cak_diag *d, const char *path, const cak_scan *s, int rate, int64_t from)
{
    cak_reason why;
    uint64_t size;
    struct stat st;
    int fd = cak_io_open_read(d, CAK_E2006, path, &size);
    if (fd < 0) return NULL;
    if (fstat(fd, &st) != 0 || size != s->size || mtime_of(&st) != s->mtime) {
        cak_io_close(fd);
        return cak_error(d, CAK_E2006, CAK_NOWHERE, "%s changed after it was checked", path), NULL;
    }
    cak_reader *r = cak_heap_alloc(sizeof *r, "reader");
    *r = (cak_reader){ .path = path, .frames = s->frames };
    if (!open_sound(fd, &r->f, &why)) {
        cak_error(d, why.code, CAK_NOWHERE, "%s: %s", path, why.text);
        cak_heap_free(r);
        return NULL;
    }
    float *buf = cak_heap_alloc(3 * BLOCK * sizeof *buf, "reader");
    r->decoded = buf, r->mono = buf + BLOCK, r->out = buf + 2 * BLOCK;
    if (!open_resampler(r, d, s, rate)) return cak_reader_close(r), NULL;
    place(r, s, rate, from);
    return r;
}

void cak_reader_close(cak_reader *r)
{
    if (!r) return;
    if (r->soxr) soxr_delete(r->soxr);
    sf_close(r->f.file);
    cak_heap_free(r->decoded);
    cak_heap_free(r);
}

/* Decode the next block to mono; false after an error. n_mono is 0 at the end. */
static bool decode(cak_reader *r, cak_diag *d)
{
    int channels = r->f.info.channels;
    r->at_mono = 0;
    r->n_mono = r->frame < r->frames ? read_frames(&r->f, r->decoded, r->frames - r->frame) : 0;
    if (!r->n_mono && r->frame < r->frames)
        return cak_error(d, CAK_E2006, CAK_NOWHERE, "%s: frame %" PRId64 " of %" PRId64 " cannot be decoded any more", r->path,
                         r->frame, r->frames);
    r->frame += r->n_mono;
    for (int64_t i = 0; i < r->n_mono; i++) {
        double sum = 0;
        for (int c = 0; c < channels; c++) sum += (double)r->decoded[i * channels + c];
        r->mono[i] = (float)(sum / channels);
    }
    return true;
}

/* The next samples at the wanted rate into r->out; n_out is 0 when there are no more. */
static bool refill(cak_reader *r, cak_diag *d)
{
    r->at_out = r->n_out = 0;
    if (!r->soxr) {
        if (!decode(r, d)) return false;
        memcpy(r->out, r->mono, (size_t)r->n_mono * sizeof *r->out);
        r->n_out = r->n_mono;
        return true;
    }
    while (!r->n_out && !r->flushed) {
        if (r->at_mono == r->n_mono && !decode(r, d)) return false;
        size_t used = 0, made = 0, n = (size_t)(r->n_mono - r->at_mono);
        soxr_error_t error = soxr_process(r->soxr, n ? r->mono + r->at_mono : NULL, n, &used, r->out, BLOCK, &made);
        if (error) return cak_error(d, CAK_E2002, CAK_NOWHERE, "%s: resampling failed: %s", r->path, error);
        r->at_mono += (int64_t)used;
        r->n_out = (int64_t)made;
        r->flushed = !n && !made;
    }
    return true;
}

int64_t cak_reader_read(cak_reader *r, cak_diag *d, int64_t n, real *out)
{
    int64_t done = 0;
    n = cak_min64(n, r->left);
    while (done < n) {
        if (r->at_out == r->n_out && !refill(r, d)) return -1;
        if (!r->n_out) { /* the filter gave a sample less than the length says */
            while (done < n) out[done++] = 0;
            break;
        }
        int64_t drop = cak_min64(r->skip, r->n_out - r->at_out);
        r->skip -= drop, r->at_out += drop;
        int64_t take = cak_min64(n - done, r->n_out - r->at_out);
        for (int64_t i = 0; i < take; i++) out[done + i] = (real)r->out[r->at_out + i];
        done += take, r->at_out += take;
    }
    r->left -= done;
    return done;
}
