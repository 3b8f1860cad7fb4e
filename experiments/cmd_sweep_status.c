/* `cak sweep status`: what became of the points so far. Writes nothing. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "experiments/command.h"
#include "experiments/launch_slurm.h"
#include "experiments/visible.h"
#include "graph/text.h"

enum { EVERY = 10, PATIENCE = 3, UNLIMITED = 1 << 20 }; /* seconds, also for squeue; columns where there is no terminal */

typedef struct view { /* a look at a sweep */
    cak_arena *a;
    const cak_sweep_dir *s;
    cak_point_status *point;
    int count[CAK_POINT_STATES];
    int best; /* point, -1: none */
    cak_slurm_tasks slurm;
} view;

/* ---- looking ---- */

/* The sweep's metric after the newest epoch; NaN when there is none. */
static double metric_of(const view *v, int i)
{
    const char *name = v->s->sweep->metric;
    const cak_metrics_table *t = v->point[i].run ? v->point[i].run->last : NULL;
    int c = name && t && t->n_rows ? cak_metrics_column(t, name) : -1;
    return c < 0 ? (double)NAN : t->value[c];
}

static bool better(const view *v, int i, int than)
{
    double x = metric_of(v, i);
    if (!isfinite(x) || v->point[i].state == CAK_POINT_DIVERGED) return false;
    return than < 0 || (v->s->sweep->maximize ? x > metric_of(v, than) : x < metric_of(v, than));
}

static view look(cak_arena *a, cak_diag *d, const cak_sweep_dir *s)
{
    view v = { .a = a, .s = s, .best = -1, .slurm = cak_slurm_look(a, s, PATIENCE) };
    v.point = cak_arena_alloc(a, ((size_t)s->sweep->n_points + 1) * sizeof *v.point);
    for (int i = 0; i < s->sweep->n_points; i++) {
        cak_point_look(a, d, s, i, &v.point[i]);
        v.count[v.point[i].state]++;
        if (better(&v, i, v.best)) v.best = i;
    }
    return v;
}

/* ---- text ---- */

static const char *overrides_text(const view *v, int i)
{
    cak_text_builder b = { .a = v->a };
    const char **word = cak_point_overrides(v->a, v->s->sweep, &v->s->sweep->point[i]);
    for (int k = 0; k < v->s->sweep->n_keys; k++) cak_text_add(&b, "%s%s", k ? " " : "", word[k]);
    return cak_visible(v->a, cak_text_done(&b));
}

static const char *metric_text(const view *v, int i)
{
    double x = metric_of(v, i);
    const char *name = v->s->sweep->metric;
    bool there = name && v->point[i].run && v->point[i].run->last->n_rows && cak_metrics_column(v->point[i].run->last, name) >= 0;
    return there ? cak_arena_print(v->a, "%.4g", x) : "-";
}

static int terminal_width(void)
{
    struct winsize w;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : UNLIMITED;
}

static int widest(int so_far, const char *text) { return (int)strlen(text) > so_far ? (int)strlen(text) : so_far; }

static void print_table(const view *v)
{
    int n = v->s->sweep->n_points, wide = 9, room = terminal_width();
    const char *metric = v->s->sweep->metric ? cak_visible(v->a, v->s->sweep->metric) : "METRIC";
    int metric_wide = widest(8, metric);
    for (int i = 0; i < n; i++) wide = widest(wide, overrides_text(v, i));
    const char *head = cak_arena_print(v->a, "%-16s  %-*s  %-11s  %6s  %*s  %8s  %s", "ID", wide, "OVERRIDES", "STATE", "EPOCH",
                                       metric_wide, metric, "ATTEMPTS", "REASON");
    printf("%.*s\n", room, head);
    for (int i = 0; i < n; i++) {
        const cak_point_status *p = &v->point[i];
        const char *line =
            cak_arena_print(v->a, "%-16s  %-*s  %-11s  %6" PRId64 "  %*s  %8d  %s", v->s->sweep->point[i].id, wide,
                            overrides_text(v, i), cak_point_state_name(p->state), p->run ? p->run->epochs : 0, metric_wide,
                            metric_text(v, i), p->attempts, p->reason ? cak_visible(v->a, p->reason) : "");
        int length = (int)strlen(line);
        while (length && line[length - 1] == ' ') length--;
        printf("%.*s\n", length < room ? length : room, line);
    }
}

static void print_text(const view *v)
{
    print_table(v);
    printf("\n%s: %d points", cak_visible(v->a, v->s->dir), v->s->sweep->n_points);
    const char *gap = ": ";
    for (int i = 0; i < CAK_POINT_STATES; i++) {
        if (!v->count[i]) continue;
        printf("%s%d %s", gap, v->count[i], cak_point_state_name((cak_point_state)i));
        gap = ", ";
    }
    puts("");
    if (v->slurm.running + v->slurm.pending) printf("slurm: %d tasks running, %d pending\n", v->slurm.running, v->slurm.pending);
    if (v->best >= 0)
        printf("best so far: %s=%.6g after %" PRId64 " epochs, %s (%s)\n", cak_visible(v->a, v->s->sweep->metric),
               metric_of(v, v->best), v->point[v->best].run->epochs, overrides_text(v, v->best), v->s->sweep->point[v->best].id);
}

