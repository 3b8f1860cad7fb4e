/* The loop that runs the points of a sweep on this machine. */
#include "experiments/sweep_run.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "experiments/launch_slurm.h"
#include "experiments/sweep_claim.h"
#include "experiments/sweep_signals.h"
#include "experiments/sweep_worker.h"
#include "graph/io.h"
#include "graph/text.h"

enum { TICK = 500, LISTED = 20 }; /* ms between looks at children and claims; failed points listed at the end */
#define WATCH_EVERY 1.0           /* s */

const char *cak_sweep_censoring(const cak_sweep *s)
{
    if (!s->early.min_iter) return NULL;
    return s->n_pair_by
               ? "early_terminate stops runs before they may have diverged: times to divergence are censored, and pairs of "
                 "pair_by lose one side"
               : "early_terminate stops runs before they may have diverged: times to divergence are censored";
}

/* ---- processors ---- */

static int64_t at_least_one(int64_t n) { return n > 1 ? n : 1; }

bool cak_sweep_share(int64_t points, int64_t processors, int64_t *jobs, int64_t *threads)
{
    if (!*threads && *jobs) *threads = at_least_one(processors / *jobs);
    if (!*threads) *threads = points >= processors ? 1 : processors / at_least_one(points);
    if (!*jobs) *jobs = at_least_one(processors / *threads);
    if (*jobs * *threads <= processors) return true;
    if (*threads > processors) *threads = processors;
    *jobs = at_least_one(processors / *threads);
    return false;
}

static int64_t processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? at_least_one(CPU_COUNT(&set)) : 1;
}

static void share_machine(cak_worker *w)
{
    const cak_launcher *l = &w->s->sweep->launcher;
    const cak_sweep_options *o = w->o;
    bool agent = o->reach != CAK_SWEEP_ALL;
    int64_t n = processors(),
            jobs = agent     ? 1
                   : o->jobs ? o->jobs
                             : l->jobs,
            threads = o->threads ? o->threads : l->threads_per_job;
    int64_t wanted_jobs = jobs, wanted_threads = threads;
    if (!cak_sweep_share(w->s->sweep->n_points, n, &jobs, &threads))
        cak_warn(w->d, CAK_NOWHERE,
                 "%lld jobs of %lld threads are more than the %lld processors: %lld jobs of %lld threads are run",
                 (long long)at_least_one(wanted_jobs), (long long)at_least_one(wanted_threads), (long long)n, (long long)jobs,
                 (long long)threads);
    w->jobs = (int)jobs;
    w->threads = (int)threads;
}

/* ---- children ---- */

static void write_summary(cak_worker *w)
{
    double began = cak_seconds();
    cak_sweep_write_summary(w->d, w->s);
    w->next_summary = cak_seconds() + 1 + 20 * (cak_seconds() - began); /* large sweeps must not spend their time on it */
}

static void reap(cak_worker *w)
{
    int ended = 0, status;
    for (int i = w->n_running - 1; i >= 0; i--) {
        pid_t got = waitpid(w->running[i].child.pid, &status, WNOHANG);
        if (got == 0 || (got < 0 && errno == EINTR)) continue;
        CAK_CHECK(got > 0); /* nobody else waits for our children */
        cak_worker_ended(w, i, status);
        ended++;
    }
    if (ended && cak_seconds() >= w->next_summary) write_summary(w);
}

static void stop_children(cak_worker *w)
{
    if (w->stopping) return;
    w->stopping = true;
    cak_show_alarm(&w->show, "stopping: %d run%s checkpoints; interrupt once more to kill them", w->n_running,
                   w->n_running == 1 ? " writes" : "s write");
    for (int i = 0; i < w->n_running; i++) {
        w->running[i].asked = true;
        kill(w->running[i].child.pid, SIGTERM);
    }
}

static void kill_children(cak_worker *w)
{
    int status;
    for (int i = 0; i < w->n_running; i++) kill(w->running[i].child.pid, SIGKILL);
    for (int i = 0; i < w->n_running; i++) {
        while (waitpid(w->running[i].child.pid, &status, 0) < 0 && errno == EINTR) {}
        cak_io_close(w->running[i].claim);
    }
}

/* ---- points ---- */

static bool may_start(const cak_worker *w, int point)
{
    const cak_task *t = &w->task[point];
    if (t->closed || (w->only >= 0 && point != w->only) || fmax(t->not_before, w->not_before) > cak_seconds()) return false;
    for (int i = 0; i < w->n_running; i++)
        if (w->running[i].point == point) return false;
    return true;
}

static bool start_next(cak_worker *w)
{
    int64_t limit = w->s->sweep->fail_fast;
    if (w->stopping || (limit && w->failures >= limit)) return false;
    for (int i = 0; i < w->s->sweep->n_points; i++) {
        if (!may_start(w, i) || !cak_worker_try(w, i)) continue;
        if (w->o->reach == CAK_SWEEP_ONE) w->only = i;
        return true;
    }
    return false;
}

