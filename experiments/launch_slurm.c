/* Sweeps on a Slurm cluster: job script, submission, and what became of the tasks. */
#include "experiments/launch_slurm.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "experiments/process.h"
#include "experiments/provenance.h"
#include "experiments/slurm_script.h"
#include "experiments/sweep_show.h"
#include "graph/io.h"
#include "graph/text.h"

enum { LONGEST = 1 << 20 };                       /* bytes of jobs.txt */
static const double patience = 15, submits = 120; /* seconds for squeue, for sbatch */

static const char *in_slurm(cak_arena *a, const char *dir, const char *name)
{
    return cak_arena_print(a, "%s/slurm/%s", dir, name);
}

/* ---- tasks of earlier submissions ---- */

/* The first words of the lines of jobs.txt: "17,21"; "" when nothing was submitted. */
static const char *job_ids(cak_arena *a, const char *dir)
{
    size_t size;
    cak_text_builder b = { .a = a };
    const char *path = in_slurm(a, dir, "jobs.txt");
    if (!cak_io_exists(path)) return "";
    cak_diag *ignored = cak_diag_open();
    const char *line = cak_io_read_all(a, ignored, CAK_E4002, path, LONGEST, &size);
    for (; line && *line; line += strcspn(line, "\n"), line += *line != 0) {
        size_t n = strspn(line, "0123456789");
        if (n) cak_text_add(&b, "%s%.*s", b.n ? "," : "", (int)n, line);
    }
    cak_diag_close(ignored);
    return cak_text_done(&b);
}

static void count_state(cak_slurm_tasks *t, const char *word, size_t n)
{
    static const struct {
        const char *state;
        bool pending;
    } states[] = { /* others are of tasks that are over */
                   { "RUNNING", false },     { "CONFIGURING", false },  { "COMPLETING", false },  { "SUSPENDED", false },
                   { "STOPPED", false },     { "SIGNALING", false },    { "STAGE_OUT", false },   { "RESIZING", false },
                   { "PENDING", true },      { "REQUEUED", true },      { "REQUEUE_FED", true },  { "REQUEUE_HOLD", true },
                   { "SPECIAL_EXIT", true }, { "POWER_UP_NODE", true }, { "RESV_DEL_HOLD", true }
    };
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strlen(states[i].state) == n && !strncmp(states[i].state, word, n)) {
            t->pending += states[i].pending;
            t->running += !states[i].pending;
        }
}

cak_slurm_tasks cak_slurm_look(cak_arena *a, const cak_sweep_dir *s, double timeout)
{
    cak_slurm_tasks t = { 0 };
    const char *ids = job_ids(a, s->dir);
    if (!*ids) return t;
    const char *const words[] = { "squeue", "--noheader", "--array", "--format=%T", "--jobs", ids, NULL };
    cak_process p = cak_process_run(a, words, timeout);
    bool forgotten = p.code > 0 && strstr(p.says, "Invalid job id"); /* what squeue says of one job that was over long ago */
    if (p.code != 0 && !forgotten) t.unknown = *p.says ? p.says : cak_arena_print(a, "exit code %d", p.code);
    if (p.code != 0) return t;
    for (const char *line = p.out; *line; line += strcspn(line, "\n"), line += *line != 0)
        count_state(&t, line, strcspn(line, " \n"));
    return t;
}

/* ---- points ---- */

typedef struct survey {
    bool *open; /* by point */
    int n_open, n_running;
    bool failed; /* some open points have failed before */
} survey;

static survey survey_points(cak_arena *a, const cak_sweep_dir *s, const cak_sweep_options *o)
{
    survey v = { .open = cak_arena_alloc(a, (size_t)s->sweep->n_points + 1) };
    cak_diag *ignored = cak_diag_open();
    for (int i = 0; i < s->sweep->n_points; i++) {
        cak_point_status p;
        cak_point_look(a, ignored, s, i, &p);
        bool failed = p.state == CAK_POINT_FAILED && o->retry_failed;
        v.open[i] = failed || p.state == CAK_POINT_WAITING || p.state == CAK_POINT_INTERRUPTED || p.state == CAK_POINT_KILLED;
        v.n_open += v.open[i];
        v.n_running += p.state == CAK_POINT_RUNNING;
        v.failed = v.failed || failed;
    }
    cak_diag_close(ignored);
    return v;
}

