/* `cak ls`: the runs below a directory. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "experiments/command.h"
#include "experiments/run_list.h"
#include "experiments/visible.h"
#include "graph/io.h"

enum { WIDE = 120, NARROW = 40, FIXED = 52 /* of the columns between run and metrics */ };

typedef struct listing {
    cak_arena *a;
    cak_diag *d;
    const cak_run_info **run;
    int n, cap;
} listing;

/* One unreadable run must not hide the others. */
static void add_run(listing *l, const char *dir)
{
    cak_diag *own = cak_diag_open();
    const cak_run_info *info = cak_run_describe(l->a, own, dir);
    if (info) {
        l->run = cak_arena_grow(l->a, l->run, &l->cap, l->n + 1, sizeof *l->run);
        l->run[l->n++] = info;
    } else {
        cak_warn(l->d, CAK_NOWHERE, "left out: %s", cak_diag_message(own, 0));
    }
    cak_diag_close(own);
}

static void add_below(listing *l, const char *root)
{
    int n;
    const char *const *dir = cak_run_find(l->a, l->d, root, &n);
    for (int i = 0; i < n; i++) add_run(l, dir[i]);
}

/* Terms of losses and norms, whose names have a dot, are for `cak show`. */
static bool is_headline(const char *name)
{
    return !cak_metrics_is_place(name) && strcmp(name, "wall") != 0 && !strchr(name, '.');
}

/* Columns for metrics: what the terminal leaves, or as many as usual experiments need where there is none. */
static int headline_room(int before)
{
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0) return WIDE;
    return w.ws_col - before > NARROW ? w.ws_col - before : NARROW;
}

static void print_headlines(cak_arena *a, const cak_metrics_table *t, int room)
{
    const char *gap = "";
    for (int c = 0; t->n_rows && c < t->n_names; c++) {
        if (!is_headline(t->name[c])) continue;
        const char *item = cak_arena_print(a, "%s%s=%.4g", gap, cak_visible(a, t->name[c]), t->value[c]);
        room -= (int)strlen(item);
        if (room < 0 && *gap) break;
        fputs(item, stdout);
        gap = " ";
    }
    puts("");
}

static void print_table(const listing *l)
{
    const char **name = cak_arena_alloc(l->a, (size_t)l->n * sizeof *name);
    int width = 3;
    for (int i = 0; i < l->n; i++) {
        name[i] = cak_visible(l->a, l->run[i]->dir);
        if ((int)strlen(name[i]) > width) width = (int)strlen(name[i]);
    }
    printf("%-*s  %-11s  %6s  %6s  %8s  %9s  %s\n", width, "RUN", "STATE", "EPOCH", "STEP", "AGE", "SIZE", "METRICS");
    for (int i = 0; i < l->n; i++) {
        const cak_run_info *r = l->run[i];
        char age[CAK_BYTES_TEXT], size[CAK_BYTES_TEXT];
        printf("%-*s  %-11s  %6" PRId64 "  %6" PRId64 "  ", width, name[i], cak_run_state_name(r->state), r->epochs, r->steps);
        printf("%8s  %9s  ", cak_age_text(time(NULL) - r->created, age), cak_bytes_text(r->size, size));
        print_headlines(l->a, r->last, headline_room(width + FIXED));
    }
}

static void print_json(const listing *l)
{
    json_t *list = json_array();
    for (int i = 0; i < l->n; i++) json_array_append_new(list, cak_run_json(l->run[i]));
    json_dumpf(list, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    puts("");
    json_decref(list);
}

int cak_cmd_ls(int argc, char **argv)
{
    const char *json = NULL;
    int code = CAK_EXIT_OK;
    const cak_option options[] = { { "json", NULL, "print JSON", &json }, { 0 } };
    int n = cak_options(argc, argv, options, "[DIR...]",
                        "List the runs at or below the directories (default: runs): state, completed epochs and steps, age, "
                        "size, metrics of the last epoch.\n"
                        "`crashed` means that run.json says running and no process holds the run.",
                        &code);
    if (n < 0) return code;
    listing l = { .a = cak_arena_open("list of runs"), .d = cak_diag_open() };
    for (int i = 1; i <= n; i++) add_below(&l, argv[i]);
    if (n == 0 && cak_io_exists("runs")) add_below(&l, "runs");
    if (json) print_json(&l);
    else if (l.n) print_table(&l);
    else fprintf(stderr, "no runs found\n");
    cak_arena_close(l.a);
    return cak_command_end(l.d, code);
}
