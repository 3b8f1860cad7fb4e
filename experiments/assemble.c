/* From an experiment to graphs and programs: batches and schedules are inputs, each phase is its loss with the gradients it needs. */
#include <math.h>
#include <string.h>

#include "experiments/experiment.h"
#include "experiments/record.h"
#include "graph/rng.h"
#include "graph/safetensors.h"
#include "graph/special.h"
#include "graph/text.h"
#include "nodes/kernels/naive.h"

/* Names whose values could not be read have none, and nothing that begins with them is a mistake of its own. */
static int bind_unknown(const cak_experiment *x, cak_binding *b)
{
    const cak_yaml *schedules = cak_yaml_get(x->config->root, "schedules");
    int n = 0;
    if (schedules && schedules->kind != CAK_YAML_MAP) b[n++] = (cak_binding){ "schedules", CAK_NONE };
    if (x->loader.n_ports) return n;
    b[n++] = (cak_binding){ "batch", CAK_NONE }; /* the usual name of the loader, which any node of the section may be */
    for (const cak_yaml *c = x->data ? x->data->child : NULL; c; c = c->next) b[n++] = (cak_binding){ c->key, CAK_NONE };
    return n;
}

static cak_binding *bind_inputs(cak_experiment *x, cak_graph *g, int64_t batch, int *n)
{
    int room = x->loader.n_ports + x->n_schedules + 2 + (x->data ? x->data->n : 0);
    cak_binding *b = cak_arena_alloc(x->arena, (size_t)room * sizeof *b);
    cak_shape scalar = CAK_SCALAR;
    *n = bind_unknown(x, b);
    for (int i = 0; i < x->loader.n_ports; i++) {
        const cak_shape *s = &x->loader.port[i].shape;
        cak_shape full = { .rank = s->rank + 1, .dim = { batch } };
        for (int k = 0; k < s->rank; k++) full.dim[k + 1] = s->dim[k];
        b[(*n)++] = (cak_binding){ x->port_name[i], cak_input(g, x->port_name[i], &full, true) };
    }
    for (int i = 0; i < x->n_schedules; i++)
        b[(*n)++] = (cak_binding){ x->schedule[i].input, cak_input(g, x->schedule[i].input, &scalar, false) };
    return b;
}

/* A scalar that a loss or a metric names. */
static cak_ref scalar_value(cak_experiment *x, cak_graph *g, cak_builder *b, const char *expr, cak_pos at)
{
    cak_ref r = cak_builder_value(b, expr, at);
    char text[CAK_SHAPE_TEXT];
    cak_shape scalar = CAK_SCALAR;
    if (cak_is_none(r)) return r;
    if (cak_shape_size(cak_shape_of(g, r)) == 1) return cak_reshape(g, r, &scalar);
    cak_error(x->diag, CAK_E3102, at, "'%s' has shape %s where one number is needed; write mean(%s) or sum(%s)", expr,
              cak_shape_text(cak_shape_of(g, r), text), expr, expr);
    return CAK_NONE;
}

static cak_ref total_loss(cak_experiment *x, cak_graph *g, cak_builder *b, const cak_loss *l, cak_ref *term)
{
    cak_ref total = CAK_NONE;
    bool ok = true;
    for (int i = 0; i < l->n; i++) {
        term[i] = scalar_value(x, g, b, l->term[i].expr, l->term[i].at);
        ok = ok && !cak_is_none(term[i]);
        if (!ok) continue;
        cak_where old = cak_graph_at(g, l->term[i].at, cak_arena_print(x->arena, "%s.%s", l->name, l->term[i].name));
        cak_ref part = cak_scale(g, term[i], l->term[i].weight);
        total = cak_is_none(total) ? part : cak_add(g, total, part);
        cak_graph_restore(g, old);
    }
    return ok ? total : CAK_NONE;
}

/* "detector" means every parameter "detector.*"; a full name means itself. */
static bool belongs(const char *param, const char *update)
{
    size_t n = strlen(update);
    return !strncmp(param, update, n) && (param[n] == '.' || param[n] == 0);
}