/* ---- JSON ---- */

static json_t *text_json(const char *text)
{
    json_t *json = text ? json_string(text) : NULL;
    return json ? json : json_null();
}

static json_t *number_json(double x)
{
    json_t *json = json_real(x); /* NULL for NaN and infinity, which JSON does not have */
    return json ? json : json_null();
}

static json_t *point_json(const view *v, int i)
{
    const cak_sweep *sweep = v->s->sweep;
    const cak_point_status *p = &v->point[i];
    json_t *overrides = json_object();
    for (int k = 0; k < sweep->n_keys; k++) json_object_set_new(overrides, sweep->key[k], text_json(sweep->point[i].value[k]));
    return json_pack("{s:s, s:o, s:s, s:I, s:I, s:o, s:i, s:o, s:o, s:o}", "id", sweep->point[i].id, "overrides", overrides,
                     "state", cak_point_state_name(p->state), "epoch", (json_int_t)(p->run ? p->run->epochs : 0), "step",
                     (json_int_t)(p->run ? p->run->steps : 0), "metric", number_json(metric_of(v, i)), "attempts", p->attempts,
                     "exit_code", p->exit_code >= 0 ? json_integer(p->exit_code) : json_null(), "reason", text_json(p->reason),
                     "run", text_json(p->run ? p->run->dir : NULL));
}

static json_t *slurm_json(const view *v)
{
    const cak_slurm_tasks *t = &v->slurm;
    return t->unknown ? json_null() : json_pack("{s:i, s:i}", "running", t->running, "pending", t->pending);
}

static void print_json(const view *v)
{
    const cak_sweep *sweep = v->s->sweep;
    json_t *points = json_array(), *counts = json_object();
    for (int i = 0; i < sweep->n_points; i++) json_array_append_new(points, point_json(v, i));
    for (int i = 0; i < CAK_POINT_STATES; i++)
        json_object_set_new(counts, cak_point_state_name((cak_point_state)i), json_integer(v->count[i]));
    json_t *json =
        json_pack("{s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "dir", text_json(v->s->dir), "name", sweep->name, "metric",
                  text_json(sweep->metric), "goal", sweep->maximize ? "maximize" : "minimize", "points", points, "counts", counts,
                  "best", v->best >= 0 ? point_json(v, v->best) : json_null(), "slurm", slurm_json(v));
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    puts("");
    json_decref(json);
}

/* ---- the command ---- */

/* False when there is nothing more to come, or after an error. */
static bool show(cak_diag *d, const char *dir, bool json, bool watch)
{
    cak_sweep_dir *s = cak_sweep_dir_open(d, dir);
    if (!s) return false;
    cak_arena *a = cak_arena_open("status of a sweep");
    view v = look(a, d, s);
    if (watch && isatty(STDOUT_FILENO)) fputs("\033[H\033[2J", stdout);
    if (json) print_json(&v);
    else print_text(&v);
    fflush(stdout);
    bool more =
        v.count[CAK_POINT_WAITING] || v.count[CAK_POINT_RUNNING] || v.count[CAK_POINT_INTERRUPTED] || v.count[CAK_POINT_KILLED];
    cak_arena_close(a);
    cak_sweep_dir_close(s);
    return more;
}

/* `--watch 5 DIR` and `DIR --watch 5`: the number is a word of its own. */
static bool read_words(int n, char **word, bool watch, const char **dir, int64_t *every)
{
    *every = EVERY;
    *dir = word[1];
    if (n == 1) return true;
    if (n != 2 || !watch) return cak_usage("sweep status", "one sweep directory is needed"), false;
    bool first = !word[1][strspn(word[1], "0123456789")];
    *dir = word[first ? 2 : 1];
    return cak_option_int("watch", word[first ? 1 : 2], 1, 86400, every);
}

int cak_cmd_sweep_status(int argc, char **argv)
{
    const char *json = NULL, *watch = NULL, *dir;
    int code;
    int64_t every;
    char name[] = "sweep status";
    const cak_option options[] = { { "watch", NULL,
                                     "show it again every 10 seconds, or --watch SECONDS, until all points have ended", &watch },
                                   { "json", NULL, "print JSON", &json },
                                   { 0 } };
    argv[0] = name;
    int n = cak_options(
        argc, argv, options, "DIR",
        "What became of the points of a sweep: state, completed epochs, the metric of the sweep after the newest of them,\n"
        "attempts that ended, why the last one failed. Changes nothing.",
        &code);
    if (n < 0) return code;
    if (!read_words(n, argv, watch, &dir, &every)) return CAK_EXIT_USAGE;
    cak_diag *d = cak_diag_open();
    while (show(d, dir, json, watch) && watch) sleep((unsigned)every);
    return cak_command_end(d, CAK_EXIT_OK);
}
