/* What running points have reached: for the eye, and for early termination. */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "experiments/sweep_worker.h"
#include "graph/text.h"

/* ---- early termination ---- */

/* The metric of a point, epoch by epoch. */
static cak_history history_of(cak_arena *a, cak_diag *d, const cak_worker *w, int point)
{
    cak_history h = { 0 };
    cak_point_status p;
    cak_point_outcome(a, w->s, point, &p, NULL);
    h.diverged = p.state == CAK_POINT_DIVERGED;
    const cak_metrics_table *t = p.run ? cak_metrics_read(a, d, p.run->dir, "epoch") : NULL;
    if (!t || !t->n_rows) return h;
    int c = cak_metrics_column(t, w->s->sweep->metric);
    double *metric = cak_arena_alloc(a, (size_t)t->n_rows * sizeof *metric);
    for (int i = 0; i < t->n_rows; i++) metric[i] = c < 0 ? (double)NAN : t->value[(int64_t)i * t->n_names + c];
    h.metric = metric;
    h.epochs = t->n_rows;
    return h;
}

static void stop_early(cak_worker *w, cak_arena *a, cak_running *r, int k)
{
    const cak_hyperband *early = &w->s->sweep->early;
    r->why = cak_arena_print(w->a, "not among the best 1/%g after epoch %" PRId64, early->eta, cak_hyperband_epoch(early, k));
    kill(r->child.pid, SIGUSR1);
    cak_show_line(&w->show, "stopping %s: %s", cak_worker_label(a, w, r->point), r->why);
}

/* The decisions that the child has reached since the last look. */
static void judge(cak_worker *w, cak_arena *a, cak_diag *d, cak_running *r)
{
    const cak_sweep *sweep = w->s->sweep;
    int reached = cak_hyperband_reached(&sweep->early, r->epochs), n = sweep->n_points;
    if (!sweep->metric || r->why || r->asked || reached <= r->judged) return;
    cak_history *all = cak_arena_alloc(a, (size_t)n * sizeof *all);
    for (int i = 0; i < n; i++) all[i] = history_of(a, d, w, i);
    for (; r->judged < reached; r->judged++) {
        if (cak_hyperband_goes_on(&sweep->early, sweep->maximize, r->judged, &all[r->point], all, n)) continue;
        stop_early(w, a, r, r->judged);
        return;
    }
}

/* ---- progress ---- */

/* The metric of the sweep, or the first that stands for a whole loss. */
static int shown_metric(const cak_sweep *sweep, const cak_metrics_table *t)
{
    int c = sweep->metric ? cak_metrics_column(t, sweep->metric) : -1;
    for (int i = 0; c < 0 && i < t->n_names; i++)
        if (!cak_metrics_is_place(t->name[i]) && strcmp(t->name[i], "wall") != 0 && !strchr(t->name[i], '.')) c = i;
    return c;
}

static void read_progress(cak_worker *w, cak_arena *a, cak_diag *d, cak_running *r)
{
    const cak_metrics_table *t = cak_metrics_last(a, d, cak_point_path(a, w->s, r->point, "runs"), "epoch");
    int epoch = t && t->n_rows ? cak_metrics_column(t, "epoch") : -1, metric = epoch < 0 ? -1 : shown_metric(w->s->sweep, t);
    if (epoch >= 0) r->epochs = (int64_t)t->value[epoch] + 1;
    if (metric >= 0) snprintf(r->metric, sizeof r->metric, "%s=%.4g", t->name[metric], t->value[metric]);
}

void cak_worker_watch(cak_worker *w)
{
    cak_arena *a = cak_arena_open("progress of points");
    cak_diag *ignored = cak_diag_open(); /* a record that is being written */
    for (int i = 0; i < w->n_running; i++) {
        read_progress(w, a, ignored, &w->running[i]);
        judge(w, a, ignored, &w->running[i]);
    }
    cak_diag_close(ignored);
    cak_arena_close(a);
}

static const char *running_line(cak_arena *a, const cak_worker *w, const cak_running *r)
{
    char spent[32];
    const char *of = r->of_epochs ? cak_arena_print(a, "/%" PRId64, r->of_epochs) : "";
    return cak_arena_print(a, "  epoch %" PRId64 "%s %s%s%s  %s", r->epochs, of, r->metric, *r->metric ? " " : "",
                           cak_duration(cak_seconds() - r->since, spent), cak_worker_label(a, w, r->point));
}

/* Time that is left, from the mean duration of the runs that have ended: "" before the first. */
static const char *eta(cak_arena *a, const cak_worker *w, int left)
{
    char text[32];
    if (!w->n_durations) return "";
    double mean = w->durations / w->n_durations, work = mean * left;
    for (int i = 0; i < w->n_running; i++) work -= fmin(mean, cak_seconds() - w->running[i].since);
    return cak_arena_print(a, ", eta %s", cak_duration(work / w->jobs, text));
}

static const bool ended[CAK_POINT_STATES] = {
    [CAK_POINT_FINISHED] = true, [CAK_POINT_DIVERGED] = true, [CAK_POINT_STOPPED] = true, [CAK_POINT_FAILED] = true
};

/* How many points are in each state; returns how many have ended. */
static int count_states(const cak_worker *w, int count[CAK_POINT_STATES])
{
    int done = 0;
    for (int i = 0; i < w->s->sweep->n_points; i++) {
        cak_point_state state = w->task[i].refused ? CAK_POINT_FAILED : w->task[i].state;
        count[state]++;
        done += ended[state];
    }
    return done;
}

const char *cak_worker_done(cak_arena *a, const cak_worker *w)
{
    int count[CAK_POINT_STATES] = { 0 };
    return cak_arena_print(a, "[%d/%d]", count_states(w, count), w->s->sweep->n_points);
}

/* "[37/150] running 2, finished 31, diverged 3, failed 1, eta 4:12:00" */
static const char *counts_line(cak_arena *a, const cak_worker *w)
{
    int count[CAK_POINT_STATES] = { 0 }, done = count_states(w, count), n = w->s->sweep->n_points;
    cak_text_builder b = { .a = a };
    cak_text_add(&b, "[%d/%d]", done, n);
    const char *gap = " ";
    for (int i = 0; i < CAK_POINT_STATES; i++) {
        if (!count[i] || i == CAK_POINT_WAITING) continue;
        cak_text_add(&b, "%s%s %d", gap, cak_point_state_name((cak_point_state)i), count[i]);
        gap = ", ";
    }
    cak_text_add(&b, "%s", eta(a, w, n - done));
    return cak_text_done(&b);
}

void cak_worker_draw(cak_worker *w)
{
    cak_arena *a = cak_arena_open("progress of points");
    const char **line = cak_arena_alloc(a, ((size_t)w->n_running + 1) * sizeof *line);
    for (int i = 0; i < w->n_running; i++) line[i] = running_line(a, w, &w->running[i]);
    line[w->n_running] = counts_line(a, w);
    cak_show_block(&w->show, a, line, w->n_running + 1);
    cak_arena_close(a);
}
