/* Hydra's multirun: the sweep that `cak train -m CONFIG hp.lr=1e-4,1e-3 seed=range(0,5)` means. */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "experiments/sweep_parts.h"
#include "graph/text.h"
#include "graph/yaml_parse.h"

typedef struct multirun {
    cak_arena *a;
    cak_diag *d;
    cak_text_builder parameters; /* the section of a sweep file */
    const char **name;           /* what tells this sweep from others: keys of those with several values, whole overrides else */
    int n;
} multirun;

/* ---- splitting ---- */

/* The first comma outside of quotes and brackets, or the end. */
static const char *piece_end(const char *s)
{
    int depth = 0;
    for (char quote = 0; *s; s++) {
        if (quote) {
            if (*s == '\\' && quote == '"' && s[1]) s++;
            else if (*s == quote) quote = 0;
        } else if (*s == '"' || *s == '\'') quote = *s;
        else if (strchr("[{(", *s)) depth++;
        else if (strchr("]})", *s)) depth--;
        else if (*s == ',' && depth <= 0) break;
    }
    return s;
}

static const char *trim(cak_arena *a, const char *from, const char *end)
{
    while (from < end && *from == ' ') from++;
    while (end > from && end[-1] == ' ') end--;
    return cak_arena_print(a, "%.*s", (int)(end - from), from);
}

/* Pieces between commas; *n of them. */
static const char **split(cak_arena *a, const char *text, int *n)
{
    const char **piece = NULL;
    int cap = 0;
    *n = 0;
    for (const char *s = text;; s++) {
        const char *end = piece_end(s);
        piece = cak_arena_grow(a, piece, &cap, *n + 1, sizeof *piece);
        piece[(*n)++] = trim(a, s, end);
        s = end;
        if (!*s) return piece;
    }
}

/* ---- functions ---- */

/* The inside of name(...), NULL when the text is no call. */
static const char *call(cak_arena *a, const char *text, const char **name)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_"), len = strlen(text);
    if (!n || text[n] != '(' || text[len - 1] != ')') return NULL;
    *name = cak_arena_print(a, "%.*s", (int)n, text);
    return cak_arena_print(a, "%.*s", (int)(len - n - 2), text + n + 1);
}

/* ---- one override ---- */

static cak_pos place(const multirun *m, int number, const char *text, const char *at)
{
    const char *file = cak_arena_print(m->a, "<override %d>", number + 1);
    cak_diag_source(m->d, file, text);
    return (cak_pos){ file, 1, (int32_t)(at - text) + 1, (int32_t)strlen(at) };
}

/* Values as the flow list of a sweep file. Each is read by itself, so that a mistake is found where it is. */
static bool add_values(multirun *m, cak_pos at, const char *const *piece, int n)
{
    bool ok = true;
    for (int i = 0; i < n; i++) {
        cak_yaml *value = *piece[i] ? cak_yaml_parse(m->a, m->d, at.file, piece[i], strlen(piece[i])) : NULL;
        if (!*piece[i]) cak_error(m->d, CAK_E1104, at, "an empty value between commas; write null or \"\" if that is meant");
        ok = ok && value;
        if (value) cak_text_add(&m->parameters, "%s%s", i ? ", " : "", cak_sweep_value(m->a, value));
    }
    return ok;
}

static bool add_call(multirun *m, cak_pos at, const char *name, const char *inside)
{
    int n;
    const char **piece = split(m->a, inside, &n);
    if (!strcmp(name, "choice")) {
        cak_text_add(&m->parameters, "{values: [");
        bool ok = add_values(m, at, piece, n);
        cak_text_add(&m->parameters, "]}\n");
        return ok;
    }
    if (!strcmp(name, "range")) {
        const char *from = n == 1 ? "0" : piece[0], *below = piece[n == 1 ? 0 : 1];
        if (n > 3) return cak_error(m->d, CAK_E1104, at, "range takes (from, below) or (from, below, step)");
        cak_text_add(&m->parameters, n == 3 ? "{range: [%s, %s, %s]}\n" : "{range: [%s, %s]}\n", from, below, piece[n - 1]);
        return true;
    }
    if (!strcmp(name, "interval"))
        return cak_error(m->d, CAK_E1104, at,
                         "an interval is no list of values: multirun is a grid; write a sweep file with method: random or sobol");
    return cak_error(m->d, CAK_E1104, at, "'%s(...)' is not offered; known: range, choice; quote a text that looks like a call",
                     name);
}

