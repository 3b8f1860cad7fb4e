/* Fields of the metrics log: losses, terms, metrics, gradient norms, and their means over an epoch. */
#include "experiments/record.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct maker {
    cak_record *r;
    cak_arena *a;
    cak_field *step, *epoch;
    cak_pos *step_at, *epoch_at; /* what in the configuration names a field */
    int n_step, n_epoch;
} maker;

static void step_field(maker *m, const char *name, cak_pos at, bool mean)
{
    m->step[m->n_step] = (cak_field){ name, false };
    m->step_at[m->n_step] = at;
    if (mean) {
        m->r->mean_of[m->n_epoch] = m->n_step;
        m->epoch_at[m->n_epoch] = at;
        m->epoch[m->n_epoch++] = (cak_field){ name, true };
    }
    m->n_step++;
}

static void epoch_field(maker *m, const char *name, cak_pos at)
{
    m->epoch_at[m->n_epoch] = at;
    m->epoch[m->n_epoch++] = (cak_field){ name, false };
}

static int count_fields(const cak_experiment *x)
{
    int n = x->n_schedules + x->n_epoch_metrics + 1;
    for (int i = 0; i < x->n_phases; i++) n += 2 + x->phase[i].loss->n + x->phase[i].n_metrics + x->phase[i].n_params;
    return n;
}

/* The name of a phase's loss: the phase comes first where another phase minimises the same. */
static const char *loss_name(maker *m, const cak_experiment *x, const cak_phase *p)
{
    for (int i = 0; i < x->n_phases; i++)
        if (&x->phase[i] != p && x->phase[i].loss == p->loss) return cak_arena_print(m->a, "%s.%s", p->name, p->loss->name);
    return p->loss->name;
}

static void phase_fields(maker *m, const cak_experiment *x, const cak_phase *p)
{
    const char *loss = loss_name(m, x, p);
    step_field(m, loss, p->loss->at, true);
    for (int i = 0; i < p->loss->n; i++)
        step_field(m, cak_arena_print(m->a, "%s.%s", loss, p->loss->term[i].name), p->loss->term[i].at, true);
    for (int i = 0; i < p->n_metrics; i++) step_field(m, p->metric[i].name, p->metric[i].at, true);
    step_field(m, cak_arena_print(m->a, "%s.grad_norm", p->name), p->at, true);
    for (int i = 0; i < p->n_params; i++)
        step_field(m, cak_arena_print(m->a, "%s.grad_norm.%s", p->name, x->param[p->param[i]].name), p->at, false);
}

static maker make_fields(cak_record *r, const cak_experiment *x)
{
    cak_arena *a = x->arena;
    size_t room = (size_t)count_fields(x);
    *r = (cak_record){ .x = x };
    maker m = { .r = r, .a = a };
    m.step = cak_arena_alloc(a, room * sizeof *m.step);
    m.epoch = cak_arena_alloc(a, room * sizeof *m.epoch);
    m.step_at = cak_arena_alloc(a, room * sizeof *m.step_at);
    m.epoch_at = cak_arena_alloc(a, room * sizeof *m.epoch_at);
    r->mean_of = cak_arena_alloc(a, room * sizeof(int));
    r->phase_first = cak_arena_alloc(a, ((size_t)x->n_phases + 1) * sizeof(int));
    for (int i = 0; i < x->n_phases; i++) {
        r->phase_first[i] = m.n_step;
        phase_fields(&m, x, &x->phase[i]);
    }
    r->n_means = m.n_epoch;
    for (int i = 0; i < x->n_schedules; i++) epoch_field(&m, x->schedule[i].name, x->schedule[i].at);
    for (int i = 0; i < x->n_epoch_metrics; i++) epoch_field(&m, x->epoch_metric[i].name, x->epoch_metric[i].at);
    r->step_fields = (cak_fields){ m.step, m.n_step };
    r->epoch_fields = (cak_fields){ m.epoch, m.n_epoch };
    return m;
}