/* The first part of a parameter's name is the module or the node that holds it. */
static bool has_owner(const cak_experiment *x, const char *name, const char **near)
{
    const cak_yaml *map[] = { x->modules, x->nodes };
    size_t len = strcspn(name, ".");
    int n = 0;
    const char **known =
        cak_arena_alloc(x->arena, (size_t)((x->modules ? x->modules->n : 0) + (x->nodes ? x->nodes->n : 0) + 1) * sizeof *known);
    for (int i = 0; i < 2; i++)
        for (const cak_yaml *c = map[i] ? map[i]->child : NULL; c; c = c->next) {
            if (strlen(c->key) == len && !strncmp(c->key, name, len)) return true;
            if (!i) known[n++] = c->key; /* a node seldom holds parameters */
        }
    *near = cak_suggest(cak_arena_print(x->arena, "%.*s", (int)len, name), known, n);
    return false;
}

static bool unknown_update(const cak_experiment *x, const cak_phase *p, int u)
{
    const char *near = NULL;
    has_owner(x, p->update[u], &near);
    return cak_error(x->diag, CAK_E3002, p->update_at[u], "'%s' names no module or parameter that the graph uses%s", p->update[u],
                     near ? cak_arena_print(x->arena, "; did you mean '%s'?", near) : "");
}

static bool unknown_metric(const cak_experiment *x, const cak_quantity *q)
{
    return cak_error(x->diag, CAK_E3002, q->at, "metric '%s': '%s' is not a parameter with one element", q->name, q->expr);
}

/* Resolve `update` of a phase to parameters; every entry must name one that the loss reaches. */
static bool pick_params(cak_experiment *x, cak_phase *p, const cak_graph *g, const cak_ref *grad)
{
    bool ok = true;
    int n = cak_graph_params(g);
    p->param = cak_arena_alloc(x->arena, ((size_t)n + 1) * sizeof *p->param);
    p->n_params = 0;
    for (int u = 0; u < p->n_update; u++) {
        int named = 0, reached = 0;
        for (int i = 0; i < n; i++) {
            if (!belongs(cak_graph_param(g, i)->name, p->update[u])) continue;
            named++;
            if (cak_is_none(grad[i])) continue;
            reached++;
            bool have = false;
            for (int k = 0; k < p->n_params; k++) have = have || p->param[k] == i;
            if (!have) p->param[p->n_params++] = i;
        }
        if (!named) ok = unknown_update(x, p, u);
        else if (!reached)
            ok = cak_error(x->diag, CAK_E3101, p->update_at[u],
                           "phase '%s' updates '%s', but its loss '%s' does not depend on it through differentiable nodes",
                           p->name, p->update[u], p->loss->name);
    }
    return ok;
}

static void add_out(cak_step *s, const char *name, cak_ref r)
{
    s->out[s->n_out] = r;
    s->out_name[s->n_out++] = name;
}

