/* One point: claim, check, start; and what is done when its child has ended. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "experiments/checkpoint.h"
#include "experiments/sweep_claim.h"
#include "experiments/sweep_worker.h"
#include "graph/config.h"
#include "graph/io.h"
#include "graph/text.h"

enum { MAX_DEPTH = 8, BUSY_PAUSE = 1, CROWDED_PAUSE = 1 };

const char *cak_worker_label(cak_arena *a, const cak_worker *w, int point)
{
    const char *overrides = cak_brief_point(a, &w->brief, point);
    return cak_arena_print(a, "%s%s%s", w->s->sweep->point[point].id, *overrides ? " " : "", overrides);
}

/* ---- files ---- */

static bool remove_tree(cak_arena *a, cak_diag *d, const char *dir, int depth)
{
    int n;
    const cak_io_entry *entry = cak_io_list(a, d, dir, &n);
    bool ok = entry != NULL;
    for (int i = 0; i < n; i++) {
        const char *path = cak_arena_print(a, "%s/%s", dir, entry[i].name);
        bool folder = entry[i].kind == CAK_IO_DIR && depth < MAX_DEPTH;
        ok = (folder ? remove_tree(a, d, path, depth + 1) : cak_io_remove(d, path)) && ok;
    }
    return ok && cak_io_remove_dir(d, dir);
}

static bool remove_folder(cak_arena *a, cak_diag *d, const char *dir, const char *name)
{
    const char *path = cak_arena_print(a, "%s/%s", dir, name);
    return !cak_io_exists(path) || (cak_io_no_link(d, path) && remove_tree(a, d, path, 0));
}

/* What `keep` of the sweep says about a point that has its result. Doing it twice does no harm. */
static void keep_what_is_wanted(cak_worker *w, int point)
{
    const cak_sweep *sweep = w->s->sweep;
    cak_arena *a = cak_arena_open("files of a run");
    cak_diag *d = cak_diag_open();
    const char *dir = cak_point_path(a, w->s, point, "runs");
    bool finished = w->task[point].state == CAK_POINT_FINISHED, diverged = w->task[point].state == CAK_POINT_DIVERGED, ok = true;
    if (finished && sweep->keep == CAK_KEEP_LAST) ok = cak_ckpt_prune(d, dir, 1, CAK_CKPT_NONE);
    if (finished && sweep->keep == CAK_KEEP_NONE) ok = remove_folder(a, d, dir, "ckpt");
    if (diverged && !sweep->keep_snapshot) ok = remove_folder(a, d, dir, "snapshot");
    if (!ok) cak_show_alarm(&w->show, "cak: warning: %s", cak_diag_message(d, 0));
    cak_diag_close(d);
    cak_arena_close(a);
}

/* ---- starting ---- */

/* The point fails without an attempt. */
static bool refuse(cak_worker *w, int point, cak_code code, const char *why)
{
    cak_task *task = &w->task[point];
    task->refused = cak_arena_print(w->a, "not started: %s [%s]", why, cak_code_name(code));
    task->closed = true;
    w->failures++;
    cak_show_alarm(&w->show, "cak: error: point %s is %s", cak_worker_label(w->a, w, point), task->refused);
    return false;
}

static bool refuse_as(cak_worker *w, int point, const cak_diag *d)
{
    return refuse(w, point, cak_diag_code(d, 0), cak_arena_text(w->a, cak_diag_message(d, 0)));
}

static int64_t epochs_of(const cak_config *c)
{
    cak_diag *ignored = cak_diag_open();
    const cak_yaml *n = cak_yaml_path(c->root, "train.epochs");
    int64_t epochs = 0;
    if (n && !cak_config_int(ignored, n, &epochs)) epochs = 0;
    cak_diag_close(ignored);
    return epochs;
}

