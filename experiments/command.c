/* Options, messages and the ending that all commands share. */
#include "experiments/command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include "experiments/sweep.h"

int cak_usage(const char *verb, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "cak %s: error: ", verb);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, " [E5001]\nTry 'cak %s --help'.\n", verb);
    va_end(ap);
    return CAK_EXIT_USAGE;
}

static void print_help(const char *verb, const cak_option *options, const char *positional, const char *doc)
{
    printf("usage: cak %s %s%s[options]\n\n%s\n\noptions:\n", verb, positional, *positional ? " " : "", doc);
    for (const cak_option *o = options; o && o->name; o++) {
        if (!o->doc) continue;
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        printf("  %-22s %s\n", left, o->doc);
    }
    printf("  %-22s %s\n", "--help", "show this text");
}

/* --name VALUE, --name=VALUE or --name; advances *i past a separate value. */
static bool take_option(int argc, char **argv, int *i, const cak_option *options, int *code)
{
    const char *word = argv[*i] + 2, *equals = strchr(word, '=');
    size_t n = equals ? (size_t)(equals - word) : strlen(word);
    const char *names[64];
    int n_names = 0;
    for (const cak_option *o = options; o && o->name; o++) {
        names[n_names++] = o->name;
        if (strlen(o->name) != n || strncmp(o->name, word, n)) continue;
        if (!o->value && equals) return *code = cak_usage(argv[0], "--%s takes no value", o->name), false;
        if (o->value && !equals && *i + 1 >= argc)
            return *code = cak_usage(argv[0], "--%s needs a value (%s)", o->name, o->value), false;
        *o->text = !o->value ? "" : equals ? equals + 1 : argv[++*i];
        if (o->value && !**o->text)
            return *code = cak_usage(argv[0], "--%s needs a value (%s), got an empty one", o->name, o->value), false;
        return true;
    }
    char wrong[64];
    snprintf(wrong, sizeof wrong, "%.*s", (int)(n < 60 ? n : 60), word);
    const char *near = cak_suggest(wrong, names, n_names);
    *code = near ? cak_usage(argv[0], "unknown option --%s; did you mean --%s?", wrong, near)
                 : cak_usage(argv[0], "unknown option --%s", wrong);
    return false;
}

int cak_options(int argc, char **argv, const cak_option *options, const char *positional, const char *doc, int *code)
{
    int n = 1;
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        if (!only_words && !strcmp(argv[i], "--")) {
            only_words = true;
        } else if (!only_words && (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))) {
            print_help(argv[0], options, positional, doc);
            *code = CAK_EXIT_OK;
            return -1;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] == '-') {
            if (!take_option(argc, argv, &i, options, code)) return -1;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1]) {
            *code = cak_usage(argv[0], "unknown option %s", argv[i]);
            return -1;
        } else {
            argv[n++] = argv[i];
        }
    }
    return n - 1;
}

bool cak_option_int(const char *name, const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (*text && !*end && !errno && v >= min && v <= max) return *out = v, true;
    fprintf(stderr, "cak: error: --%s needs an integer from %lld to %lld, got '%s' [E5001]\n", name, (long long)min,
            (long long)max, text);
    return false;
}

const char **cak_command_overrides(cak_arena *a, int n, char **arg, const cak_short_form *forms, int *n_out)
{
    int room = n + 1;
    for (const cak_short_form *f = forms; f && f->key; f++) room++;
    const char **list = cak_arena_alloc(a, (size_t)room * sizeof *list);
    *n_out = 0;
    for (int i = 2; i <= n; i++) list[(*n_out)++] = arg[i];
    for (const cak_short_form *f = forms; f && f->key; f++)
        if (f->value) list[(*n_out)++] = cak_arena_print(a, "++%s=%s", f->key, f->value);
    return list;
}

cak_config *cak_command_load(cak_diag *d, const char *path, const char *const *override, int n)
{
    if (!cak_sweep_is(path)) return cak_config_load(d, path, override, n);
    cak_error(d, CAK_E5001, (cak_pos){ .file = path },
              "this is a sweep file: run it with `cak sweep %s`; a run of it is its `base`", path);
    return NULL;
}

cak_config *cak_command_config(cak_diag *d, int n, char **arg, const cak_short_form *forms)
{
    int n_over;
    cak_arena *a = cak_arena_open("overrides");
    const char **override = cak_command_overrides(a, n, arg, forms, &n_over);
    cak_config *c = cak_command_load(d, arg[1], override, n_over);
    cak_arena_close(a);
    return c;
}

int cak_command_end(cak_diag *d, int code)
{
    fflush(stdout);
    cak_diag_print(d, stderr);
    if (!code) code = cak_diag_exit(d);
    cak_diag_close(d);
    return code;
}