/* Loss, terms, metrics and gradients of a phase in a graph that all phases share. */
static bool build_step(cak_experiment *x, cak_graph *g, cak_builder *b, cak_phase *p, cak_step *s, bool first)
{
    const cak_loss *l = p->loss;
    cak_ref *term = cak_arena_alloc(x->arena, ((size_t)l->n + 1) * sizeof *term);
    cak_ref total = total_loss(x, g, b, l, term);
    cak_ref *metric = cak_arena_alloc(x->arena, ((size_t)p->n_metrics + 1) * sizeof *metric);
    bool metrics = true;
    for (int i = 0; i < p->n_metrics; i++) {
        metric[i] = scalar_value(x, g, b, p->metric[i].expr, p->metric[i].at);
        metrics = metrics && !cak_is_none(metric[i]);
    }
    if (cak_is_none(total)) return false;
    int n = cak_graph_params(g);
    cak_ref *all = cak_arena_alloc(x->arena, ((size_t)n + 1) * sizeof *all),
            *grad = cak_arena_alloc(x->arena, ((size_t)n + 1) * sizeof *grad);
    for (int i = 0; i < n; i++) all[i] = cak_graph_param(g, i)->ref;
    cak_where old = cak_graph_at(g, l->at, l->name);
    bool ok = cak_gradients(g, total, all, n, grad);
    cak_graph_restore(g, old);
    if (!ok) return cak_graph_recover(g), false;
    if ((first && !pick_params(x, p, g, grad)) || !metrics) return false;
    size_t room = (size_t)(1 + l->n + p->n_metrics + p->n_params);
    s->out = cak_arena_alloc(x->arena, room * sizeof *s->out);
    s->out_name = cak_arena_alloc(x->arena, room * sizeof *s->out_name);
    add_out(s, l->name, total);
    for (int i = 0; i < l->n; i++) add_out(s, cak_arena_print(x->arena, "%s.%s", l->name, l->term[i].name), term[i]);
    for (int i = 0; i < p->n_metrics; i++) add_out(s, p->metric[i].name, metric[i]);
    for (int i = 0; i < p->n_params; i++)
        add_out(s, cak_arena_print(x->arena, "d(%s)/d(%s)", l->name, cak_graph_param(g, p->param[i])->name), grad[p->param[i]]);
    return true;
}

/* The graph that is planned: what the engine's switches leave of the passes, in order. */
static cak_graph *rewrite(const cak_engine_attr *e, const cak_graph *g, cak_ref *out, int n)
{
    const struct {
        cak_graph *(*run)(const cak_graph *, cak_ref *, int);
        bool on;
    } passes[] = {
        { cak_pass_fold, true },       { cak_pass_dce, true },         { cak_pass_algebra, e->algebra },
        { cak_pass_mask, e->algebra }, { cak_pass_layout, e->layout }, { cak_pass_gather, e->algebra },
        { cak_pass_fold, true },       { cak_pass_dce, true },
    };
    cak_graph *to = NULL;
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        cak_graph *from = to;
        if (!passes[i].on) continue;
        to = passes[i].run(from ? from : g, out, n);
        cak_graph_close(from);
    }
    return to;
}

static void plan_step(cak_experiment *x, const cak_graph *g, cak_phase *p, cak_step *s)
{
    const cak_engine_attr *e = &x->engine;
    s->built = g;
    s->built_out = cak_arena_alloc(x->arena, (size_t)s->n_out * sizeof *s->built_out);
    memcpy(s->built_out, s->out, (size_t)s->n_out * sizeof *s->built_out);
    cak_graph *to = rewrite(e, g, s->out, s->n_out);
    s->graph = to;
    cak_plan_options o = { .whole = !e->slices,
                           .plain = !e->fusion,
                           .special = e->algebra && e->slices ? cak_specialise(x->arena, to, s->out, s->n_out) : NULL };
    s->program = cak_plan_with(x->arena, s->graph, s->out, s->n_out, &o);
    s->total = s->out[0];
    s->term = s->out + 1;
    s->metric = s->term + p->loss->n;
    s->grad = s->metric + p->n_metrics;
    cak_plan_info i = cak_program_info(s->program);
    if (i.slab + i.scratch > x->slab_bytes) x->slab_bytes = i.slab + i.scratch;
}

static void list_params(cak_experiment *x, const cak_graph *g)
{
    x->n_params = cak_graph_params(g);
    x->param = cak_arena_alloc(x->arena, ((size_t)x->n_params + 1) * sizeof *x->param);
    for (int i = 0; i < x->n_params; i++) {
        const cak_param_info *p = cak_graph_param(g, i);
        x->param[i] = (cak_parameter){ p->name, p->shape, cak_shape_size(&p->shape), NULL, p->init };
    }
}

static bool check_epoch_metrics(cak_experiment *x)
{
    bool ok = true;
    for (int i = 0; i < x->n_epoch_metrics; i++) {
        const cak_quantity *q = &x->epoch_metric[i];
        int k = 0;
        if (!q->expr) { /* reported */
            ok = false;
            continue;
        }
        while (k < x->n_params && strcmp(x->param[k].name, q->expr)) k++;
        if (k == x->n_params || x->param[k].n != 1) ok = unknown_metric(x, q);
    }
    return ok;
}

