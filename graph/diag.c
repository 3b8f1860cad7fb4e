/* Diagnostics: record errors and warnings with their place, print them the way compilers do. */
#include "graph/diag.h"

#include <ctype.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph/arena.h"
#include "graph/utf8.h"

typedef enum level { ERROR, WARNING, NOTE } level;
static const char *const level_name[] = { "error", "warning", "note" };

typedef struct item item;
struct item { /* one error or warning with its notes, or a note */
    level level;
    cak_code code;
    cak_pos at;
    const char *message;
    const char *source; /* text of the file when the item was recorded, or NULL */
    bool hidden;        /* not counted, not shown: it is here for the notes that are added to it */
    pthread_t thread;   /* a note belongs to the last item of its own thread */
    item *next, *prev, *note, *last_note;
};

typedef struct file {
    const char *name, *text;
    struct file *next;
} file;

typedef struct place {
    cak_pos at;
    struct place *next;
} place;

struct cak_diag {
    pthread_mutex_t lock;
    cak_arena *files_arena, *arena; /* files survive cak_diag_clear */
    file *files;
    place *silent;
    bool muted[CAK_CODE_COUNT];
    item *first, *last;
    int errors, warnings;
};

typedef struct code_row {
    const char *name, *meaning;
    int exit;
} code_row;
static const code_row codes[] = {
#define ERR(id, exit_code, meaning) { #id, meaning, exit_code },
#include "graph/errors.def"
#undef ERR
};

const char *cak_code_name(cak_code code) { return codes[code].name; }
const char *cak_code_meaning(cak_code code) { return codes[code].meaning; }
int cak_code_exit(cak_code code) { return codes[code].exit; }

_Noreturn void cak_bug(const char *expr, const char *file_name, int line)
{
    fprintf(stderr, "cak: bug: %s:%d: '%s' does not hold; please report this\n", file_name, line, expr);
    fflush(stderr);
    _exit(CAK_EXIT_BUG); /* other threads may be in any state: run no exit handlers */
}

cak_diag *cak_diag_open(void)
{
    cak_diag *d = cak_heap_alloc(sizeof *d, "diagnostics");
    d->files_arena = cak_arena_open("names and texts of files");
    d->arena = cak_arena_open("diagnostics");
    CAK_CHECK(pthread_mutex_init(&d->lock, NULL) == 0);
    return d;
}

void cak_diag_close(cak_diag *d)
{
    if (!d) return;
    pthread_mutex_destroy(&d->lock);
    cak_arena_close(d->files_arena);
    cak_arena_close(d->arena);
    cak_heap_free(d);
}

void cak_diag_clear(cak_diag *d)
{
    cak_arena_close(d->arena);
    d->arena = cak_arena_open("diagnostics");
    d->first = d->last = NULL;
    d->silent = NULL;
    d->errors = d->warnings = 0;
}

/* The record of a file, made when it is new: names are copied, so that a place may outlive what it was read from. */
static file *find_file(cak_diag *d, const char *name)
{
    for (file *f = d->files; f; f = f->next)
        if (!strcmp(f->name, name)) return f;
    file *f = cak_arena_alloc(d->files_arena, sizeof *f);
    *f = (file){ cak_arena_text(d->files_arena, name), NULL, d->files };
    return d->files = f;
}

void cak_diag_source(cak_diag *d, const char *name, const char *text)
{
    pthread_mutex_lock(&d->lock);
    file *f = find_file(d, name);
    if (!f->text || strcmp(f->text, text)) f->text = cak_arena_text(d->files_arena, text);
    pthread_mutex_unlock(&d->lock);
}

/* ---- what is not recorded ---- */

static bool same_place(cak_pos x, cak_pos y)
{
    return x.line == y.line && x.col == y.col && x.file && y.file && !strcmp(x.file, y.file);
}

static bool silent(const cak_diag *d, cak_pos at)
{
    const place *p = d->silent;
    while (p && !same_place(p->at, at)) p = p->next;
    return p != NULL;
}

void cak_diag_silence(cak_diag *d, cak_pos at)
{
    pthread_mutex_lock(&d->lock);
    place *p = cak_arena_alloc(d->arena, sizeof *p);
    *p = (place){ at, d->silent };
    if (at.file) p->at.file = find_file(d, at.file)->name;
    d->silent = p;
    pthread_mutex_unlock(&d->lock);
}

bool cak_diag_silent(cak_diag *d, cak_pos at)
{
    pthread_mutex_lock(&d->lock);
    bool is = silent(d, at);
    pthread_mutex_unlock(&d->lock);
    return is;
}

void cak_diag_mute(cak_diag *d, cak_code code, bool mute)
{
    pthread_mutex_lock(&d->lock);
    d->muted[code] = mute;
    pthread_mutex_unlock(&d->lock);
}

