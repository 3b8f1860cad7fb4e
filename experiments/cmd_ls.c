/* `cak ls`: the runs below a directory. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "experiments/command.h"
#include "experiments/run_table.h"
#include "experiments/table.h"
#include "experiments/visible.h"
#include "graph/io.h"
#include "graph/text.h"

typedef struct request { /* options as given */
    const char *where, *sort, *columns, *csv, *json;
} request;

/* Of the terminal; 0 where there is none. */
static int terminal_width(void)
{
    struct winsize w;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

static void print_json(json_t *list)
{
    json_dumpf(list, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    puts("");
    json_decref(list);
}

static json_t *runs_json(const cak_run_set *s)
{
    json_t *list = json_array();
    for (int i = 0; i < s->n; i++) {
        json_t *run = cak_run_json(s->run[i].info);
        json_object_set_new(run, "state", json_string(s->run[i].state)); /* a sweep may know better */
        json_array_append_new(list, run);
    }
    return list;
}

/* ---- chosen columns ---- */

/* Those that were asked for, or what describes a run to a program. */
static cak_names columns(const cak_run_set *s, const char *asked)
{
    cak_text_builder b = { .a = s->arena };
    const cak_names metrics = cak_run_set_metrics(s, true);
    cak_text_add(&b, "%s", asked ? asked : "id,name,state,seed,epoch,step");
    for (int i = 0; !asked && i < metrics.n; i++) cak_text_add(&b, ",%s", metrics.name[i]);
    return cak_names_split(s->arena, cak_text_done(&b));
}

static void cell(cak_table *t, const cak_run_set *s, const cak_member *r, int column, const char *key)
{
    const cak_setting v = cak_run_set_value(s, r, key);
    const bool metric = cak_run_set_key(s, key) < 0 && strchr(v.text ? v.text : "", '.'); /* with more digits than readers want */
    if (isnan(v.number)) cak_table_text(t, column, v.text);
    else cak_table_number(t, column, v.number, metric ? cak_arena_print(s->arena, "%.6g", v.number) : v.text);
}

static bool is_numeric(const cak_run_set *s, const char *key)
{
    for (int i = 0; i < s->n; i++)
        if (!isnan(cak_run_set_value(s, &s->run[i], key).number)) return true;
    return false;
}

static cak_table *make_table(const cak_run_set *s, cak_names list)
{
    cak_table_column *column = cak_arena_alloc(s->arena, ((size_t)list.n + 1) * sizeof *column);
    column[0] = (cak_table_column){ .key = "run", .leads = true };
    for (int k = 0; k < list.n; k++)
        column[k + 1] = (cak_table_column){ .key = list.name[k], .right = is_numeric(s, list.name[k]) };
    cak_table *t = cak_table_make(s->arena, column, list.n + 1);
    for (int i = 0; i < s->n; i++) {
        cak_table_row(t);
        cak_table_text(t, 0, s->run[i].label);
        for (int k = 0; k < list.n; k++) cell(t, s, &s->run[i], k + 1, list.name[k]);
    }
    return t;
}

static void print_columns(const cak_run_set *s, cak_diag *d, const request *q)
{
    const cak_names list = columns(s, q->columns);
    for (int k = 0; s->n && k < list.n; k++)
        if (!cak_run_set_knows(s, d, "--columns", list.name[k])) return;
    const cak_table *t = make_table(s, list);
    if (q->json) print_json(cak_table_json(t));
    else fputs(q->csv ? cak_table_csv(s->arena, t) : cak_table_aligned(s->arena, t, 0), stdout);
}

/* ---- the command ---- */

static const char *const usual[] = { "runs", "sweeps" }; /* where runs are */
enum { USUAL = sizeof usual / sizeof *usual };

/* "no runs found in a, b" */
static void print_places(cak_arena *a, int n, char **dir)
{
    cak_text_builder b = { .a = a };
    for (int i = 1; i <= n; i++) cak_text_add(&b, "%s%s", i > 1 ? ", " : "", cak_visible(a, dir[i]));
    for (int i = 0; n == 0 && i < USUAL; i++)
        if (cak_io_exists(usual[i])) cak_text_add(&b, "%s./%s", b.n ? ", " : "", usual[i]);
    if (b.n) fprintf(stderr, "no runs found in %s\n", cak_text_done(&b));
    else fprintf(stderr, "no runs found: there is no ./%s and no ./%s here; name a directory\n", usual[0], usual[1]);
}

static void list(cak_run_set *s, cak_diag *d, const request *q, int n, char **dir)
{
    const int looked_at = s->n;
    if (q->where && !cak_run_set_filter(s, d, "--where", q->where)) return;
    if (q->sort && !cak_run_set_sort(s, d, "--sort", q->sort)) return;
    if (!s->n && !looked_at) print_places(s->arena, n, dir);
    else if (!s->n) fprintf(stderr, "no run matches %s (%d looked at)\n", cak_visible(s->arena, q->where), looked_at);
    if (!s->n && !q->json) return;
    if (q->columns || q->csv) print_columns(s, d, q);
    else if (q->json) print_json(runs_json(s));
    else fputs(cak_run_table(s->arena, s, terminal_width()), stdout);
}

static const char doc[] =
    "List the runs at or below the directories (default: runs, sweeps): state, completed epochs and steps, age, size, metrics of "
    "the "
    "last\n"
    "epoch. `crashed` means that run.json says running and no process holds the run.\n\n"
    "EXPR: KEY = VALUE, also with != < <= > >= and ~ (is part of), joined by and, or, not and ( ): 'state=diverged and "
    "hp.lr>1e-4'.\n"
    "KEY: state, name, id, dir, seed, epoch, step, exit_code, diverged_step, created, size, a key of the configuration or an\n"
    "override, a metric of the last epoch (NAME or metrics.NAME).";

int cak_cmd_ls(int argc, char **argv)
{
    request q = { 0 };
    int code = CAK_EXIT_OK;
    const cak_option options[] = {
        { "where", "EXPR", "only runs for which this holds", &q.where },
        { "sort", "KEY", "in this order; -KEY: the largest first", &q.sort },
        { "columns", "KEY,..", "print these", &q.columns },
        { "csv", NULL, "print CSV", &q.csv },
        { "json", NULL, "print JSON", &q.json },
        { 0 },
    };
    int n = cak_options(argc, argv, options, "[DIR...]", doc, &code);
    if (n < 0) return code;
    if (q.csv && q.json) return cak_usage(argv[0], "--csv and --json exclude each other");
    cak_arena *a = cak_arena_open("list of runs");
    cak_diag *d = cak_diag_open();
    cak_run_set *s = cak_run_set_open(a);
    s->plain = !q.where && !q.sort && !q.columns && !q.csv;
    for (int i = 1; i <= n; i++) cak_run_set_add_below(s, d, argv[i]);
    for (int i = 0; n == 0 && i < USUAL; i++)
        if (cak_io_exists(usual[i])) cak_run_set_add_below(s, d, usual[i]);
    list(s, d, &q, n, argv);
    cak_run_set_close(s);
    cak_arena_close(a);
    return cak_command_end(d, code);
}