/* A parameter that no phase moves is legal (a frozen module), but seldom meant. */
static void warn_idle_params(const cak_experiment *x, const cak_graph *g)
{
    for (int k = 0; k < x->n_params; k++) {
        bool moved = false;
        for (int i = 0; i < x->n_phases; i++)
            for (int j = 0; j < x->phase[i].n_params; j++) moved = moved || x->phase[i].param[j] == k;
        if (!moved) cak_warn(x->diag, cak_graph_param(g, k)->origin, "no phase updates the parameter '%s'", x->param[k].name);
    }
}

/* What else is wrong when the graph could not be completed: values that losses and metrics name, updates, names of records. */
static void check_rest(cak_experiment *x, cak_graph *g, cak_builder *b)
{
    const char *near;
    bool losses = true;
    for (int i = 0; i < x->n_losses; i++)
        for (int k = 0; k < x->loss[i].n; k++) scalar_value(x, g, b, x->loss[i].term[k].expr, x->loss[i].term[k].at);
    for (int i = 0; i < x->n_phases; i++) {
        cak_phase *p = &x->phase[i];
        for (int k = 0; k < p->n_metrics; k++) scalar_value(x, g, b, p->metric[k].expr, p->metric[k].at);
        for (int u = 0; u < p->n_update; u++)
            if (!has_owner(x, p->update[u], &near)) unknown_update(x, p, u);
        losses = losses && p->loss;
        p->n_params = 0;
    }
    for (int i = 0; i < x->n_epoch_metrics; i++)
        if (x->epoch_metric[i].expr && !has_owner(x, x->epoch_metric[i].expr, &near)) unknown_metric(x, &x->epoch_metric[i]);
    if (losses) cak_record_names(x->diag, x);
}

/* Every value, gradient and parameter of one batch size. */
static bool build_graph(cak_experiment *x, cak_graph *g, cak_builder *b, int which)
{
    bool ok = cak_builder_all(b);
    for (int i = 0; i < x->n_phases; i++) /* expressions first, so that every parameter exists */
        for (int k = 0; x->phase[i].loss && k < x->phase[i].loss->n; k++)
            ok = !cak_is_none(cak_builder_value(b, x->phase[i].loss->term[k].expr, x->phase[i].loss->term[k].at)) && ok;
    if (!ok) return false;
    for (int i = 0; i < x->n_phases; i++)
        ok = x->phase[i].loss && build_step(x, g, b, &x->phase[i], &x->phase[i].step[which], which == 0) && ok;
    return ok;
}

static bool build_batch(cak_experiment *x, int which, bool plan)
{
    int n;
    cak_graph *g = x->graphs[x->n_graphs++] = cak_graph_open(x->diag);
    cak_binding *bind = bind_inputs(x, g, x->batch[which], &n);
    cak_builder *b = cak_builder_open(g, x->nodes, x->modules, bind, n);
    if (!build_graph(x, g, b, which)) return check_rest(x, g, b), false;
    if (which == 0) list_params(x, g);
    bool ok = which || (check_epoch_metrics(x) & cak_record_names(x->diag, x));
    if (!which && ok) warn_idle_params(x, g);
    ok = ok && !cak_diag_errors(x->diag); /* of a configuration with mistakes nothing is planned */
    for (int i = 0; i < x->n_phases && ok && plan; i++) plan_step(x, g, &x->phase[i], &x->phase[i].step[which]);
    return ok;
}

/* `batch` and `schedules` are taken: a node of that name could not be told from them. */
static bool check_node_names(const cak_experiment *x)
{
    const char *loader = x->loader.name;
    bool ok = true;
    if (!x->nodes) return true;
    cak_yaml_each (n, x->nodes)
        if (!strcmp(n->key, loader) || !strcmp(n->key, "schedules"))
            ok = cak_error(x->diag, CAK_E1205, n->key_pos, "a node cannot be called '%s': %s", n->key,
                           strcmp(n->key, loader) ? "schedules are read as schedules.NAME"
                                                  : "this is the loader of the data section");
    return ok;
}

