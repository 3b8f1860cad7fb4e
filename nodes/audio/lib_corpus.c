/* Checks the files of a corpus in parallel and remembers what it found. */
#include "nodes/audio/lib_corpus.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "graph/io.h"
#include "graph/par.h"

/* ---- memory: <dir>/scans, one line per file content, appended with single writes ---- */

#define LINE_VERSION "1"
enum { MAX_MEMORY = 256 << 20 };
static const double SILENCE = 1e-7; /* -140 dB */
static const char *memory_dir;

void cak_corpus_memory(const char *dir) { memory_dir = dir; }

static const char *memory_path(cak_arena *a) { return cak_arena_print(a, "%s/scans", memory_dir); }

static char *line_of(cak_arena *a, const cak_scan *s)
{
    char *reason = cak_arena_text(a, s->why.text);
    for (char *c = reason; *c; c++)
        if ((unsigned char)*c < 0x20) *c = ' ';
    char *text = cak_arena_print(a, LINE_VERSION " %s %d %d %" PRId64 " %a %s %s", s->hash, s->channels, s->rate, s->frames,
                                 s->peak, *reason ? cak_code_name(s->why.code) : "ok", reason);
    return cak_arena_print(a, "%016" PRIx64 " %s\n", (uint64_t)XXH3_64bits(text, strlen(text)), text);
}

static bool parse_line(const char *line, cak_scan *s)
{
    uint64_t sum;
    int at = 0, end = 0;
    char code[8] = "";
    if (sscanf(line, "%16" SCNx64 " %n", &sum, &at) < 1 || sum != XXH3_64bits(line + at, strlen(line + at))) return false;
    *s = (cak_scan){ .known = true };
    if (sscanf(line + at, LINE_VERSION " %32s %d %d %" SCNd64 " %la %7s %n", s->hash, &s->channels, &s->rate, &s->frames,
               &s->peak, code, &end) < 6)
        return false;
    s->why.code = strcmp(code, cak_code_name(CAK_E2003)) ? CAK_E2002 : CAK_E2003;
    if (strcmp(code, "ok")) snprintf(s->why.text, sizeof s->why.text, "%s", line + at + end);
    return true;
}

static int by_hash(const void *x, const void *y) { return strcmp(((const cak_scan *)x)->hash, ((const cak_scan *)y)->hash); }

/* Everything remembered, sorted by hash; lines that are damaged do not count. */
static cak_scan *recall(cak_arena *a, int *n)
{
    cak_scan *scan = NULL;
    int cap = 0;
    *n = 0;
    if (!memory_dir || !cak_io_exists(memory_path(a))) return NULL;
    cak_diag *quiet = cak_diag_open(); /* without the memory everything is checked again, which is no error */
    char *text = cak_io_read_all(a, quiet, CAK_E4002, memory_path(a), MAX_MEMORY, NULL);
    cak_diag_close(quiet);
    for (char *save, *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
        scan = cak_arena_grow(a, scan, &cap, *n + 1, sizeof *scan);
        if (parse_line(line, &scan[*n])) ++*n;
    }
    if (*n) qsort(scan, (size_t)*n, sizeof *scan, by_hash);
    return scan;
}

static void remember(cak_arena *a, const cak_track *track, const bool *fresh, int n)
{
    cak_diag *quiet = cak_diag_open();
    int fd = memory_dir && cak_io_mkdirs(quiet, memory_dir) ? cak_io_open_append(quiet, memory_path(a)) : -1;
    for (int i = 0; i < n && fd >= 0; i++) {
        if (!fresh[i] || !track[i].scan.known) continue;
        const char *line = line_of(a, &track[i].scan);
        if (!cak_io_append(quiet, fd, memory_path(a), line, strlen(line))) break;
    }
    if (fd >= 0) cak_io_close(fd);
    cak_diag_close(quiet);
}

/* ---- checking ---- */

/* Hash every file, take the remembered verdict or decode it. */
static void scan_all(cak_arena *a, cak_track *track, int n)
{
    int n_known;
    const cak_scan *known = recall(a, &n_known);
    bool *fresh = cak_arena_alloc(a, (size_t)n + 1);
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic)
#endif
    for (int i = 0; i < n; i++) {
        cak_scan *s = &track[i].scan;
        if (!cak_sound_hash(track[i].path, s)) continue;
        const cak_scan *old = n_known ? bsearch(s, known, (size_t)n_known, sizeof *known, by_hash) : NULL;
        if (old) {
            uint64_t size = s->size;
            int64_t mtime = s->mtime;
            *s = *old;
            s->size = size, s->mtime = mtime;
        } else {
            fresh[i] = true;
            cak_sound_scan(track[i].path, s);
        }
    }
    remember(a, track, fresh, n);
}

/* What depends on the attributes rather than on the file alone. */
static bool check_use(const cak_corpus_options *o, cak_track *t)
{
    if (t->scan.why.text[0]) return false;
    t->length = cak_sound_length(&t->scan, o->rate);
    double seconds = (double)t->scan.frames / t->scan.rate;
    if (seconds > o->max_seconds)
        return cak_reject(&t->scan.why, CAK_E2002, "%.1f s long; `max_seconds` is %g", seconds, o->max_seconds);
    if (t->length < o->min_samples)
        return cak_reject(&t->scan.why, CAK_E2003, "too short: %" PRId64 " samples at %d Hz; `min_samples` is %" PRId64,
                          t->length, o->rate, o->min_samples);
    if (t->scan.peak < SILENCE) return cak_reject(&t->scan.why, CAK_E2003, "silent: its largest sample is %g", t->scan.peak);
    return true;
}

/* Both names in one string would say the folder twice; reasons of the file system carry the path already. */
static const char *sentence(cak_arena *a, const cak_track *t)
{
    return t->scan.known ? cak_arena_print(a, "%s: %s", t->path, t->scan.why.text) : t->scan.why.text;
}

bool cak_corpus_open(cak_arena *a, cak_diag *d, cak_pos at, const cak_corpus_options *o, cak_corpus *c)
{
    int n;
    const cak_audio_file *file = cak_audio_files(a, d, at, o->path, &n);
    *c = (cak_corpus){ 0 };
    if (!file) return false;
    if (o->max_files && n > o->max_files) n = o->max_files;
    c->track = cak_arena_alloc(a, (size_t)n * sizeof *c->track);
    c->skipped = cak_arena_alloc(a, (size_t)n * sizeof *c->skipped);
    for (int i = 0; i < n; i++) c->track[i] = (cak_track){ .path = file[i].path, .name = file[i].name };
    scan_all(a, c->track, n);
    bool ok = true;
    for (int i = 0; i < n; i++) {
        cak_track *t = &c->track[i];
        if (check_use(o, t)) {
            c->track[c->n++] = *t;
        } else if (o->skip) {
            c->skipped[c->n_skipped++] = cak_arena_print(a, "%s: %s", t->name, cak_printable(a, t->scan.why.text));
        } else {
            ok = cak_error(d, t->scan.why.code, at, "%s", sentence(a, t));
        }
    }
    if (ok && !c->n)
        ok = cak_error(d, CAK_E2001, at, "no usable sound file in %s: %d of %d are bad, the first: %s", o->path, n, n,
                       c->skipped[0]);
    return ok;
}
