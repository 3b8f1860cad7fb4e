/* What a program costs: its arithmetic for batches of any mixture of ordinary and special samples, its division among threads. */
#include "graph/par.h"
#include "graph/plan.h"

/* Of the steps of a timetable; a round is no unit. */
static double timetable_work(const cak_program *p, const cak_timetable *s, const cak_job *job, int64_t rows)
{
    double work = 0;
    for (int t = 0; t < s->n; t++) {
        const cak_job *j = &job[s->step[t].what];
        for (int i = 0; j->round < 0 && i < j->unit.n; i++) work += cak_value_cost(p->g, (cak_ref){ j->unit.id[i] }, rows);
    }
    return work;
}

/* So many samples of one kind: full slices and what is left. */
static double samples_work(const cak_program *p, const cak_variant *v, int64_t samples)
{
    int64_t rows = p->slices.rows, full = samples / rows, rest = samples % rows;
    double work = full ? (double)full * timetable_work(p, &v->slot, v->job, rows) : 0;
    return rest ? work + timetable_work(p, &v->slot, v->job, rest) : work;
}

double cak_program_work(const cak_program *p, int64_t ordinary, int64_t special)
{
    double work = timetable_work(p, &p->main, p->job, 0);
    for (int k = 0; k < p->slices.rounds; k++) {
        const cak_round *w = &p->round[k];
        if (w->n_variants < 2) ordinary += special, special = 0;
        if (w->n_variants) work += samples_work(p, &w->variant[0], ordinary);
        if (w->n_variants > 1) work += samples_work(p, &w->variant[1], special);
    }
    return work;
}

cak_plan_info cak_program_info_on(const cak_program *p, int threads)
{
    cak_plan_options o = { .whole = !p->slices.rounds, .plain = p->plain, .special = p->special };
    cak_arena *a = cak_arena_open("plan");
    int before = cak_threads();
    cak_threads_set(threads);
    cak_plan_info i = cak_program_info(cak_plan_with(a, p->g, p->out, p->n_out, &o));
    cak_threads_set(before);
    cak_arena_close(a);
    return i;
}
