/* Finds sound files: folders, lists, single files. */
#include "nodes/audio/lib_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "graph/io.h"
#include "graph/text.h"
#include "graph/utf8.h"

enum { MAX_LIST_BYTES = 64 << 20, MAX_DEPTH = 64 };
static const char *const extensions[] = { ".wav", ".mp3", ".flac", ".aiff", ".aif", ".ogg", ".oga", ".opus", NULL };
static const char *const lists[] = { ".txt", ".m3u", NULL };

typedef struct folder_id {
    dev_t dev;
    ino_t ino;
} folder_id;

typedef struct finder {
    cak_arena *a;
    cak_diag *d;
    cak_audio_file *file;
    int n, cap;
    int seen; /* files of any kind */
    folder_id *visited;
    int n_visited, cap_visited;
} finder;

const char *cak_path_join(cak_arena *a, const char *dir, const char *path)
{
    if (path[0] == '/' || !dir || !*dir) return cak_arena_text(a, path);
    return cak_arena_print(a, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", path);
}

static bool ends_in(const char *name, const char *const *suffixes)
{
    size_t n = strlen(name);
    for (; *suffixes; suffixes++) {
        size_t m = strlen(*suffixes);
        if (n > m && !strcasecmp(name + n - m, *suffixes)) return true;
    }
    return false;
}

const char *cak_printable(cak_arena *a, const char *name)
{
    cak_text_builder b = { .a = a };
    for (size_t left = strlen(name); left;) {
        uint32_t cp = 0;
        int k = cak_utf8_next(name, left, &cp);
        bool fits = k > 0 && cak_utf8_allowed(cp) && cp >= 0x20;
        if (fits) cak_text_add(&b, "%.*s", k, name);
        else cak_text_add(&b, "\\x%02X", (unsigned)(unsigned char)*name);
        if (!fits) k = 1;
        name += k, left -= (size_t)k;
    }
    return cak_text_done(&b);
}

static void add(finder *f, const char *path, const char *name)
{
    f->file = cak_arena_grow(f->a, f->file, &f->cap, f->n + 1, sizeof *f->file);
    f->file[f->n++] = (cak_audio_file){ path, cak_printable(f->a, name) };
}

/* False when this folder was visited before, on whatever path. */
static bool first_visit(finder *f, const struct stat *st)
{
    for (int i = 0; i < f->n_visited; i++)
        if (f->visited[i].dev == st->st_dev && f->visited[i].ino == st->st_ino) return false;
    f->visited = cak_arena_grow(f->a, f->visited, &f->cap_visited, f->n_visited + 1, sizeof *f->visited);
    f->visited[f->n_visited++] = (folder_id){ st->st_dev, st->st_ino };
    return true;
}

static bool walk(finder *f, const char *folder, const char *prefix, int depth)
{
    int n;
    const cak_io_entry *e = cak_io_list(f->a, f->d, folder, &n);
    if (!e) return false;
    for (int i = 0; i < n; i++) {
        const char *path = cak_path_join(f->a, folder, e[i].name), *name = cak_arena_print(f->a, "%s%s", prefix, e[i].name);
        struct stat st;
        if (stat(path, &st) != 0) continue; /* a dangling link, or gone meanwhile */
        if (S_ISDIR(st.st_mode)) {
            if (depth < MAX_DEPTH && first_visit(f, &st) && !walk(f, path, cak_arena_print(f->a, "%s/", name), depth + 1))
                return false;
        } else if (S_ISREG(st.st_mode)) {
            f->seen++;
            if (ends_in(e[i].name, extensions)) add(f, path, name);
        }
    }
    return true;
}

static bool read_list(finder *f, const char *path)
{
    char *text = cak_io_read_all(f->a, f->d, CAK_E4002, path, MAX_LIST_BYTES, NULL);
    if (!text) return false;
    const char *slash = strrchr(path, '/');
    const char *dir = slash ? cak_arena_print(f->a, "%.*s", (int)(slash - path) + 1, path) : "";
    for (char *save, *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
        if (*line == '#') continue;
        f->seen++;
        add(f, cak_path_join(f->a, dir, line), line);
    }
    return true;
}

static int by_path(const void *x, const void *y)
{
    return strcmp(((const cak_audio_file *)x)->path, ((const cak_audio_file *)y)->path);
}

static int sort_unique(cak_audio_file *file, int n)
{
    int kept = 0;
    if (n) qsort(file, (size_t)n, sizeof *file, by_path);
    for (int i = 0; i < n; i++)
        if (!kept || strcmp(file[kept - 1].path, file[i].path)) file[kept++] = file[i];
    return kept;
}

const cak_audio_file *cak_audio_files(cak_arena *a, cak_diag *d, cak_pos at, const char *path, int *n)
{
    finder f = { .a = a, .d = d };
    struct stat st;
    *n = 0;
    if (stat(path, &st) != 0) return cak_error(d, CAK_E2001, at, "cannot open %s: %s", path, strerror(errno)), NULL;
    if (S_ISDIR(st.st_mode)) {
        first_visit(&f, &st);
        if (!walk(&f, path, "", 0)) return NULL;
    } else if (ends_in(path, lists)) {
        if (!read_list(&f, path)) return NULL;
    } else {
        const char *slash = strrchr(path, '/');
        add(&f, path, slash ? slash + 1 : path);
    }
    *n = sort_unique(f.file, f.n);
    if (*n) return f.file;
    cak_error(d, CAK_E2001, at, "no sound file in %s: %d file%s seen, none ends in .wav .mp3 .flac .aiff .aif .ogg .oga .opus",
              path, f.seen, f.seen == 1 ? "" : "s");
    return NULL;
}