static int open_points(const cak_worker *w)
{
    int n = 0;
    for (int i = 0; i < w->s->sweep->n_points; i++) n += !w->task[i].closed && (w->only < 0 || w->only == i);
    return n;
}

/* Nothing runs here and nothing can be started: is there something to wait for? Points of other processes, or one that is tried again soon. */
static bool is_over(const cak_worker *w)
{
    int64_t limit = w->s->sweep->fail_fast;
    if (w->n_running) return false;
    if (w->stopping || (limit && w->failures >= limit)) return true;
    return w->o->reach != CAK_SWEEP_ALL || !open_points(w);
}

static void survey(cak_worker *w)
{
    cak_arena *a = cak_arena_open("states of points");
    for (int i = 0; i < w->s->sweep->n_points; i++) {
        cak_point_status p;
        cak_point_look(a, w->d, w->s, i, &p);
        w->task[i].state = p.state;
    }
    cak_arena_close(a);
}

/* ---- the loop ---- */

/* False when the user insists. */
static bool loop(cak_worker *w)
{
    cak_signals got = { 0 };
    double next_watch = 0;
    bool told = false;
    for (;;) {
        reap(w);
        while (w->n_running < w->jobs && start_next(w)) {}
        if (is_over(w)) return true;
        if (!w->n_running && !told)
            cak_show_line(&w->show, "waiting for %d point%s that other processes run", open_points(w),
                          open_points(w) == 1 ? "" : "s"),
                told = true;
        bool watch = w->show.mode == CAK_PROGRESS_BAR || w->s->sweep->early.min_iter;
        if (watch && cak_seconds() >= next_watch) cak_worker_watch(w), next_watch = cak_seconds() + WATCH_EVERY;
        cak_worker_draw(w);
        cak_signals_wait(&got, TICK);
        if (got.stops) stop_children(w);
        if (got.interrupts > 1) {
            kill_children(w);
            return false;
        }
    }
}

/* ---- the end ---- */

typedef struct tally {
    int state[CAK_POINT_STATES], bad, left, listed;
} tally;

static bool is_bad(const cak_worker *w, int point)
{
    cak_point_state state = w->task[point].state;
    return w->task[point].refused || state == CAK_POINT_FAILED || state == CAK_POINT_KILLED ||
           (state == CAK_POINT_DIVERGED && w->o->strict_diverged);
}

static void list_bad(cak_worker *w, cak_arena *a, int point, const cak_point_status *p, tally *t)
{
    const cak_task *task = &w->task[point];
    if (++t->listed > LISTED) return;
    const char *log = cak_point_path(a, w->s, point, "logs"), *reason = task->refused ? task->refused : p->reason;
    cak_show_alarm(&w->show, "  %s  %s: %s%s%s", cak_worker_label(a, w, point),
                   task->refused ? "failed" : cak_point_state_name(p->state), reason ? reason : "no reason known",
                   cak_io_exists(log) ? "; log: " : "", cak_io_exists(log) ? log : "");
}

/* All points have ended, and there are results. */
static bool is_comparable(const tally *t, int points)
{
    bool open = t->left || t->state[CAK_POINT_RUNNING] || t->state[CAK_POINT_KILLED];
    return points > 1 && !open && t->state[CAK_POINT_FAILED] < points;
}

/* Look once more at all points and say how they ended. */
static tally report(cak_worker *w)
{
    tally t = { 0 };
    cak_arena *a = cak_arena_open("report of a sweep");
    for (int i = 0; i < w->s->sweep->n_points; i++) {
        cak_point_status p;
        cak_point_look(a, w->d, w->s, i, &p);
        if (i != w->only) w->task[i].state = p.state; /* what others have begun with our point since then is not our outcome */
        t.state[w->task[i].refused ? CAK_POINT_FAILED : p.state]++;
        t.left += !w->task[i].refused && (p.state == CAK_POINT_WAITING || p.state == CAK_POINT_INTERRUPTED);
        if (!is_bad(w, i)) continue;
        t.bad++;
        list_bad(w, a, i, &p, &t);
    }
    if (t.listed > LISTED) cak_show_alarm(&w->show, "  and %d more: cak sweep status %s", t.listed - LISTED, w->s->dir);
    cak_text_builder b = { .a = a };
    for (int i = 0; i < CAK_POINT_STATES; i++)
        if (t.state[i]) cak_text_add(&b, "%s%d %s", b.n ? ", " : "", t.state[i], cak_point_state_name((cak_point_state)i));
    int n = w->s->sweep->n_points;
    cak_show_line(&w->show, "%s: %d point%s: %s", w->s->dir, n, n == 1 ? "" : "s", cak_text_done(&b));
    if (is_comparable(&t, n)) cak_show_line(&w->show, "compare with: cak compare %s", w->s->dir);
    cak_arena_close(a);
    return t;
}