/* A new point is what its plan says, or it is not started. A run that exists has its own configuration. */
static bool same_as_planned(cak_worker *w, cak_arena *a, int point, bool resume, int64_t *epochs)
{
    const cak_sweep *sweep = w->s->sweep;
    char digest[33] = "";
    cak_diag *d = cak_diag_open();
    const char *path = resume ? cak_arena_print(a, "%s/config.yaml", cak_point_path(a, w->s, point, "runs")) : sweep->base;
    const char **override = resume ? NULL : cak_point_overrides(a, sweep, &sweep->point[point]);
    cak_config *c = cak_config_load(d, path, override, override ? sweep->n_keys : 0);
    *epochs = c ? epochs_of(c) : 0;
    if (c && !cak_diag_errors(d)) cak_config_digest(c, digest);
    bool ok = resume || !strcmp(digest, w->s->config_hash[point]);
    if (!ok)
        refuse(w, point, CAK_E5002,
               cak_arena_print(w->a, "the configuration has changed since the plan was made%s%s", cak_diag_errors(d) ? ": " : "",
                               cak_diag_errors(d) ? cak_diag_message(d, 0) : ""));
    if (c) cak_config_close(c);
    cak_diag_close(d);
    return ok;
}

/* Without run.json a process that was killed as it began leaves at most its lock; anything else is not ours to remove. */
static bool is_bare(cak_arena *a, cak_diag *d, const char *dir)
{
    int n;
    if (!cak_io_remove_temporaries(d, dir)) return false;
    const cak_io_entry *entry = cak_io_list(a, d, dir, &n);
    return entry &&
           (n == 0 || (n == 1 && !strcmp(entry[0].name, "run.lock")) ||
            cak_error(d, CAK_E4011, CAK_NOWHERE,
                      "%s is not empty, and has no run.json that can be read; move it away to train the point anew", dir));
}

/* Nothing was recorded yet in what a process left that was killed as it began. */
static bool begin_anew(cak_worker *w, cak_arena *a, int point, bool created)
{
    const char *dir = cak_point_path(a, w->s, point, "runs");
    cak_diag *d = cak_diag_open();
    bool ok = !cak_io_exists(dir) || (cak_io_no_link(d, dir) && (created || is_bare(a, d, dir)) && remove_tree(a, d, dir, 0)) ||
              refuse_as(w, point, d);
    cak_diag_close(d);
    return ok;
}

/* With the claim. */
static bool start(cak_worker *w, cak_arena *a, int point, int claim, const cak_point_status *p)
{
    cak_running *r = &w->running[w->n_running];
    bool resume = p->run && p->run->state != CAK_RUN_CREATED;
    *r = (cak_running){ .point = point, .claim = claim, .since = cak_seconds(), .epochs = p->run ? p->run->epochs : 0 };
    r->judged = cak_hyperband_reached(&w->s->sweep->early, r->epochs);
    if (!same_as_planned(w, a, point, resume, &r->of_epochs) || (!resume && !begin_anew(w, a, point, p->run != NULL)))
        return false;
    cak_child_spec spec = { point, p->attempts + 1, resume, w->threads, w->o->cache, claim };
    cak_diag *d = cak_diag_open();
    bool ok = cak_child_start(w->a, d, w->s, &spec, &r->child);
    if (!ok && w->n_running) w->not_before = cak_seconds() + CROWDED_PAUSE; /* there is room when one of them has ended */
    else if (!ok) refuse_as(w, point, d);
    cak_diag_close(d);
    if (!ok) return false;
    w->n_running++;
    w->task[point].state = CAK_POINT_RUNNING;
    cak_show_line(&w->show, "%s %s %s", cak_worker_done(a, w), resume ? "resumed" : "started", cak_worker_label(a, w, point));
    return true;
}

/* Is there something to start in this state? Closes the point when there is not, and never will be in this call. */
static bool startable(cak_worker *w, int point, cak_point_state state)
{
    cak_task *task = &w->task[point];
    bool open = state == CAK_POINT_WAITING || state == CAK_POINT_INTERRUPTED || state == CAK_POINT_KILLED;
    task->state = state;
    if (open || task->again || (state == CAK_POINT_FAILED && w->o->retry_failed)) return true;
    task->not_before = cak_seconds() + BUSY_PAUSE; /* somebody runs it by hand */
    task->closed = state != CAK_POINT_RUNNING;
    if (task->closed) keep_what_is_wanted(w, point);
    return false;
}