/* One for shapes alone may come before the data are there. */
static void forget_build(cak_experiment *x)
{
    for (int i = 0; i < x->n_phases; i++)
        for (int k = 0; k < 2; k++) {
            cak_graph_close((cak_graph *)x->phase[i].step[k].graph);
            x->phase[i].step[k] = (cak_step){ 0 };
        }
    for (int i = 0; i < x->n_graphs; i++) cak_graph_close(x->graphs[i]);
    x->n_graphs = 0;
    x->slab_bytes = 0;
}

/* Take over what the loader serves; forget an earlier build. */
static void open_batches(cak_experiment *x, const cak_loader_info *loader)
{
    forget_build(x);
    cak_reference_set(x->engine.reference);
    x->loader = *loader;
    if (!x->loader.name) x->loader.name = "batch";
    x->port_name = cak_arena_alloc(x->arena, ((size_t)loader->n_ports + 1) * sizeof *x->port_name);
    for (int i = 0; i < loader->n_ports; i++)
        x->port_name[i] = cak_arena_print(x->arena, "%s.%s", x->loader.name, loader->port[i].name);
    x->batch[0] = loader->items && loader->items < loader->batch ? loader->items : loader->batch;
    x->batch[1] = loader->drop_last || !loader->items ? 0 : loader->items % x->batch[0];
    x->graphs = cak_arena_alloc(x->arena, (size_t)(2 * (1 + x->n_phases)) * sizeof *x->graphs);
}

/* A section that is no mapping was reported; what it should hold is not known. */
static bool sections_there(const cak_experiment *x)
{
    const cak_yaml *root = x->config->root;
    return (x->modules || !cak_yaml_get(root, "modules")) && (x->nodes || !cak_yaml_get(root, "graph"));
}

static bool build(cak_experiment *x, const cak_loader_info *loader, bool plan)
{
    open_batches(x, loader);
    if (loader->items && loader->items < loader->batch)
        cak_warn(x->diag, cak_yaml_get(x->config->root, "data")->key_pos,
                 "a batch of %lld is larger than the %lld items there are", (long long)loader->batch, (long long)loader->items);
    if (!sections_there(x)) return false;
    bool ok = check_node_names(x);
    ok = build_batch(x, 0, plan) && ok;
    return ok && (!x->batch[1] || build_batch(x, 1, plan)) && cak_diag_errors(x->diag) == 0;
}

bool cak_experiment_build(cak_experiment *x, const cak_loader_info *loader) { return build(x, loader, true); }
bool cak_experiment_graphs(cak_experiment *x, const cak_loader_info *loader) { return build(x, loader, false); }

void cak_experiment_check(cak_experiment *x, const cak_loader_info *loader)
{
    if (!sections_there(x)) return;
    open_batches(x, loader);
    check_node_names(x);
    cak_diag_mute(x->diag, CAK_E3005, true);
    build_batch(x, 0, false);
    cak_diag_mute(x->diag, CAK_E3005, false);
}

/* ---- memory and initial values ---- */

static void draw_initial(const cak_experiment *x, cak_parameter *p)
{
    uint64_t stream = cak_rng_stream(cak_arena_print(x->arena, "init/%s", p->name));
    for (int64_t i = 0; i < p->n; i++) {
        double v = p->init.a;
        if (p->init.kind == CAK_INIT_UNIFORM) v += (p->init.b - p->init.a) * cak_rng_uniform(x->seed, stream, 0, (uint64_t)i);
        if (p->init.kind == CAK_INIT_NORMAL) v += p->init.b * cak_rng_normal(x->seed, stream, 0, (uint64_t)i);
        p->value[i] = (real)v;
    }
}