static int code_of_one(cak_worker *w)
{
    static const int codes[CAK_POINT_STATES] = {
        [CAK_POINT_WAITING] = CAK_EXIT_STOPPED, [CAK_POINT_INTERRUPTED] = CAK_EXIT_STOPPED, [CAK_POINT_RUNNING] = CAK_EXIT_BUSY,
        [CAK_POINT_KILLED] = CAK_EXIT_SWEEP,    [CAK_POINT_FAILED] = CAK_EXIT_SWEEP,
    };
    if (w->only < 0) {
        cak_show_alarm(&w->show, "nothing is left to start");
        return w->failures ? CAK_EXIT_SWEEP : CAK_EXIT_OK;
    }
    return is_bad(w, w->only) ? CAK_EXIT_SWEEP : codes[w->task[w->only].state];
}

static int exit_code(cak_worker *w, const tally *t)
{
    if (w->o->reach == CAK_SWEEP_ONE || w->o->reach == CAK_SWEEP_AT) return code_of_one(w);
    bool unfinished = t->left || t->state[CAK_POINT_KILLED] || t->state[CAK_POINT_RUNNING];
    if (w->stopping && unfinished) return CAK_EXIT_STOPPED;
    if (t->bad) return CAK_EXIT_SWEEP;
    return t->left ? CAK_EXIT_STOPPED : CAK_EXIT_OK;
}

static bool make_folders(cak_diag *d, const cak_sweep_dir *s)
{
    static const char *const names[] = { "claims", "attempts", "logs", "runs" };
    cak_arena *a = cak_arena_open("folders of a sweep");
    bool ok = true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ok = ok && cak_io_mkdirs(d, cak_arena_print(a, "%s/%s", s->dir, names[i]));
    cak_arena_close(a);
    return ok;
}

static int run_points(cak_worker *w)
{
    if (!make_folders(w->d, w->s) || !cak_claim_allowed(w->d, w->s) || !cak_signals_open(w->d)) return cak_diag_exit(w->d);
    survey(w);
    bool patient = loop(w);
    cak_signals_close();
    cak_show_clear(&w->show);
    if (!patient) return CAK_EXIT_FORCED;
    write_summary(w);
    tally t = report(w);
    int code = exit_code(w, &t);
    return code == CAK_EXIT_STOPPED && cak_diag_errors(w->d) ? cak_diag_exit(w->d) : code; /* 75 asks to be called again */
}

static bool can_run_here(cak_diag *d, const cak_sweep_dir *s, const cak_sweep_options *o)
{
    int n = s->sweep->n_points;
    if (o->reach == CAK_SWEEP_AT && (o->index < 0 || o->index >= n))
        return cak_error(d, CAK_E5001, CAK_NOWHERE, "the plan has %d point%s, counted from 0: there is none of index %lld", n,
                         n == 1 ? "" : "s", (long long)o->index);
    return true;
}

static int run_here(cak_diag *d, cak_sweep_dir *s, const cak_sweep_options *o)
{
    if (!can_run_here(d, s, o)) return cak_diag_exit(d);
    cak_arena *a = cak_arena_open("running a sweep");
    cak_worker w = { .a = a, .d = d, .s = s, .o = o, .only = o->reach == CAK_SWEEP_AT ? (int)o->index : -1 };
    w.show = cak_show_open(o->progress);
    w.brief = cak_brief_open(a, s->sweep);
    share_machine(&w);
    if (cak_sweep_censoring(s->sweep)) cak_warn(d, CAK_NOWHERE, "%s", cak_sweep_censoring(s->sweep));
    cak_diag_print(d, stderr); /* warnings belong before the hours of work, not after */
    cak_diag_clear(d);
    w.task = cak_arena_alloc(a, ((size_t)s->sweep->n_points + 1) * sizeof *w.task);
    w.running = cak_arena_alloc(a, (size_t)w.jobs * sizeof *w.running);
    int code = run_points(&w);
    cak_arena_close(a);
    return code;
}

/* ---- launchers ---- */

static int run_on_slurm(cak_diag *d, cak_sweep_dir *s, const cak_sweep_options *o)
{
    bool task = o->reach != CAK_SWEEP_ALL; /* of a job array */
    return task || cak_slurm_over(s, o) ? run_here(d, s, o) : cak_slurm_submit(d, s, o);
}

int cak_sweep_run(cak_diag *d, cak_sweep_dir *s, const cak_sweep_options *o)
{
    static int (*const launch[])(cak_diag *, cak_sweep_dir *, const cak_sweep_options *) = {
        [CAK_LAUNCH_LOCAL] = run_here, [CAK_LAUNCH_SLURM] = run_on_slurm
    };
    return launch[o->launcher ? *o->launcher : s->sweep->launcher.type](d, s, o);
}
