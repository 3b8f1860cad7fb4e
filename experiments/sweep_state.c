/* The state of a point, derived from its claim, its run directory and its attempts. */
#include <jansson.h>
#include <signal.h>
#include <string.h>

#include "experiments/sweep_attempt.h"
#include "experiments/sweep_claim.h"
#include "graph/io.h"

static const char *const state_name[CAK_POINT_STATES] = { "waiting", "running",     "finished", "diverged",
                                                          "stopped", "interrupted", "killed",   "failed" };
const char *cak_point_state_name(cak_point_state s) { return state_name[s]; }

const char *cak_point_path(cak_arena *a, const cak_sweep_dir *s, int point, const char *kind)
{
    static const struct {
        const char *kind, *suffix;
    } files[] = { { "runs", "" }, { "logs", ".txt" }, { "claims", ".lock" }, { "attempts", ".jsonl" } };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!strcmp(files[i].kind, kind))
            return cak_arena_print(a, "%s/%s/%s%s", s->dir, kind, s->sweep->point[point].id, files[i].suffix);
    CAK_CHECK(!"a kind of file that points have");
    return NULL;
}

static cak_point_state state_of_code(int code)
{
    static const struct {
        int code;
        cak_point_state state;
    } codes[] = { { CAK_EXIT_DIVERGED, CAK_POINT_DIVERGED }, { CAK_EXIT_STOPPED, CAK_POINT_INTERRUPTED } };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code) return codes[i].state;
    return CAK_POINT_FAILED;
}

static void by_attempt(cak_arena *a, const cak_attempt *t, cak_point_status *out)
{
    const char *colon = t->reason ? ": " : "", *reason = t->reason ? t->reason : "";
    out->exit_code = t->exit_code;
    if (t->signal) {
        out->state = CAK_POINT_KILLED;
        out->reason = cak_arena_print(a, "signal %d (%s)", t->signal, strsignal(t->signal));
        return;
    }
    out->state = state_of_code(t->exit_code);
    if (t->stopped_early && out->state == CAK_POINT_INTERRUPTED) out->state = CAK_POINT_STOPPED, out->reason = t->reason;
    if (out->state == CAK_POINT_FAILED) out->reason = cak_arena_print(a, "exit code %d%s%s", t->exit_code, colon, reason);
}

/* What run.json says of itself: of runs that ended as they should, and where nobody was left to record the attempt. */
static void by_run(cak_arena *a, const cak_run_info *run, cak_point_status *out)
{
    static const cak_point_state states[CAK_RUN_STATES] = {
        [CAK_RUN_CREATED] = CAK_POINT_WAITING,         [CAK_RUN_RUNNING] = CAK_POINT_RUNNING,
        [CAK_RUN_FINISHED] = CAK_POINT_FINISHED,       [CAK_RUN_DIVERGED] = CAK_POINT_DIVERGED,
        [CAK_RUN_INTERRUPTED] = CAK_POINT_INTERRUPTED, [CAK_RUN_CRASHED] = CAK_POINT_KILLED,
    };
    out->exit_code = run->exit_code;
    out->state = run->state == CAK_RUN_FAILED ? state_of_code(run->exit_code) : states[run->state];
    if (out->state == CAK_POINT_KILLED) out->reason = "crashed";
    if (out->state == CAK_POINT_FAILED) out->reason = cak_arena_print(a, "exit code %d", run->exit_code);
}

static void say_where_it_diverged(cak_arena *a, cak_point_status *out)
{
    if (out->state == CAK_POINT_DIVERGED && out->run && out->run->diverged_step >= 0)
        out->reason = cak_arena_print(a, "diverged in step %lld", (long long)out->run->diverged_step);
}

static int changes_of(const cak_run_info *run)
{
    json_t *doc = run ? json_loads(run->json, 0, NULL) : NULL;
    int n = (int)json_array_size(json_object_get(doc, "history"));
    json_decref(doc);
    return n;
}

static bool read_files(cak_arena *a, cak_diag *d, const cak_sweep_dir *s, int point, cak_point_status *out, cak_attempt *last)
{
    const char *dir = cak_point_path(a, s, point, "runs");
    if (!cak_attempt_last(a, d, s, point, &out->attempts, last)) return false;
    bool there = cak_io_exists(cak_arena_print(a, "%s/run.json", dir));
    if (there) out->run = cak_run_describe(a, d, dir);
    return !there || out->run;
}

/* With its place: it is none of the log that is named beside it. */
static const char *first_error(cak_arena *a, const cak_diag *d)
{
    cak_pos at = cak_diag_pos(d, 0);
    const char *message = cak_diag_message(d, 0);
    return at.file ? cak_arena_print(a, "%s:%d: %s", at.file, at.line, message) : cak_arena_text(a, message);
}

void cak_point_outcome(cak_arena *a, const cak_sweep_dir *s, int point, cak_point_status *out, int *changes)
{
    cak_attempt last;
    cak_diag *own = cak_diag_open();
    *out = (cak_point_status){ .state = CAK_POINT_WAITING, .exit_code = -1 };
    bool ok = read_files(a, own, s, point, out, &last);
    const cak_run_info *run = out->run;
    int n = changes_of(run);
    bool result = run && (run->state == CAK_RUN_FINISHED || run->state == CAK_RUN_DIVERGED);
    if (!ok) out->state = CAK_POINT_FAILED, out->reason = first_error(a, own);
    else if (run && run->holder && !result) out->state = CAK_POINT_RUNNING;
    else if (!result && out->attempts && last.changes == n) by_attempt(a, &last, out);
    else if (run) by_run(a, run, out);
    say_where_it_diverged(a, out);
    if (changes) *changes = n;
    cak_diag_close(own);
}

bool cak_point_look(cak_arena *a, cak_diag *d, const cak_sweep_dir *s, int point, cak_point_status *out)
{
    (void)d;
    cak_point_outcome(a, s, point, out, NULL);
    if (cak_claim_held(s, point)) out->state = CAK_POINT_RUNNING, out->reason = NULL;
    return true;
}