/* "key=1,2" -> "key": {values: [1, 2]} */
static bool add_override(multirun *m, int number, const char *text)
{
    const char *equals = strchr(text, '='), *name = NULL;
    if (*text == '~' || !equals)
        return cak_error(m->d, CAK_E1104, place(m, number, text, text),
                         *text == '~' ? "a multirun cannot remove keys; write the configuration that it starts from without '%s'"
                                      : "'%s': an override is written name=value",
                         *text == '~' ? text + 1 : text);
    cak_pos at = place(m, number, text, equals + 1);
    const char *key = cak_arena_print(m->a, "%.*s", (int)(equals - text), text);
    const char *value = trim(m->a, equals + 1, equals + strlen(equals)), *inside = call(m->a, value, &name);
    int n = 0;
    const char **piece = inside ? NULL : split(m->a, value, &n);
    if (cak_key_identifies(key)) m->name[m->n++] = inside || n > 1 ? key : text;
    cak_text_add(&m->parameters, "  \"%s\": ", key);
    if (inside) return add_call(m, at, name, inside);
    cak_text_add(&m->parameters, n > 1 ? "{values: [" : "{value: ");
    bool ok = add_values(m, at, piece, n);
    cak_text_add(&m->parameters, n > 1 ? "]}\n" : "}\n");
    return ok;
}

bool cak_multirun_several(cak_arena *a, const char *override)
{
    const char *equals = strchr(override, '='), *name;
    return equals && (*piece_end(equals + 1) || call(a, trim(a, equals + 1, equals + strlen(equals)), &name));
}

/* ---- the whole ---- */

static int compare_text(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }

/* The same command finds the same directory again, and so does one with more values. */
static const char *make_name(multirun *m, const char *config)
{
    cak_text_builder all = { .a = m->a };
    const char *slash = strrchr(config, '/'), *file = slash ? slash + 1 : config, *dot = strrchr(file, '.');
    qsort(m->name, (size_t)m->n, sizeof *m->name, compare_text);
    for (int i = 0; i < m->n; i++) cak_text_add(&all, "%s\n", m->name[i]);
    const char *text = cak_text_done(&all);
    uint64_t digest = XXH3_64bits(text, strlen(text));
    return cak_arena_print(m->a, "%.*s-%06llx", dot && dot > file ? (int)(dot - file) : (int)strlen(file), file,
                           (unsigned long long)(digest & 0xffffff));
}

cak_sweep *cak_sweep_multirun(cak_diag *d, const char *config, const char *const *override, int n)
{
    cak_arena *a = cak_arena_open("multirun");
    multirun m = { .a = a, .d = d, .parameters = { .a = a }, .name = cak_arena_alloc(a, ((size_t)n + 1) * sizeof *m.name) };
    char full[PATH_MAX];
    bool ok = n > 0 || cak_error(d, CAK_E5001, CAK_NOWHERE, "-m needs overrides such as hp.lr=1e-4,1e-3");
    if (!realpath(config, full)) ok = cak_error(d, CAK_E1001, (cak_pos){ .file = config }, "the file cannot be opened");
    for (int i = 0; i < n; i++) ok = add_override(&m, i, override[i]) && ok;
    cak_sweep *s = NULL;
    if (ok) {
        const cak_yaml base = { .kind = CAK_YAML_SCALAR, .text = full, .quoted = true };
        const char *text = cak_arena_print(a, "name: %s\nbase: %s\nmethod: grid\nparameters:\n%s", make_name(&m, config),
                                           cak_sweep_value(a, &base), cak_text_done(&m.parameters));
        s = cak_sweep_parse(d, "<multirun>", text);
    }
    cak_arena_close(a);
    return s;
}