/* Errors without a line may differ in what they are about. */
static bool recorded(const cak_diag *d, const item *it)
{
    const item *old = it->at.line ? d->first : NULL;
    while (old && !(!old->hidden && old->level == it->level && old->code == it->code && same_place(old->at, it->at) &&
                    !strcmp(old->message, it->message)))
        old = old->next;
    return old != NULL;
}

/* ---- recording ---- */

static char *format(cak_arena *a, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    CAK_CHECK(n >= 0);
    char *text = cak_arena_alloc(a, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    return text;
}

static item *new_item(cak_diag *d, level lv, cak_code code, cak_pos at, const char *fmt, va_list ap)
{
    item *it = cak_arena_alloc(d->arena, sizeof *it);
    *it = (item){ .level = lv, .code = code, .at = at, .thread = pthread_self() };
    if (at.file) {
        const file *f = find_file(d, at.file);
        it->at.file = f->name;
        it->source = f->text;
    }
    it->message = format(d->arena, fmt, ap);
    return it;
}

static void record(cak_diag *d, level lv, cak_code code, cak_pos at, const char *fmt, va_list ap)
{
    pthread_mutex_lock(&d->lock);
    item *it = new_item(d, lv, code, at, fmt, ap);
    it->hidden = recorded(d, it) || (lv == ERROR && (d->muted[code] || silent(d, it->at)));
    it->prev = d->last;
    *(d->last ? &d->last->next : &d->first) = it;
    d->last = it;
    if (!it->hidden) lv == ERROR ? d->errors++ : d->warnings++;
    pthread_mutex_unlock(&d->lock);
}

bool cak_error(cak_diag *d, cak_code code, cak_pos at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    record(d, ERROR, code, at, fmt, ap);
    va_end(ap);
    return false;
}

void cak_warn(cak_diag *d, cak_pos at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    record(d, WARNING, 0, at, fmt, ap);
    va_end(ap);
}

void cak_note(cak_diag *d, cak_pos at, const char *fmt, ...)
{
    pthread_mutex_lock(&d->lock);
    item *owner = d->last;
    while (owner && !pthread_equal(owner->thread, pthread_self())) owner = owner->prev;
    CAK_CHECK(owner != NULL);
    va_list ap;
    va_start(ap, fmt);
    item *note = new_item(d, NOTE, 0, at, fmt, ap);
    va_end(ap);
    *(owner->last_note ? &owner->last_note->next : &owner->note) = note;
    owner->last_note = note;
    pthread_mutex_unlock(&d->lock);
}

/* ---- reading back ---- */

static const item *nth_error(const cak_diag *d, int i)
{
    const item *it = d->first;
    for (; it; it = it->next)
        if (it->level == ERROR && !it->hidden && i-- == 0) return it;
    CAK_CHECK(!"number of an error");
    return NULL;
}

int cak_diag_errors(const cak_diag *d) { return d->errors; }
int cak_diag_exit(const cak_diag *d) { return d->errors ? cak_code_exit(nth_error(d, 0)->code) : CAK_EXIT_OK; }
cak_code cak_diag_code(const cak_diag *d, int i) { return nth_error(d, i)->code; }
const char *cak_diag_message(const cak_diag *d, int i) { return nth_error(d, i)->message; }
cak_pos cak_diag_pos(const cak_diag *d, int i) { return nth_error(d, i)->at; }

/* ---- printing ---- */

/* Columns that a terminal gives to a character: 0 for combining marks, 2 for East Asian wide characters and emoji. */
static int width(uint32_t cp)
{
    static const struct {
        uint32_t first, last;
        int width;
    } range[] = { { 0x300, 0x36f, 0 },   { 0x1100, 0x115f, 2 },   { 0x200b, 0x200d, 0 },  { 0x2e80, 0xa4cf, 2 },
                  { 0xac00, 0xd7a3, 2 }, { 0xf900, 0xfaff, 2 },   { 0xfe00, 0xfe0f, 0 },  { 0xfe30, 0xfe6f, 2 },
                  { 0xff01, 0xff60, 2 }, { 0x1f300, 0x1faff, 2 }, { 0x20000, 0x3fffd, 2 } };
    for (size_t i = 0; i < sizeof range / sizeof *range; i++)
        if (cp >= range[i].first && cp <= range[i].last) return range[i].width;
    return 1;
}

/* Letters that turn the direction of writing can make a text look like another one; they are shown as bytes. */
static bool bidi(uint32_t cp) { return (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069); }

/* Print the first character of s (n bytes left), unprintable bytes as \xNN (f NULL: only measure). Returns its bytes. */
static int put_char(FILE *f, const char *s, size_t n, int *columns)
{
    uint32_t cp;
    int bytes = cak_utf8_next(s, n, &cp);
    bool plain = bytes && cak_utf8_allowed(cp) && cp >= 0x20 && !bidi(cp);
    if (!bytes) bytes = 1;
    *columns = plain ? width(cp) : cp == '\t' ? 4 : 4 * bytes;
    if (!f) return bytes;
    if (plain) fwrite(s, 1, (size_t)bytes, f);
    else if (*s == '\t') fputs("    ", f);
    else
        for (int i = 0; i < bytes; i++) fprintf(f, "\\x%02x", (unsigned char)s[i]);
    return bytes;
}

static void put_text(FILE *f, const char *s)
{
    int columns;
    for (size_t n = strlen(s); n > 0;) {
        int bytes = put_char(f, s, n, &columns);
        s += bytes, n -= (size_t)bytes;
    }
}

/* Line `number` of a text, without its end; lines end as in YAML with \n, \r or \r\n. NULL when there is none. */
static const char *find_line(const char *text, int number, size_t *n)
{
    for (; number > 1; number--) {
        text += strcspn(text, "\r\n");
        if (!*text) return NULL;
        text += text[0] == '\r' && text[1] == '\n' ? 2 : 1;
    }
    *n = strcspn(text, "\r\n");
    return text;
}

enum { BEFORE = 80, SHOWN = 160 }; /* of a long line, the part around the place is shown */

/* The source line and the caret below it. */
static void put_source(FILE *f, const item *it)
{
    size_t n;
    const char *line = it->source && it->at.line ? find_line(it->source, it->at.line, &n) : NULL;
    if (!line || it->at.col < 1) return;
    const char *end = line + n;
    int skip = it->at.col > BEFORE + 1 ? it->at.col - 1 - BEFORE : 0, columns, pad = 0, under = 0;
    for (int i = 0; i < skip && line < end; i++) line += put_char(NULL, line, (size_t)(end - line), &columns);
    fprintf(f, "%5d | %s", it->at.line, skip ? "..." : "");
    int col = skip + 1, last = it->at.col + (it->at.len > 1 ? it->at.len : 1);
    for (; line < end && col <= skip + SHOWN; col++) {
        line += put_char(f, line, (size_t)(end - line), &columns);
        if (col < it->at.col) pad += columns;
        else if (col < last) under += columns;
    }
    fprintf(f, "%s\n      | %*s^", line < end ? "..." : "", pad + (skip ? 3 : 0), "");
    for (int i = 1; i < under && it->at.len > 1; i++) fputc('~', f);
    fputc('\n', f);
}

static void put_item(FILE *f, const item *it)
{
    if (it->level == NOTE && !it->at.file) {
        fputs("      = ", f);
    } else {
        put_text(f, it->at.file ? it->at.file : "cak");
        if (it->at.line) fprintf(f, ":%d:%d", it->at.line, it->at.col);
        fprintf(f, ": %s: ", level_name[it->level]);
    }
    put_text(f, it->message);
    if (it->level == ERROR) fprintf(f, " [%s]", cak_code_name(it->code));
    fputc('\n', f);
    put_source(f, it);
}

void cak_diag_print(const cak_diag *d, FILE *f)
{
    for (const item *it = d->first; it; it = it->next) {
        if (it->hidden) continue;
        put_item(f, it);
        for (const item *note = it->note; note; note = note->next) put_item(f, note);
    }
    if (d->errors) fprintf(f, "%d error%s%s", d->errors, d->errors == 1 ? "" : "s", d->warnings ? ", " : "");
    if (d->warnings) fprintf(f, "%d warning%s", d->warnings, d->warnings == 1 ? "" : "s");
    if (d->errors || d->warnings) fputc('\n', f);
}

/* ---- suggestions ---- */

enum { LONGEST = 128 };

/* Capitals and the choice between - and _ are no difference worth a distance. */
static int fold(char c) { return c == '-' ? '_' : tolower((unsigned char)c); }

/* Damerau-Levenshtein distance (neighbours swapped count once) of two words of at most LONGEST bytes. */
static int distance(const char *a, const char *b)
{
    int n = (int)strlen(b), row[3][LONGEST + 1];
    int *before = row[0], *last = row[1], *now = row[2];
    for (int j = 0; j <= n; j++) last[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            int differ = fold(a[i - 1]) != fold(b[j - 1]), best = last[j - 1] + differ;
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]);
            if (swapped && before[j - 2] + 1 < best) best = before[j - 2] + 1;
            now[j] = best;
        }
        int *free_row = before;
        before = last, last = now, now = free_row;
    }
    return last[n];
}

const char *cak_suggest(const char *word, const char *const *candidates, int n)
{
    size_t len = strlen(word);
    if (len > LONGEST) return NULL;
    int limit = len > 3 ? (int)len / 3 : 1, best = limit + 1;
    const char *nearest = NULL;
    for (int i = 0; i < n; i++) {
        if (strlen(candidates[i]) > LONGEST) continue;
        int dist = distance(word, candidates[i]);
        if (dist >= best || dist >= (int)len) continue; /* nothing in common is no suggestion */
        best = dist, nearest = candidates[i];
    }
    return nearest;
}