/* `init_from`: parameters that the file holds take its values; a tensor that fits nothing is an error, a parameter that is not there is not. */
static bool read_initial(cak_experiment *x)
{
    if (!x->init_from) return true;
    const char *path = x->init_from; /* absolute since the configuration was read */
    cak_arena *a = cak_arena_open("init_from");
    cak_tensors *t = cak_tensors_load(a, x->diag, path);
    bool ok = t != NULL;
    if (!ok) cak_note(x->diag, x->init_from_at, "named here");
    for (int i = 0; t && i < t->n; i++) {
        int k = 0;
        char want[CAK_SHAPE_TEXT], have[CAK_SHAPE_TEXT];
        const char *name = t->tensor[i].name;
        if (!strncmp(name, "param/", 6)) name += 6; /* a checkpoint: take the parameters, leave the optimisers */
        else if (strchr(name, '/')) continue;
        while (k < x->n_params && strcmp(x->param[k].name, name)) k++;
        if (k == x->n_params)
            ok = cak_error(x->diag, CAK_E4010, x->init_from_at, "%s holds '%s', which is no parameter of this experiment", path,
                           name);
        else if (!cak_shape_equal(&x->param[k].shape, &t->tensor[i].shape))
            ok = cak_error(x->diag, CAK_E4010, x->init_from_at, "%s: '%s' is %s, this experiment needs %s", path, name,
                           cak_shape_text(&t->tensor[i].shape, have), cak_shape_text(&x->param[k].shape, want));
        else ok = cak_tensor_read(x->diag, &t->tensor[i], x->param[k].value) && ok;
    }
    cak_arena_close(a);
    return ok;
}

size_t cak_experiment_batch_bytes(const cak_experiment *x)
{
    size_t bytes = 0;
    for (int i = 0; i < x->loader.n_ports; i++)
        bytes += (size_t)(x->batch[0] * cak_shape_size(&x->loader.port[i].shape)) * sizeof(real);
    return bytes;
}

/* A small batch is put into memory: a window of a clip costs a system call for each of its lines, too much to pay in every round of every
** phase. */
bool cak_experiment_streams(const cak_experiment *x) { return cak_experiment_batch_bytes(x) > (size_t)16 << 20; }

static void open_exec(cak_experiment *x, cak_step *s, real *const *port)
{
    s->exec = cak_exec_open(x->arena, s->program, x->slab);
    for (int i = 0; i < x->loader.n_ports; i++) cak_exec_bind(s->exec, x->port_name[i], port[i]);
    for (int i = 0; i < x->n_schedules; i++) cak_exec_bind(s->exec, x->schedule[i].input, &x->schedule[i].value);
    for (int i = 0; i < x->n_params; i++) cak_exec_bind(s->exec, x->param[i].name, x->param[i].value);
}

static void open_optimizer(cak_experiment *x, cak_phase *p)
{
    real **value = cak_arena_alloc(x->arena, ((size_t)p->n_params + 1) * sizeof *value);
    int64_t *size = cak_arena_alloc(x->arena, ((size_t)p->n_params + 1) * sizeof *size);
    for (int i = 0; i < p->n_params; i++) {
        value[i] = x->param[p->param[i]].value;
        size[i] = x->param[p->param[i]].n;
    }
    cak_adam_open(x->arena, &p->adam, p->n_params, value, size);
}

bool cak_experiment_ready(cak_experiment *x, real *const *port)
{
    x->slab = cak_slab_alloc(x->slab_bytes, "tensors of a step");
    for (int i = 0; i < x->n_params; i++) {
        x->param[i].value = cak_slab_alloc((size_t)x->param[i].n * sizeof(real), x->param[i].name);
        draw_initial(x, &x->param[i]);
    }
    cak_experiment_schedules(x, 0);
    for (int i = 0; i < x->n_phases; i++) {
        open_optimizer(x, &x->phase[i]);
        for (int k = 0; k < 2 && x->phase[i].step[k].program; k++) open_exec(x, &x->phase[i].step[k], port);
    }
    return read_initial(x);
}