bool cak_slurm_over(const cak_sweep_dir *s, const cak_sweep_options *o)
{
    cak_arena *a = cak_arena_open("points of a sweep");
    survey v = survey_points(a, s, o);
    cak_arena_close(a);
    return !v.n_open && !v.n_running;
}

/* "2,5-7": the lines of the open points in the plan. */
static const char *open_lines(cak_arena *a, const cak_sweep_dir *s, const survey *v)
{
    cak_text_builder b = { .a = a };
    for (int i = 0, last; i < s->sweep->n_points; i = last + 1) {
        for (last = i; v->open[last] && last + 1 < s->sweep->n_points && v->open[last + 1];) last++;
        if (!v->open[i]) continue;
        cak_text_add(&b, last > i ? "%s%d-%d" : "%s%d", b.n ? "," : "", i, last);
    }
    return cak_text_done(&b);
}

/* ---- the script ---- */

static bool absolute(cak_arena *a, cak_diag *d, const char *path, const char **out)
{
    char full[PATH_MAX];
    if (realpath(path, full)) *out = cak_arena_text(a, full);
    else if (*path == '/') *out = path;
    else if (getcwd(full, sizeof full)) *out = cak_arena_print(a, "%s/%s", full, path);
    else return cak_error(d, CAK_E4002, CAK_NOWHERE, "the working directory is not known: %s", strerror(errno));
    return cak_slurm_path_ok(*out) ||
           cak_error(d, CAK_E4012, CAK_NOWHERE, "Slurm takes no path with a backslash or a control character: %s", *out);
}

/* NULL after an error. */
static const char *script(cak_arena *a, cak_diag *d, const cak_sweep_dir *s, const cak_sweep_options *o, const survey *v,
                          cak_slurm_job *j)
{
    const cak_launcher *l = &s->sweep->launcher;
    *j = (cak_slurm_job){ .by_index = v->failed, .limit = o->jobs ? o->jobs : l->array_limit };
    j->threads = o->threads ? o->threads : l->threads_per_job ? l->threads_per_job : 1;
    j->array = v->failed ? open_lines(a, s, v) : cak_arena_print(a, v->n_open > 1 ? "0-%d" : "%d", v->n_open - 1);
    bool ok = absolute(a, d, s->dir, &j->dir) && absolute(a, d, "/proc/self/exe", &j->program) &&
              (!o->cache || absolute(a, d, o->cache, &j->cache));
    return ok ? cak_slurm_script(a, s->sweep, j) : NULL;
}

bool cak_slurm_print(cak_diag *d, const cak_sweep_dir *s, const cak_sweep_options *o)
{
    cak_slurm_job j;
    cak_arena *a = cak_arena_open("job script");
    survey v = survey_points(a, s, o);
    const char *text = v.n_open ? script(a, d, s, o, &v, &j) : NULL;
    if (text) printf("\n%s/slurm/job.sh:\n\n%s", j.dir, text);
    cak_arena_close(a);
    return !cak_diag_errors(d);
}

/* ---- submission ---- */

typedef struct submission {
    cak_arena *a;
    cak_diag *d;
    const cak_sweep_dir *s;
    const cak_sweep_options *o;
    survey v;
    cak_slurm_job j;
    cak_show show;
    int jobs; /* jobs.txt */
} submission;

static bool refused(submission *m, const cak_process *p)
{
    if (p->code == CAK_PROCESS_ABSENT)
        cak_error(m->d, CAK_E4012, CAK_NOWHERE, "sbatch cannot be started: is this a machine of a Slurm cluster?");
    else cak_error(m->d, CAK_E4012, CAK_NOWHERE, "sbatch has not taken the job array: %s", *p->says ? p->says : p->out);
    cak_note(m->d, CAK_NOWHERE, "the plan is kept: `cak sweep %s` submits again, with --launcher local it runs the points here",
             m->s->dir);
    if (m->v.n_open > 1000)
        cak_note(m->d, CAK_NOWHERE, "clusters limit the numbers of tasks: scontrol show config, MaxArraySize");
    return false;
}