bool cak_worker_try(cak_worker *w, int point)
{
    int claim;
    cak_diag *d = cak_diag_open();
    cak_arena *a = cak_arena_open("start of a point");
    cak_point_status p;
    bool started = false, taken = cak_claim_take(d, w->s, point, &claim) || refuse_as(w, point, d);
    if (taken && claim == CAK_CLAIM_NONE) w->task[point].state = CAK_POINT_RUNNING;
    if (taken && claim != CAK_CLAIM_NONE) {
        cak_point_outcome(a, w->s, point, &p, NULL); /* it may have ended between a look from outside and the claim */
        started = startable(w, point, p.state) && start(w, a, point, claim, &p);
        w->task[point].again = false;
    }
    if (!started) cak_io_close(claim);
    cak_diag_close(d);
    cak_arena_close(a);
    return started;
}

/* ---- ending ---- */

/* Trouble of the machine rather than of the point. */
static bool worth_a_retry(cak_point_state state, int code)
{
    return state == CAK_POINT_KILLED ||
           (state == CAK_POINT_FAILED && (code == CAK_EXIT_IO || code == CAK_EXIT_MEMORY || code == CAK_EXIT_BUG));
}

static void say_how_it_ended(cak_worker *w, cak_arena *a, const cak_running *r, const cak_point_status *p)
{
    const cak_task *task = &w->task[r->point];
    char duration[32];
    const char *label = cak_worker_label(a, w, r->point), *how = cak_point_state_name(p->state), *done = cak_worker_done(a, w);
    cak_duration(cak_seconds() - r->since, duration);
    if (p->state == CAK_POINT_FAILED || p->state == CAK_POINT_KILLED)
        cak_show_alarm(&w->show, "%s %s %s after %s: %s; log: %s%s", done, how, label, duration,
                       p->reason ? p->reason : "no reason known", r->child.log, task->again ? "; it is tried again" : "");
    else
        cak_show_line(&w->show, "%s %s %s after %s%s%s", done, how, label, duration, p->reason ? ": " : "",
                      p->reason ? p->reason : "");
}

/* The attempt is on disk; the point is closed, or has another go. */
static void settle(cak_worker *w, cak_arena *a, const cak_running *r)
{
    cak_task *task = &w->task[r->point];
    cak_point_status p;
    cak_point_outcome(a, w->s, r->point, &p, NULL);
    task->state = p.state;
    task->again = !w->stopping && worth_a_retry(p.state, p.exit_code) && task->retries < w->s->sweep->max_retries;
    task->retries += task->again;
    task->closed = !task->again;
    w->failures += task->closed && (p.state == CAK_POINT_FAILED || p.state == CAK_POINT_KILLED);
    if (p.state == CAK_POINT_FINISHED || p.state == CAK_POINT_DIVERGED) {
        w->durations += cak_seconds() - r->since;
        w->n_durations++;
    }
    keep_what_is_wanted(w, r->point);
    say_how_it_ended(w, a, r, &p);
}

/* Somebody else runs it in its run directory: not an attempt. */
static void leave_busy(cak_worker *w, int point)
{
    w->task[point].not_before = cak_seconds() + BUSY_PAUSE;
    if (w->o->reach == CAK_SWEEP_ONE) w->only = -1;
}

/* Our SIGTERM ended it before it listened: nothing has happened. */
static void leave_unbegun(cak_worker *w, cak_arena *a, int point)
{
    cak_point_status p;
    cak_point_outcome(a, w->s, point, &p, NULL);
    w->task[point].state = p.state;
}

void cak_worker_ended(cak_worker *w, int i, int status)
{
    cak_arena *a = cak_arena_open("end of a point");
    cak_running r = w->running[i];
    cak_attempt t = cak_child_ended(a, &r.child, status);
    cak_point_status p;
    t.stopped_early = r.why && t.exit_code == CAK_EXIT_STOPPED;
    if (t.stopped_early) t.reason = r.why;
    cak_point_outcome(a, w->s, r.point, &p, &t.changes);
    if (t.exit_code == CAK_EXIT_BUSY) leave_busy(w, r.point);
    else if (r.asked && t.signal == SIGTERM) leave_unbegun(w, a, r.point);
    else if (cak_attempt_add(w->d, w->s, r.point, &t)) settle(w, a, &r);
    else w->task[r.point].closed = true; /* the error is recorded; the run directory still says how it went */
    cak_io_close(r.claim);
    w->running[i] = w->running[--w->n_running];
    cak_arena_close(a);
}
