/* The training loop. For each batch every phase runs `repeat` times: forward, backward, guard, Adam. */
#include "experiments/train.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "experiments/checkpoint.h"
#include "experiments/record.h"
#include "experiments/run_list.h"
#include "experiments/tensorboard.h"
#include "graph/io.h"
#include "graph/par.h"

static volatile sig_atomic_t stop_signal;

static void on_signal(int sig)
{
    if (stop_signal && sig == SIGINT) { /* a second interrupt: leave at once, the last checkpoint is intact */
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
    }
    stop_signal = sig;
}

static void catch_signals(void)
{
    static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaction(caught[i], &(struct sigaction){ .sa_handler = on_signal, .sa_flags = SA_RESTART }, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

typedef struct trainer {
    cak_experiment *x;
    cak_diag *d;
    const cak_batches *data;
    real *const *port;
    bool streamed; /* rows are read by slices; port[] is not used */
    cak_run *run;
    cak_logger *log;
    cak_metrics *metrics;
    cak_tensorboard *tensorboard; /* NULL: not asked for */
    cak_record rec;
    cak_ckpt_state state;
    uint64_t epoch, batch, step; /* position: the next batch to train; all in the checkpoint */
    uint64_t saved;              /* step of the newest checkpoint; CAK_CKPT_NONE: none was written yet */
    uint64_t runs_per_batch;     /* phase steps in a batch: numbers the random draws */
    double started, spent;       /* wall clock */
    cak_run_diverged diverged;
    int64_t repetition; /* of the phase that runs */
    char text[320];
    const real **grad; /* gradients of the phase that just ran */
} trainer;

static double wall(const trainer *t) { return t->spent + cak_seconds() - t->started; }

/* ---- the batch ---- */

typedef struct port_rows { /* what a reader of rows knows */
    const trainer *t;
    int number;
} port_rows;

static bool read_row(void *ctx, int64_t sample, real *row)
{
    const port_rows *p = ctx;
    return p->t->data->ops->read_row(p->t->data->loader, p->t->d, p->number, sample, row);
}

static bool known_same(const cak_batches *b, int port, int other, int64_t sample)
{
    return b->ops->same_row && b->ops->same_row(b->loader, port, other, sample);
}

static bool same_row(const void *ctx, const void *other, int64_t sample)
{
    const port_rows *p = ctx, *q = other;
    return known_same(p->t->data, p->number, q->number, sample);
}

static int64_t row_size(const trainer *t, int port) { return cak_shape_size(&t->x->loader.port[port].shape); }

static void stream_port(const trainer *t, int number)
{
    cak_experiment *x = t->x;
    port_rows *p = cak_arena_alloc(x->arena, sizeof *p);
    *p = (port_rows){ t, number };
    cak_row_reader reader = { read_row, same_row, p };
    for (int i = 0; i < x->n_phases; i++)
        for (int k = 0; k < 2; k++)
            if (x->phase[i].step[k].exec) cak_exec_bind_rows(x->phase[i].step[k].exec, x->port_name[number], &reader);
}

static void open_batches(trainer *t)
{
    t->streamed = cak_experiment_streams(t->x);
    for (int k = 0; k < t->x->loader.n_ports && t->streamed; k++) stream_port(t, k);
}

/* One row into memory; a copy where another port has it. */
static bool fill_row(const trainer *t, int port, int64_t sample)
{
    int64_t size = row_size(t, port);
    real *row = t->port[port] + sample * size;
    for (int k = 0; k < port; k++)
        if (known_same(t->data, port, k, sample)) {
            memcpy(row, t->port[k] + sample * size, (size_t)size * sizeof *row);
            return true;
        }
    return t->data->ops->read_row(t->data->loader, t->d, port, sample, row);
}

static bool take_batch(const trainer *t, int64_t first, int64_t n)
{
    t->data->ops->open_batch(t->data->loader, (int64_t)t->epoch, first);
    for (int k = 0; k < t->x->loader.n_ports && !t->streamed; k++)
        for (int64_t b = 0; b < n; b++)
            if (!fill_row(t, k, b)) return false;
    return true;
}

/* ---- one phase step ---- */

/* The term that contributes most to a loss. */
static int largest_term(const cak_phase *p, const cak_step *s)
{
    int which = 0;
    double worst = -1;
    for (int i = 0; i < p->loss->n; i++) {
        double part = fabs(p->loss->term[i].weight * (double)cak_exec_data(s->exec, s->term[i])[0]);
        if (!isfinite(part)) part = INFINITY;
        if (part > worst) worst = part, which = i;
    }
    return which;
}

static const char *place(cak_arena *a, cak_pos at)
{
    return at.line ? cak_arena_print(a, "%s:%d:%d", at.file, at.line, at.col) : NULL;
}

/* "square 'critic.instance_norm' [5,8,8,8] element 7 (sample 0)" */
static const char *describe_value(cak_arena *a, const cak_graph *g, cak_ref r, int64_t index)
{
    const cak_value *v = cak_graph_value(g, r);
    const char *name = cak_value_name(g, r), *sample = "";
    char shape[CAK_SHAPE_TEXT];
    if (v->rows == CAK_ROWS_SAMPLE)
        sample = cak_arena_print(a, " (sample %lld)", (long long)(index * v->shape.dim[0] / cak_shape_size(&v->shape)));
    return cak_arena_print(a, "%s '%s' %s element %lld%s", v->node->name, name ? name : v->label,
                           cak_shape_text(&v->shape, shape), (long long)index, sample);
}

/* Something in this phase is not finite or too large: find what, and say so in run.json, in the log and on stderr. */
static bool report_divergence(trainer *t, const cak_phase *p, const cak_step *s, const cak_clock *clock, double loss, bool finite)
{
    cak_arena *a = t->x->arena;
    const cak_term *term = &p->loss->term[largest_term(p, s)];
    cak_run_diverged *v = &t->diverged;
    *v = (cak_run_diverged){
        .step = t->step, .epoch = t->epoch, .phase = p->name, .term = term->name, .value = loss, .origin = place(a, term->at)
    };
    const char *what = cak_arena_print(a, "|%s| = %g is beyond train.guard.abs_loss = %g; its largest term is '%s'",
                                       p->loss->name, fabs(loss), t->x->train.abs_loss, term->name);
    v->node = cak_arena_print(a, "%s.%s: %s", p->loss->name, term->name, term->expr);
    int64_t index;
    cak_ref r = finite ? CAK_NONE : cak_exec_find_nonfinite(s->exec, clock, &index, &v->value);
    if (!cak_is_none(r)) {
        v->node = describe_value(a, s->graph, r, index);
        v->origin = place(a, cak_graph_value(s->graph, r)->origin);
        what = cak_arena_print(a, "%s; the first value that is not finite is %g in %s",
                               isfinite(loss) ? "a gradient is not finite" : "the loss is not finite", v->value, v->node);
    }
    const char *text =
        cak_arena_print(a, "diverged in step %llu (epoch %llu), phase %s, repetition %lld of %lld: %s%s%s",
                        (unsigned long long)t->step, (unsigned long long)t->epoch, p->name, (long long)t->repetition + 1,
                        (long long)p->repeat, what, v->origin ? ", written at " : "", v->origin ? v->origin : "");
    cak_log_print(t->log, "%s", text);
    return cak_error(t->d, CAK_E4008, CAK_NOWHERE, "%s", text);
}

static bool phase_step(trainer *t, cak_phase *p, cak_step *s, uint64_t draw)
{
    cak_clock clock = { t->x->seed, draw };
    const real **grad = t->grad;
    if (!cak_exec_run(s->exec, &clock)) return false;
    double loss = (double)cak_exec_data(s->exec, s->total)[0];
    for (int i = 0; i < p->n_params; i++) grad[i] = cak_exec_data(s->exec, s->grad[i]);
    bool finite = cak_record_phase(&t->rec, (int)(p - t->x->phase), s, grad) && isfinite(loss);
    if ((!finite && t->x->train.nonfinite == 0) || fabs(loss) > t->x->train.abs_loss)
        return report_divergence(t, p, s, &clock, loss, finite);
    cak_adam_update(&p->adam, grad);
    return true;
}

/* One batch: the order of operations of the author's loop. */
static bool train_batch(trainer *t)
{
    cak_experiment *x = t->x;
    int64_t first = (int64_t)t->batch * x->batch[0], n = cak_min64(x->batch[0], x->loader.items - first);
    int which = n == x->batch[0] ? 0 : 1;
    uint64_t draw = t->step * t->runs_per_batch;
    cak_record_begin(&t->rec);
    if (!take_batch(t, first, n)) return false;
    for (int i = 0; i < x->n_phases; i++)
        for (t->repetition = 0; t->repetition < x->phase[i].repeat; t->repetition++)
            if (!phase_step(t, &x->phase[i], &x->phase[i].step[which], draw++)) return false;
    return true;
}

/* ---- checkpoints ---- */

static void describe_state(trainer *t)
{
    cak_experiment *x = t->x;
    cak_arena *a = x->arena;
    int n = x->n_params, k = 0, c = 0;
    for (int i = 0; i < x->n_phases; i++) n += 2 * x->phase[i].n_params;
    cak_ckpt_array *array = cak_arena_alloc(a, ((size_t)n + 1) * sizeof *array);
    cak_ckpt_counter *counter = cak_arena_alloc(a, ((size_t)x->n_phases + 8) * sizeof *counter);
    for (int i = 0; i < x->n_params; i++)
        array[k++] = (cak_ckpt_array){ cak_arena_print(a, "param/%s", x->param[i].name), x->param[i].shape, x->param[i].value };
    for (int i = 0; i < x->n_phases; i++) {
        cak_phase *p = &x->phase[i];
        for (int j = 0; j < p->n_params; j++) {
            const cak_parameter *q = &x->param[p->param[j]];
            array[k++] = (cak_ckpt_array){ cak_arena_print(a, "opt/%s/v/%s", p->name, q->name), q->shape, p->adam.v[j] };
            if (p->adam.m[j])
                array[k++] = (cak_ckpt_array){ cak_arena_print(a, "opt/%s/m/%s", p->name, q->name), q->shape, p->adam.m[j] };
        }
        counter[c++] = (cak_ckpt_counter){ cak_arena_print(a, "opt/%s/step", p->name), &p->adam.step };
    }
    counter[c++] = (cak_ckpt_counter){ "epoch", &t->epoch };
    counter[c++] = (cak_ckpt_counter){ "batch", &t->batch };
    counter[c++] = (cak_ckpt_counter){ "step", &t->step };
    counter[c++] = (cak_ckpt_counter){ "metrics/steps", &t->rec.count.steps };
    counter[c++] = (cak_ckpt_counter){ "metrics/epochs", &t->rec.count.epochs };
    cak_pair *id = cak_arena_alloc(a, 2 * sizeof *id);
    char *digest = cak_arena_alloc(a, 33);
    cak_config_digest(x->config, digest);
    id[0] = (cak_pair){ "config", digest };
    id[1] = (cak_pair){ "data", t->data->digest };
    t->state = (cak_ckpt_state){ array, counter, t->rec.sums, id, k, c, t->rec.n_sums, 2 };
}

static bool save_checkpoint(trainer *t)
{
    t->rec.count = cak_metrics_counted(t->metrics);
    cak_tensorboard_flush(t->tensorboard); /* what comes before the checkpoint is not written again */
    if (!cak_metrics_sync(t->d, t->metrics) || !cak_ckpt_save(t->d, t->run->dir, t->step, &t->state)) return false;
    t->saved = t->step;
    cak_log_print(t->log, "checkpoint at step %llu", (unsigned long long)t->step);
    return cak_ckpt_prune(t->d, t->run->dir, (int)t->x->train.keep, CAK_CKPT_NONE);
}

static bool due(int64_t every, uint64_t now) { return every > 0 && now % (uint64_t)every == 0; }

/* ---- TensorBoard ---- */

/* Seconds since 1970. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void open_tensorboard(trainer *t, bool resumed)
{
    if (!t->x->log.tensorboard) return;
    cak_tensorboard_session s = { .name = t->x->name, .seed = t->x->seed, .resumed = resumed, .step = t->step, .time = now() };
    cak_diag *ignored = cak_diag_open(); /* the overrides are an ornament here */
    s.override = cak_run_overrides(t->x->arena, ignored, t->run->dir, &s.n_overrides);
    cak_diag_close(ignored);
    t->tensorboard = cak_tensorboard_open(t->d, t->run->dir, &s);
}

static void show_step(const trainer *t)
{
    if (due(t->x->log.tensorboard_steps, t->step + 1))
        cak_tensorboard_scalars(t->tensorboard, now(), t->step + 1, "steps/", t->rec.step_fields, t->rec.step_value);
}

static void show_epoch(const trainer *t)
{
    cak_tensorboard_scalars(t->tensorboard, now(), t->step, "", t->rec.epoch_fields, t->rec.epoch_value);
    cak_tensorboard_flush(t->tensorboard);
}

/* ---- the loop ---- */

/* "epoch 3/20 c_loss=..." */
static const char *bar_text(trainer *t)
{
    snprintf(t->text, sizeof t->text, "epoch %llu/%lld %s", (unsigned long long)t->epoch + 1, (long long)t->x->train.epochs,
             cak_record_line(&t->rec));
    return t->text;
}

static bool finish_epoch(trainer *t)
{
    cak_record_epoch(&t->rec, t->x);
    if (!cak_metrics_epoch(t->d, t->metrics, t->epoch, t->step, wall(t), t->rec.epoch_value)) return false;
    show_epoch(t);
    cak_log_print(t->log, "%s", bar_text(t));
    cak_progress_line(t->text);
    cak_record_clear(&t->rec);
    t->epoch++;
    t->batch = 0;
    cak_experiment_schedules(t->x, (int64_t)t->epoch);
    return !due(t->x->train.every_epochs, t->epoch) || save_checkpoint(t);
}

typedef enum outcome { TO_END, STOPPED, BROKEN } outcome;

static outcome run_loop(trainer *t, const cak_train_options *o)
{
    const cak_experiment *x = t->x;
    uint64_t per_epoch = (uint64_t)cak_experiment_batches(x), limit = (uint64_t)cak_experiment_steps(x), done = 0;
    cak_experiment_schedules(t->x, (int64_t)t->epoch);
    cak_progress_start(o->progress, "train", (int64_t)limit);
    while (t->step < limit) {
        bool good = train_batch(t);
        if (!good && !t->diverged.phase) return BROKEN;
        if (!cak_metrics_step(t->d, t->metrics, t->step, t->epoch, t->batch, wall(t), t->rec.step_value)) return BROKEN;
        show_step(t);
        if (!good) return BROKEN;
        cak_record_add(&t->rec);
        t->step++;
        t->batch++;
        cak_progress_show((int64_t)t->step, bar_text(t));
        bool epoch_end = t->batch == per_epoch;
        if (epoch_end && !finish_epoch(t)) return BROKEN;
        if (!epoch_end && due(x->train.every_steps, t->step) && !save_checkpoint(t)) return BROKEN;
        if (stop_signal || (o->stop_after && ++done >= (uint64_t)o->stop_after && t->step < limit)) return STOPPED;
    }
    return TO_END;
}

static bool open_run(trainer *t, const cak_train_options *o)
{
    uint64_t step = CAK_CKPT_NONE;
    describe_state(t);
    if (!cak_io_need_space(t->d, t->run->dir, (uint64_t)(t->x->train.keep + 1) * cak_ckpt_size(&t->state) + (64 << 20)))
        return false;
    if (o->resume && !cak_ckpt_resume(t->d, t->run->dir, &t->state, &step)) return false;
    if (o->resume && step == CAK_CKPT_NONE && t->run->state == CAK_RUN_INTERRUPTED)
        return cak_error(t->d, CAK_E4005, CAK_NOWHERE, "%s/ckpt holds no checkpoint, although the run was stopped with one",
                         t->run->dir);
    t->log = cak_log_open(t->d, t->run->dir);
    if (!t->log) return false;
    cak_metrics_count none = { 0, 0 }, *keep = o->resume ? step == CAK_CKPT_NONE ? &none : &t->rec.count : NULL;
    t->metrics = cak_metrics_open(t->d, t->run->dir, t->rec.step_fields, t->rec.epoch_fields, keep);
    if (!t->metrics || !cak_run_start(t->d, t->run)) return false;
    open_tensorboard(t, o->resume);
    if (!o->resume) return save_checkpoint(t); /* step 0: initial values need not be found again */
    const char *from = step == CAK_CKPT_NONE ? "no checkpoint yet: from the beginning" : "from its newest checkpoint";
    cak_log_print(t->log, "resumed at step %llu, %s", (unsigned long long)t->step, from);
    if (o->progress != CAK_PROGRESS_NONE) fprintf(stderr, "resuming at step %llu, %s\n", (unsigned long long)t->step, from);
    cak_metrics_table *last = cak_metrics_last(t->x->arena, t->d, t->run->dir, "step");
    if (last && last->n_rows) t->spent = last->value[cak_metrics_column(last, "wall")];
    return cak_metrics_event(t->d, t->metrics, "resume", t->step, wall(t), NULL);
}

static void close_logs(trainer *t)
{
    cak_metrics_close(t->metrics);
    cak_tensorboard_close(t->tensorboard);
    cak_log_close(t->log);
}

/* Write how the run ended. A run that stops or diverges keeps its state. */
static int close_run(trainer *t, outcome how)
{
    cak_run_end end = { CAK_RUN_FINISHED, CAK_EXIT_OK, NULL };
    bool diverged = t->diverged.phase != NULL;
    if (how != BROKEN && t->saved != t->step && !save_checkpoint(t)) how = BROKEN;
    if (how == STOPPED) end = (cak_run_end){ CAK_RUN_INTERRUPTED, CAK_EXIT_STOPPED, NULL };
    if (how == BROKEN)
        end = (cak_run_end){ diverged ? CAK_RUN_DIVERGED : CAK_RUN_FAILED, cak_diag_exit(t->d), diverged ? &t->diverged : NULL };
    if (diverged && t->metrics) {
        cak_metrics_event(t->d, t->metrics, "diverged", t->step, wall(t), t->diverged.term);
        if (cak_io_mkdirs(t->d, cak_run_path(t->run, "snapshot"))) {
            cak_metrics_write_ring(t->d, t->metrics, cak_run_path(t->run, "snapshot/ring.jsonl"));
            cak_ckpt_write(t->d, cak_run_path(t->run, "snapshot/state.safetensors"), &t->state);
        }
    }
    if (t->log)
        cak_log_print(t->log, "%s, exit code %d, %llu steps", cak_run_state_name(end.state), end.exit_code,
                      (unsigned long long)t->step);
    close_logs(t);
    if (!cak_run_finish(t->d, t->run, &end) && end.exit_code == CAK_EXIT_OK) end.exit_code = cak_diag_exit(t->d);
    return end.exit_code;
}

/* A run that could not begin: what it was before, when it is an old one; failed, when it is new. */
static int leave_run(trainer *t, const cak_train_options *o)
{
    if (!o->resume || t->run->state == CAK_RUN_RUNNING) return close_run(t, BROKEN);
    close_logs(t);
    return cak_diag_exit(t->d);
}

int cak_train(cak_experiment *x, const cak_batches *data, real *const *port, cak_run *run, const cak_train_options *o)
{
    trainer t = {
        .x = x, .d = x->diag, .data = data, .port = port, .run = run, .saved = CAK_CKPT_NONE, .started = cak_seconds()
    };
    for (int i = 0; i < x->n_phases; i++) t.runs_per_batch += (uint64_t)x->phase[i].repeat;
    t.grad = cak_arena_alloc(x->arena, ((size_t)x->n_params + 1) * sizeof *t.grad);
    cak_record_open(&t.rec, x);
    open_batches(&t);
    catch_signals();
    if (!open_run(&t, o)) return leave_run(&t, o);
    outcome how = run_loop(&t, o);
    cak_progress_end();
    if (how == STOPPED)
        fprintf(stderr, "stopped after step %llu; go on with: cak resume %s\n", (unsigned long long)t.step, run->dir);
    return close_run(&t, how);
}
