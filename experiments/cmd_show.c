/* `cak show`: one run in detail. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "experiments/command.h"
#include "experiments/run_set.h"
#include "experiments/visible.h"
#include "graph/text.h"

static const char *object_text(cak_arena *a, const json_t *object);

/* A value of run.json in one line: texts bare, an object as "fftw 3.3.10, gsl 2.7", everything else as JSON. */
static const char *value_text(cak_arena *a, const json_t *v)
{
    if (json_is_string(v)) return cak_visible(a, json_string_value(v));
    if (json_is_object(v)) return object_text(a, v);
    const size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(15), n = json_dumpb(v, NULL, 0, flags);
    char *text = cak_arena_alloc(a, n + 1);
    json_dumpb(v, text, n, flags);
    return text;
}

static const char *object_text(cak_arena *a, const json_t *object)
{
    cak_text_builder b = { .a = a };
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v)
        cak_text_add(&b, "%s%s %s", b.n ? ", " : "", cak_visible(a, key), value_text(a, v));
    return cak_text_done(&b);
}

static void print_value(cak_arena *a, const char *name, const json_t *v)
{
    if (v && !json_is_null(v)) printf("%-14s %s\n", cak_visible(a, name), value_text(a, v));
}

/* Objects one level deep, so that "host.cpu" has its own line. */
static void print_field(cak_arena *a, const char *key, json_t *v)
{
    const char *inner;
    json_t *w;
    if (!json_is_object(v)) print_value(a, key, v);
    else json_object_foreach(v, inner, w) print_value(a, cak_arena_print(a, "%s.%s", key, inner), w);
}

static void print_words(cak_arena *a, const char *name, json_t *list)
{
    size_t i;
    json_t *word;
    printf("%-14s", name);
    json_array_foreach(list, i, word) printf(" %s", value_text(a, word));
    puts("");
}

static const char *const outcome[] = { "dir", "state", "epoch", "step", "exit_code", "diverged", NULL };

static void print_outcome(cak_arena *a, json_t *doc)
{
    for (int i = 0; outcome[i]; i++) print_field(a, outcome[i], json_object_get(doc, outcome[i]));
}

static bool is_among(const char *const *list, const char *key)
{
    while (*list && strcmp(*list, key) != 0) list++;
    return *list != NULL;
}

/* What the run was made from and with. */
static void print_provenance(cak_arena *a, json_t *doc)
{
    static const char *const elsewhere[] = {
        "history", "argv", "metrics", "size", "streams", NULL
    }; /* printed in their own way */
    const char *key;
    json_t *v;
    puts("\nprovenance");
    json_object_foreach(doc, key, v) if (!is_among(outcome, key) && !is_among(elsewhere, key)) print_field(a, key, v);
    print_value(a, "streams.batches", json_object_get(json_object_get(doc, "streams"), "batches"));
    print_words(a, "argv", json_object_get(doc, "argv"));
}

static void print_history(cak_arena *a, json_t *history)
{
    size_t i;
    json_t *item;
    puts("\nhistory");
    json_array_foreach(history, i, item)
        printf("  %-11s  %s\n", value_text(a, json_array_get(item, 0)), value_text(a, json_array_get(item, 1)));
}

static void print_metrics(cak_arena *a, const cak_metrics_table *t)
{
    if (t->n_rows) puts("\nlast epoch");
    for (int c = 0; t->n_rows && c < t->n_names; c++)
        if (!cak_metrics_is_place(t->name[c])) printf("  %-32s  %.9g\n", cak_visible(a, t->name[c]), t->value[c]);
}

static void print_files(cak_arena *a, cak_diag *d, const cak_run_info *r)
{
    int n;
    char size[CAK_BYTES_TEXT];
    const cak_run_file *file = cak_run_files(a, d, r->dir, &n);
    printf("\nfiles (%s)\n", cak_bytes_text(r->size, size));
    for (int i = 0; i < n; i++) printf("  %9s  %s\n", cak_bytes_text(file[i].size, size), cak_visible(a, file[i].name));
}

static void print_run(cak_arena *a, cak_diag *d, const cak_run_info *r, json_t *doc)
{
    print_outcome(a, doc);
    print_metrics(a, r->last);
    print_provenance(a, doc);
    print_history(a, json_object_get(doc, "history"));
    print_files(a, d, r);
}

static void print_json(cak_arena *a, cak_diag *d, const cak_run_info *r, json_t *doc)
{
    int n;
    const cak_run_file *file = cak_run_files(a, d, r->dir, &n);
    json_t *files = json_object();
    for (int i = 0; i < n; i++) json_object_set_new(files, file[i].name, json_integer((json_int_t)file[i].size));
    json_object_set_new(doc, "files", files);
    json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    puts("");
}

/* As `cak ls` has it: a sweep knows which of its runs it stopped early. */
static const char *state_of(cak_arena *a, cak_diag *d, const cak_run_info *r)
{
    cak_run_set *s = cak_run_set_open(a);
    cak_member *m = cak_run_set_append(s, r->dir, r);
    cak_run_set_ask_sweep(s, d, m);
    const char *state = m->state;
    cak_run_set_close(s);
    return state;
}

int cak_cmd_show(int argc, char **argv)
{
    const char *json = NULL;
    int code = CAK_EXIT_OK;
    const cak_option options[] = { { "json", NULL, "print JSON", &json }, { 0 } };
    int n =
        cak_options(argc, argv, options, "RUN",
                    "Show one run: state, completed epochs and steps, metrics of the last epoch, provenance, history, files.\n"
                    "RUN is its directory, or its id when it lies below ./runs.",
                    &code);
    if (n < 0) return code;
    if (n != 1) return cak_usage(argv[0], "one run is needed: a run directory or an id");
    cak_diag *d = cak_diag_open();
    cak_arena *a = cak_arena_open("run");
    const char *dir = cak_run_locate(a, d, argv[1]);
    const cak_run_info *r = dir ? cak_run_describe(a, d, dir) : NULL;
    if (r) {
        json_t *doc = cak_run_json(r);
        json_object_set_new(doc, "state", json_string(state_of(a, d, r)));
        (json ? print_json : print_run)(a, d, r, doc);
        json_decref(doc);
    }
    cak_arena_close(a);
    return cak_command_end(d, code);
}
