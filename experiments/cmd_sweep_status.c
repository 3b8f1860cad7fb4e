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
#include "experiments/sweep_brief.h"
#include "experiments/visible.h"
#include "graph/text.h"

enum { EVERY = 10, PATIENCE = 3 }; /* seconds, also for squeue */
enum { UNLIMITED = 1 << 20 };      /* columns where there is no terminal */
enum {
    FIXED = 16 + 11 + 5 + 8 + 8, /* columns of id, state, epoch and attempts, with what is between them */
    LEAST_REASON = 30
}; /* columns that reasons have in any case */

typedef struct view { /* a look at a sweep */
    cak_arena *a;
    const cak_sweep_dir *s;
    cak_brief brief;
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
    view v = { .a = a, .s = s, .brief = cak_brief_open(a, s->sweep), .best = -1, .slurm = cak_slurm_look(a, s, PATIENCE) };
    v.point = cak_arena_alloc(a, ((size_t)s->sweep->n_points + 1) * sizeof *v.point);
    for (int i = 0; i < s->sweep->n_points; i++) {
        cak_point_look(a, d, s, i, &v.point[i]);
        v.count[v.point[i].state]++;
        if (better(&v, i, v.best)) v.best = i;
    }
    return v;
}

/* ---- text ---- */

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

static int widest(int so_far, const char *text)
{
    int n = cak_columns(text);
    return n > so_far ? n : so_far;
}

static const char *reason_text(const view *v, int i) { return v->point[i].reason ? cak_visible(v->a, v->point[i].reason) : ""; }

static const char *overrides_text(const view *v, int i) { return cak_visible(v->a, cak_brief_point(v->a, &v->brief, i)); }

/* No more of a line than the terminal holds, and no blanks at its end. */
static void print_line(const char *line, int room)
{
    int length = cak_fitting(line, room);
    while (length && line[length - 1] == ' ') length--;
    printf("%.*s\n", length, line);
}

typedef struct widths {
    int metric, reason; /* 0: there is no such column */
    int room;
} widths;

/* Overrides come last, but reasons leave them room: the beginning of a reason tells the most. */
static widths measure(const view *v)
{
    widths w = { .room = terminal_width() };
    int reason = 0, overrides = 0;
    for (int i = 0; i < v->s->sweep->n_points; i++) {
        reason = widest(reason, reason_text(v, i));
        overrides = widest(overrides, overrides_text(v, i));
    }
    if (v->s->sweep->metric) w.metric = widest(8, cak_visible(v->a, v->s->sweep->metric));
    int left = w.room - FIXED - (w.metric ? w.metric + 2 : 0) - overrides - 2;
    if (!reason) return w;
    if (left < LEAST_REASON) left = LEAST_REASON;
    w.reason = widest(reason < left ? reason : left, "REASON");
    return w;
}

static void print_row(const view *v, const widths *w, const char *const *cell)
{
    cak_text_builder b = { .a = v->a };
    cak_text_add(&b, "%-16s  %-11s  %5s  ", cell[0], cell[1], cell[2]);
    if (w->metric) cak_text_add(&b, "%*s  ", w->metric, cell[3]);
    cak_text_add(&b, "%8s  ", cell[4]);
    if (w->reason) {
        int bytes = cak_fitting(cell[5], w->reason), gap = w->reason - cak_columns(cell[5]);
        cak_text_add(&b, "%.*s%*s  ", bytes, cell[5], gap > 0 ? gap : 0, "");
    }
    cak_text_add(&b, "%s", cell[6]);
    print_line(cak_text_done(&b), w->room);
}

static void print_table(const view *v)
{
    const cak_sweep *sweep = v->s->sweep;
    widths w = measure(v);
    const char *metric = sweep->metric ? cak_visible(v->a, sweep->metric) : "";
    if (*v->brief.common) printf("all points: %s\n\n", cak_visible(v->a, v->brief.common));
    print_row(
        v, &w,
        (const char *const[]){ "ID", "STATE", "EPOCH", metric, "ATTEMPTS", "REASON", sweep->n_points > 1 ? "OVERRIDES" : "" });
    for (int i = 0; i < sweep->n_points; i++) {
        const cak_point_status *p = &v->point[i];
        const char *epoch = cak_arena_print(v->a, "%" PRId64, p->run ? p->run->epochs : 0);
        const char *attempts = cak_arena_print(v->a, "%d", p->attempts);
        print_row(v, &w,
                  (const char *const[]){ sweep->point[i].id, cak_point_state_name(p->state), epoch, metric_text(v, i), attempts,
                                         reason_text(v, i), overrides_text(v, i) });
    }
}

static void print_best(const view *v)
{
    int64_t epochs = v->point[v->best].run->epochs;
    const char *line = cak_arena_print(v->a, "best so far: %s=%.6g after %" PRId64 " epoch%s: %s %s",
                                       cak_visible(v->a, v->s->sweep->metric), metric_of(v, v->best), epochs,
                                       epochs == 1 ? "" : "s", v->s->sweep->point[v->best].id, overrides_text(v, v->best));
    print_line(line, terminal_width());
}

static bool has_more(const view *v)
{
    return v->count[CAK_POINT_WAITING] || v->count[CAK_POINT_RUNNING] || v->count[CAK_POINT_INTERRUPTED] ||
           v->count[CAK_POINT_KILLED];
}

static void print_text(const view *v)
{
    int n = v->s->sweep->n_points;
    print_table(v);
    printf("\n%s: %d point%s", cak_visible(v->a, v->s->dir), n, n == 1 ? "" : "s");
    const char *gap = ": ";
    for (int i = 0; i < CAK_POINT_STATES; i++) {
        if (!v->count[i]) continue;
        printf("%s%d %s", gap, v->count[i], cak_point_state_name((cak_point_state)i));
        gap = ", ";
    }
    puts("");
    int running = v->slurm.running, pending = v->slurm.pending;
    if (running + pending) printf("slurm: %d task%s running, %d pending\n", running, running == 1 ? "" : "s", pending);
    if (v->best >= 0) print_best(v);
    if (!has_more(v) && n > 1 && v->count[CAK_POINT_FAILED] < n)
        printf("compare with: cak compare %s\n", cak_visible(v->a, v->s->dir));
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
    bool more = has_more(&v);
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
