/* Runs that are points of a sweep: what the sweep knows about them, and the points that have no run. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/run_set.h"
#include "experiments/sweep_brief.h"
#include "experiments/sweep_dir.h"
#include "graph/io.h"

typedef struct cak_opened_sweep {
    const char *dir; /* without links and dots */
    cak_sweep_dir *sweep;
    cak_brief brief;
} cak_opened_sweep;

typedef struct meaning {
    bool counts; /* a point in this state is a member */
    cak_outcome outcome;
} meaning;

static const meaning meaning_of[CAK_POINT_STATES] = {
    [CAK_POINT_WAITING] = { false, CAK_OUTCOME_INCOMPLETE }, [CAK_POINT_RUNNING] = { true, CAK_OUTCOME_RUNNING },
    [CAK_POINT_FINISHED] = { true, CAK_OUTCOME_FINISHED },   [CAK_POINT_DIVERGED] = { true, CAK_OUTCOME_DIVERGED },
    [CAK_POINT_STOPPED] = { true, CAK_OUTCOME_STOPPED },     [CAK_POINT_INTERRUPTED] = { true, CAK_OUTCOME_INCOMPLETE },
    [CAK_POINT_KILLED] = { true, CAK_OUTCOME_INCOMPLETE },   [CAK_POINT_FAILED] = { true, CAK_OUTCOME_INCOMPLETE },
};

bool cak_is_sweep(const char *dir)
{
    cak_arena *a = cak_arena_open("path");
    bool is = cak_io_exists(cak_arena_print(a, "%s/plan.jsonl", dir));
    cak_arena_close(a);
    return is;
}

/* Number of the sweep of a directory, from 1; it is opened when it is met for the first time. 0: it cannot be read. */
static int opened(cak_run_set *s, cak_diag *d, const char *dir)
{
    char full[PATH_MAX];
    if (!realpath(dir, full)) full[0] = '\0';
    for (int i = 0; i < s->n_sweeps; i++)
        if (strcmp(s->sweep[i].dir, full) == 0) return s->sweep[i].sweep ? i + 1 : 0;
    cak_sweep_dir *sweep = cak_sweep_dir_open(d, dir);
    s->sweep = cak_arena_grow(s->arena, s->sweep, &s->cap_sweeps, s->n_sweeps + 1, sizeof *s->sweep);
    s->sweep[s->n_sweeps++] = (cak_opened_sweep){ .dir = cak_arena_text(s->arena, full), .sweep = sweep };
    if (sweep) s->sweep[s->n_sweeps - 1].brief = cak_brief_open(s->arena, sweep->sweep);
    return sweep ? s->n_sweeps : 0;
}

void cak_run_set_close_sweeps(cak_run_set *s)
{
    for (int i = 0; i < s->n_sweeps; i++) cak_sweep_dir_close(s->sweep[i].sweep);
    s->n_sweeps = 0;
}

const cak_sweep *cak_member_sweep(const cak_run_set *s, const cak_member *r)
{
    return r->sweep ? s->sweep[r->sweep - 1].sweep->sweep : NULL;
}

const cak_sweep *cak_run_set_sweep(const cak_run_set *s)
{
    for (int i = 0; i < s->n; i++)
        if (!s->run[i].sweep || s->run[i].sweep != s->run[0].sweep) return NULL;
    return s->n ? cak_member_sweep(s, &s->run[0]) : NULL;
}

static void set_point(const cak_run_set *s, cak_member *r, int sweep, int point, cak_point_state state)
{
    r->sweep = sweep;
    r->point = cak_brief_point(s->arena, &s->sweep[sweep - 1].brief, point);
    r->state = cak_point_state_name(state);
    r->outcome = meaning_of[state].outcome;
}

/* A point that has no run is described by its overrides alone. */
static void add_point(cak_run_set *s, int number, int point, cak_point_state state)
{
    const cak_opened_sweep *o = &s->sweep[number - 1];
    const cak_sweep *sweep = o->sweep->sweep;
    const cak_point *p = &sweep->point[point];
    const char *label = cak_arena_print(s->arena, "point %s of %s", p->id, o->sweep->dir);
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->run[i].label, label) == 0) return;
    cak_member *r = cak_run_set_append(s, label, NULL);
    set_point(s, r, number, point, state);
    for (int k = 0; k < sweep->n_keys; k++) cak_run_set_override(s, r, sweep->key[k], p->value[k]);
}

bool cak_run_set_add_sweep(cak_run_set *s, cak_diag *d, const char *dir)
{
    const int number = opened(s, d, dir);
    bool ok = number != 0;
    for (int i = 0; ok && i < s->sweep[number - 1].sweep->sweep->n_points; i++) {
        const cak_sweep_dir *sweep = s->sweep[number - 1].sweep;
        const char *run = cak_point_path(s->arena, sweep, i, "runs");
        cak_point_status status;
        if (cak_io_exists(cak_arena_print(s->arena, "%s/run.json", run))) ok = cak_run_set_add(s, d, run);
        else if (!cak_point_look(s->arena, d, sweep, i, &status)) ok = false;
        else if (meaning_of[status.state].counts) add_point(s, number, i, status.state);
        else s->waiting++;
    }
    return ok;
}

/* DIR/runs/ID -> DIR, when that is a sweep; *id: ID. */
static const char *sweep_above(cak_arena *a, const char *run, const char **id)
{
    char full[PATH_MAX];
    if (!realpath(run, full)) return NULL;
    char *name = strrchr(full, '/');
    *name = '\0';
    char *runs = strrchr(full, '/');
    if (!runs || strcmp(runs, "/runs") != 0) return NULL;
    *runs = '\0';
    *id = cak_arena_text(a, name + 1);
    return cak_is_sweep(full) ? cak_arena_text(a, full) : NULL;
}

void cak_run_set_ask_sweep(cak_run_set *s, cak_diag *d, cak_member *r)
{
    const char *id = NULL, *dir = sweep_above(s->arena, r->info->dir, &id);
    cak_diag *own = cak_diag_open();
    const int number = dir ? opened(s, own, dir) : 0;
    if (cak_diag_errors(own)) cak_warn(d, cak_diag_pos(own, 0), "states are those of the runs: %s", cak_diag_message(own, 0));
    cak_diag_close(own);
    const cak_sweep_dir *o = number ? s->sweep[number - 1].sweep : NULL;
    for (int i = 0; o && i < o->sweep->n_points; i++) {
        cak_point_status status;
        if (strcmp(o->sweep->point[i].id, id) == 0 && cak_point_look(s->arena, d, o, i, &status))
            set_point(s, r, number, i, status.state);
    }
}