static bool record(submission *m, const char *id)
{
    char now[32];
    const char *line = cak_arena_print(m->a, "%s %s %d points\n", id, cak_utc(time(NULL), now), m->v.n_open);
    if (cak_io_append(m->d, m->jobs, in_slurm(m->a, m->s->dir, "jobs.txt"), line, strlen(line))) return true;
    cak_note(m->d, CAK_NOWHERE, "the job array %s was submitted", id);
    return false;
}

/* Hand the script to sbatch and write down the id. */
static bool hand_in(submission *m)
{
    const char *path = in_slurm(m->a, m->j.dir, "job.sh");
    const char *const words[] = { "sbatch", "--parsable", path, NULL };
    cak_process p = cak_process_run(m->a, words, submits);
    size_t n = strspn(p.out, "0123456789");
    if (p.code != 0 || !n) return refused(m, &p);
    const char *id = cak_arena_print(m->a, "%.*s", (int)n, p.out); /* the name of the cluster may follow */
    if (*p.says) cak_warn(m->d, CAK_NOWHERE, "%s", p.says);
    if (!record(m, id)) return false;
    cak_show_line(&m->show, "job array %s for %d points%s", id, m->v.n_open,
                  m->j.limit ? cak_arena_print(m->a, ", at most %" PRId64 " at a time", m->j.limit) : "");
    cak_show_line(&m->show, "look at it with: cak sweep status %s; squeue -j %s; log files: %s", m->s->dir, id,
                  in_slurm(m->a, m->s->dir, cak_arena_print(m->a, "%s_*.log", id)));
    return true;
}

static bool submit(submission *m)
{
    if (m->s->sweep->fail_fast)
        cak_warn(m->d, CAK_NOWHERE, "fail_fast does not stop a job array: each task counts its own failures only; see scancel");
    const char *text = script(m->a, m->d, m->s, m->o, &m->v, &m->j);
    const char *jobs = in_slurm(m->a, m->s->dir, "jobs.txt");
    if (!text || !cak_io_mkdirs(m->d, cak_arena_print(m->a, "%s/slurm", m->s->dir))) return false;
    cak_io_part part = { text, strlen(text) };
    m->jobs = -1;
    bool ok = cak_io_replace(m->d, in_slurm(m->a, m->s->dir, "job.sh"), &part, 1) &&
              (m->jobs = cak_io_open_append(m->d, jobs)) >= 0 && hand_in(m);
    cak_io_close(m->jobs);
    return ok;
}

/* Is there a reason to submit nothing? Then the user is told. */
static bool nothing_to_do(submission *m)
{
    cak_slurm_tasks t = cak_slurm_look(m->a, m->s, patience);
    if (t.unknown)
        cak_warn(m->d, CAK_NOWHERE, "whether earlier job arrays of the sweep still run is not known: squeue: %s", t.unknown);
    if (!m->v.n_open) {
        cak_show_line(&m->show, "nothing to submit: no point is open, %d are running", m->v.n_running);
        return true;
    }
    if (m->o->force || !(t.running + t.pending)) return false;
    cak_show_alarm(&m->show, "nothing submitted: %d tasks of the sweep are running and %d pending; --force submits %d more",
                   t.running, t.pending, m->v.n_open);
    return true;
}

int cak_slurm_submit(cak_diag *d, const cak_sweep_dir *s, const cak_sweep_options *o)
{
    submission m = { .a = cak_arena_open("submission of a sweep"), .d = d, .s = s, .o = o, .show = cak_show_open(o->progress) };
    int lock = cak_io_lock(d, cak_arena_print(m.a, "%s/sweep.lock", s->dir)); /* so that nobody submits at the same time */
    if (lock >= 0) {
        m.v = survey_points(m.a, s, o);
        if (!nothing_to_do(&m)) submit(&m);
    }
    cak_io_close(lock);
    cak_arena_close(m.a);
    return cak_diag_exit(d);
}