static bool check_names(cak_diag *d, const cak_fields *f, const cak_pos *at)
{
    static const char *const reserved[] = { "t", "step", "epoch", "batch", "wall", "nonfinite", "event", "note" };
    bool ok = true;
    for (int i = 0; i < f->n; i++) {
        for (size_t k = 0; k < sizeof reserved / sizeof *reserved; k++)
            if (!strcmp(f->field[i].name, reserved[k]))
                ok = cak_error(d, CAK_E1205, at[i], "'%s' is a field of the log itself", reserved[k]);
        for (int k = 0; k < i; k++) {
            if (strcmp(f->field[i].name, f->field[k].name)) continue;
            ok = cak_error(d, CAK_E1205, at[i], "'%s' is recorded twice", f->field[i].name);
            cak_note(d, at[k], "first here");
            break;
        }
    }
    return ok;
}

bool cak_record_names(cak_diag *d, const cak_experiment *x)
{
    cak_record r;
    maker m = make_fields(&r, x);
    bool ok = check_names(d, &r.step_fields, m.step_at);
    return ok && check_names(d, &r.epoch_fields, m.epoch_at);
}

void cak_record_open(cak_record *r, const cak_experiment *x)
{
    cak_arena *a = x->arena;
    size_t room = (size_t)count_fields(x);
    make_fields(r, x);
    r->step_value = cak_arena_alloc(a, room * sizeof(double));
    r->epoch_value = cak_arena_alloc(a, room * sizeof(double));
    r->sum = cak_arena_alloc(a, room * sizeof(double));
    r->sums = cak_arena_alloc(a, (room + 1) * sizeof *r->sums);
    for (int i = 0; i < r->n_means; i++) r->sums[r->n_sums++] = (cak_ckpt_number){ cak_arena_print(a, "sum/%d", i), &r->sum[i] };
    r->sums[r->n_sums++] = (cak_ckpt_number){ "sum/batches", &r->n_batches };
}

void cak_record_begin(cak_record *r)
{
    for (int i = 0; i < r->step_fields.n; i++) r->step_value[i] = NAN;
}

bool cak_record_phase(cak_record *r, int phase, const cak_step *s, const real *const *grad)
{
    const cak_experiment *x = r->x;
    const cak_phase *p = &x->phase[phase];
    double *v = r->step_value + r->phase_first[phase], total = 0;
    int k = 0;
    v[k++] = (double)cak_exec_data(s->exec, s->total)[0];
    for (int i = 0; i < p->loss->n; i++) v[k++] = (double)cak_exec_data(s->exec, s->term[i])[0];
    for (int i = 0; i < p->n_metrics; i++) v[k++] = (double)cak_exec_data(s->exec, s->metric[i])[0];
    double *norm = &v[k++];
    for (int i = 0; i < p->n_params; i++) {
        double n2 = cak_norm2(grad[i], x->param[p->param[i]].n);
        v[k++] = sqrt(n2);
        total += n2;
    }
    *norm = sqrt(total);
    return isfinite(total);
}

void cak_record_add(cak_record *r)
{
    for (int i = 0; i < r->n_means; i++) r->sum[i] += r->step_value[r->mean_of[i]];
    r->n_batches += 1;
}

void cak_record_epoch(cak_record *r, const cak_experiment *x)
{
    int k = 0;
    for (; k < r->n_means; k++) r->epoch_value[k] = r->sum[k] / r->n_batches;
    for (int i = 0; i < x->n_schedules; i++) r->epoch_value[k++] = (double)x->schedule[i].value;
    for (int i = 0; i < x->n_epoch_metrics; i++)
        for (int j = 0; j < x->n_params; j++)
            if (!strcmp(x->param[j].name, x->epoch_metric[i].expr)) r->epoch_value[k++] = (double)x->param[j].value[0];
}

void cak_record_clear(cak_record *r)
{
    for (int i = 0; i < r->n_means; i++) r->sum[i] = 0;
    r->n_batches = 0;
}

const char *cak_record_line(cak_record *r)
{
    int n = 0;
    r->line[0] = 0;
    for (int i = 0; i < r->n_means && n < (int)sizeof r->line - 1; i++) {
        const char *name = r->epoch_fields.field[i].name;
        if (!strchr(name, '.'))
            n += snprintf(r->line + n, sizeof r->line - (size_t)n, "%s%s=%.4g", n ? " " : "", name, r->sum[i] / r->n_batches);
    }
    return r->line;
}
