/* Names of files in a short form, for people who read them. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "graph/io.h"

static bool is(const char *part, size_t n, const char *word) { return n == strlen(word) && !memcmp(part, word, n); }

/* The length of out[0..n) without its last folder; n where there is none to take away. */
static size_t parent(const char *out, size_t n)
{
    size_t from = n ? n - 1 : 0; /* the slash at the end */
    while (from > 0 && out[from - 1] != '/') from--;
    return n > 1 && !is(out + from, n - from, "../") ? from : n;
}

/* Folders without ".", double slashes, and "name/..". Every folder that is kept ends with a slash. */
static size_t shorten(char *out, const char *folders, size_t n)
{
    size_t len = 0;
    if (n && folders[0] == '/') out[len++] = '/';
    for (size_t at = 0, end; at < n; at = end + 1) {
        end = at + strcspn(folders + at, "/");
        const char *part = folders + at;
        size_t size = end - at, up = parent(out, len);
        if (size == 0 || is(part, size, ".")) continue;
        if (is(part, size, "..") && up < len) {
            len = up;
            continue;
        }
        memcpy(out + len, part, size);
        len += size;
        out[len++] = '/';
    }
    out[len] = '\0';
    return len;
}

/* Do both name the same folder? "a/link/.." need not be "a". */
static bool same_folder(const char *x, const char *y)
{
    char a[PATH_MAX], b[PATH_MAX];
    return realpath(*x ? x : ".", a) && realpath(*y ? y : ".", b) && !strcmp(a, b);
}

const char *cak_io_short(cak_arena *a, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = (size_t)(name - path);
    char *out = cak_arena_alloc(a, strlen(path) + 2);
    size_t len = shorten(out, path, n);
    if (!same_folder(out, cak_arena_print(a, "%.*s", (int)n, path))) return path;
    memcpy(out + len, name, strlen(name) + 1);
    return out;
}
