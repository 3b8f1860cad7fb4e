/* `cak diff`: what differs between two runs or configurations. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiments/command.h"
#include "experiments/diff.h"
#include "experiments/visible.h"

/* Metrics have more digits than readers want. */
static const char *value_text(cak_arena *a, const cak_difference *x, const char *text)
{
    const double number = cak_setting_of(text).number;
    if (!text) return "(none)";
    return isnan(number) || strcmp(x->section, "metrics") != 0 ? cak_visible(a, text) : cak_arena_print(a, "%.6g", number);
}

static void print_item(cak_arena *a, const cak_difference *x, int width)
{
    const char *from = value_text(a, x, x->a), *to = value_text(a, x, x->b), *key = cak_visible(a, x->key);
    if (strlen(from) + strlen(to) < 60) printf("  %-*s  %s -> %s\n", width, key, from, to);
    else printf("  %s\n    - %s\n    + %s\n", key, from, to);
}

/* "batches and 9 initial values differ": digests tell a reader nothing. */
static void print_streams(const cak_difference *x, int n)
{
    int batches = 0, init = 0, alone = 0; /* alone: recorded on one side only */
    for (int i = 0; i < n; i++) {
        const bool both = x[i].a && x[i].b, is_batches = strcmp(x[i].key, "batches") == 0;
        alone += !both;
        batches += both && is_batches;
        init += both && !is_batches;
    }
    printf("  %s%s", batches ? "batches" : "", batches && init ? " and " : "");
    if (init) printf("%d initial value%s", init, init > 1 ? "s" : "");
    if (batches + init) printf(" differ%s", !batches && init == 1 ? "s" : "");
    if (alone) printf("%s%d recorded on one side only", batches + init ? ", " : "", alone);
    puts("");
}

static void print_section(cak_arena *a, const cak_difference *x, int n)
{
    int width = 0;
    printf("\n%s\n", x->section);
    if (strcmp(x->section, "streams") == 0) {
        print_streams(x, n);
        return;
    }
    for (int i = 0; i < n; i++)
        if ((int)strlen(x[i].key) > width) width = (int)strlen(x[i].key);
    for (int i = 0; i < n; i++) print_item(a, &x[i], width);
}

static void print_text(cak_arena *a, const cak_differences *x)
{
    printf("--- %s\n+++ %s\n", cak_visible(a, x->a), cak_visible(a, x->b));
    for (int i = 0, n; i < x->n; i += n) {
        for (n = 1; i + n < x->n && strcmp(x->item[i].section, x->item[i + n].section) == 0;) n++;
        print_section(a, &x->item[i], n);
    }
    printf("\nthe same: %d keys of the configuration", x->same_keys);
    for (int i = 0; i < x->n_same; i++) printf(", %s", x->same[i]);
    puts("");
}

/* {"a": ..., "b": ..., "differ": {section: {key: [a, b]}}, "same": [sections], "same_keys": n} */
static void print_json(const cak_differences *x)
{
    json_t *differ = json_object(), *same = json_array();
    for (int i = 0; i < x->n; i++) {
        const cak_difference *item = &x->item[i];
        if (!json_object_get(differ, item->section)) json_object_set_new(differ, item->section, json_object());
        json_object_set_new(json_object_get(differ, item->section), item->key, json_pack("[s?, s?]", item->a, item->b));
    }
    for (int i = 0; i < x->n_same; i++) json_array_append_new(same, json_string(x->same[i]));
    json_t *doc =
        json_pack("{s:s, s:s, s:o, s:o, s:i}", "a", x->a, "b", x->b, "differ", differ, "same", same, "same_keys", x->same_keys);
    json_dumpf(doc, stdout, JSON_INDENT(2));
    puts("");
    json_decref(doc);
}

int cak_cmd_diff(int argc, char **argv)
{
    const char *json = NULL;
    int code = CAK_EXIT_OK;
    const cak_option options[] = { { "json", NULL, "print JSON", &json }, { 0 } };
    int n = cak_options(
        argc, argv, options, "A B",
        "Show what differs between two runs: configuration, overrides, program, data, streams of random numbers, graph,\n"
        "outcome, metrics of the last epoch. A and B are run directories, ids of runs below ./runs, or configuration\n"
        "files, which are composed first. The exit code is 0 whether something differs or not.",
        &code);
    if (n < 0) return code;
    if (n != 2) return cak_usage(argv[0], "two runs or configuration files are needed");
    cak_arena *a = cak_arena_open("difference");
    cak_diag *d = cak_diag_open();
    const cak_differences *x = cak_differences_find(a, d, argv[1], argv[2]);
    if (x && json) print_json(x);
    else if (x) print_text(a, x);
    cak_arena_close(a);
    return cak_command_end(d, code);
}
