/* Read the sections of a configuration into an experiment. */
#include "experiments/experiment.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct reader {
    cak_experiment *x;
    cak_arena *a;
    cak_diag *d;
    bool ok;
} reader;

static cak_yaml *section(reader *r, cak_yaml *map, const char *key, cak_yaml_kind kind, bool required)
{
    static const char *const kinds[] = { "a value", "a mapping", "a list" };
    cak_yaml *n = cak_yaml_get(map, key);
    if (n) n->used = true;
    if (!n && required) r->ok = cak_error(r->d, CAK_E1204, map->pos, "`%s` is missing", key);
    if (!n || n->kind == kind) return n;
    r->ok = cak_error(r->d, CAK_E1201, n->pos, "`%s` must be %s", key, kinds[kind]);
    return NULL;
}

static int children(const cak_yaml *map) { return map ? map->n : 0; }
#define EACH(n, map) for (cak_yaml *n = (map) ? (map)->child : NULL; n; n = n->next)

/* An expression: a scalar, kept as text until the graph is built. NULL after an error. */
static const char *expression(reader *r, cak_yaml *n)
{
    n->used = true;
    if (n->kind == CAK_YAML_SCALAR) return n->text;
    r->ok = cak_error(r->d, CAK_E1201, n->pos, "'%s' must be an expression", n->key);
    return NULL;
}

static cak_quantity *read_quantities(reader *r, cak_yaml *map, int *n)
{
    cak_quantity *q = cak_arena_alloc(r->a, ((size_t)children(map) + 1) * sizeof *q);
    *n = 0;
    EACH(c, map) q[(*n)++] = (cak_quantity){ c->key, expression(r, c), c->pos };
    EACH(c, map) r->ok = cak_config_name(r->d, c->key, c->key_pos, "metric", true) && r->ok;
    return q;
}

/* ---- schedules ---- */

static void read_schedules(reader *r, cak_yaml *map)
{
    typedef struct schedule_attr {
        const char *type;
        double from, to, over;
    } schedule_attr;
    static const cak_attr rows[] = {
        { .name = "type", .doc = "linear_epochs", .kind = CAK_TEXT, .offset = offsetof(schedule_attr, type), .required = true },
        { .name = "from",
          .doc = "value at epoch 0",
          .kind = CAK_NUM,
          .offset = offsetof(schedule_attr, from),
          .required = true,
          .min = -1e30,
          .max = 1e30 },
        { .name = "to",
          .doc = "value at the end",
          .kind = CAK_NUM,
          .offset = offsetof(schedule_attr, to),
          .required = true,
          .min = -1e30,
          .max = 1e30 },
        { .name = "over",
          .doc = "epochs",
          .kind = CAK_NUM,
          .offset = offsetof(schedule_attr, over),
          .required = true,
          .min = 1e-9,
          .max = 1e9 },
        { .kind = CAK_END },
    };
    static const char *const known[] = { "type", "from", "to", "over", NULL };
    cak_experiment *x = r->x;
    x->schedule = cak_arena_alloc(r->a, ((size_t)children(map) + 1) * sizeof *x->schedule);
    EACH(n, map)
    {
        n->used = true;
        cak_schedule *s = &x->schedule[x->n_schedules++];
        schedule_attr at = { 0 };
        *s =
            (cak_schedule){ .name = n->key, .input = cak_arena_print(r->a, "schedules.%s", n->key), .at = n->key_pos, .over = 1 };
        r->ok = cak_config_name(r->d, n->key, n->key_pos, "schedule", false) && r->ok;
        if (n->kind == CAK_YAML_SCALAR) { /* temperature: 20 */
            r->ok = cak_config_num(r->d, n, &s->from) && r->ok;
            s->to = s->from;
            continue;
        }
        const char *what = cak_arena_print(r->a, "schedules.%s", n->key);
        bool read = cak_config_read(r->a, r->d, n, rows, &at, what, NULL, NULL);
        read = cak_config_unused(r->d, n, what, known) && read;
        if (read && strcmp(at.type, "linear_epochs"))
            read = cak_error(r->d, CAK_E1202, cak_yaml_get(n, "type")->pos,
                             "unknown schedule '%s'; known: linear_epochs, or a plain number", at.type);
        r->ok = read && r->ok;
        s->from = at.from, s->to = at.to, s->over = at.over;
    }
}

/* ---- losses ---- */

static void read_term(reader *r, cak_yaml *n, cak_term *t)
{
    typedef struct term_attr {
        const char *value;
        double weight;
    } term_attr;
    static const cak_attr rows[] = {
        { .name = "value",
          .doc = "expression of a scalar",
          .kind = CAK_TEXT,
          .offset = offsetof(term_attr, value),
          .required = true },
        { .name = "weight",
          .doc = "factor in the sum",
          .kind = CAK_NUM,
          .offset = offsetof(term_attr, weight),
          .def = 1,
          .min = -1e30,
          .max = 1e30 },
        { .kind = CAK_END },
    };
    static const char *const known[] = { "value", "weight", NULL };
    term_attr at = { "0", 1 };
    n->used = true;
    if (n->kind == CAK_YAML_MAP) {
        char buf[256];
        const char *what = cak_arena_text(r->a, cak_yaml_name(n, buf, sizeof buf));
        r->ok = cak_config_read(r->a, r->d, n, rows, &at, what, NULL, NULL) && r->ok;
        r->ok = cak_config_unused(r->d, n, what, known) && r->ok;
    } else {
        at.value = expression(r, n);
    }
    r->ok = cak_config_name(r->d, n->key, n->key_pos, "term", false) && r->ok;
    cak_yaml *value = n->kind == CAK_YAML_MAP ? cak_yaml_get(n, "value") : n;
    *t = (cak_term){ n->key, at.value, value ? value->pos : n->pos, at.weight };
}

static void read_losses(reader *r, cak_yaml *map)
{
    cak_experiment *x = r->x;
    x->loss = cak_arena_alloc(r->a, ((size_t)children(map) + 1) * sizeof *x->loss);
    EACH(n, map)
    {
        n->used = true;
        cak_loss *l = &x->loss[x->n_losses++];
        *l = (cak_loss){ .name = n->key, .at = n->key_pos };
        r->ok = cak_config_name(r->d, n->key, n->key_pos, "loss", false) && r->ok;
        if (n->kind != CAK_YAML_MAP || !n->n) {
            r->ok = cak_error(r->d, CAK_E1201, n->pos, "loss '%s' must be a mapping of terms", n->key);
            continue;
        }
        l->term = cak_arena_alloc(r->a, (size_t)n->n * sizeof *l->term);
        EACH(t, n) read_term(r, t, &l->term[l->n++]);
    }
    if (map && !x->n_losses) r->ok = cak_error(r->d, CAK_E1204, map->pos, "`losses` is empty");
}

/* ---- phases ---- */

static void read_optimizer(reader *r, cak_yaml *phase, cak_phase *p)
{
    static const char *const known[] = { "type", "lr", "betas", "eps", NULL };
    cak_attr_defaults(r->a, cak_adam_rows, &p->adam.attr);
    cak_yaml *n = section(r, phase, "optimizer", CAK_YAML_MAP, true);
    if (!n) return;
    cak_yaml *type = cak_yaml_get(n, "type");
    if (type) type->used = true;
    if (!type) r->ok = cak_error(r->d, CAK_E1204, n->key_pos, "`optimizer` needs a `type`");
    else if (type->kind != CAK_YAML_SCALAR || strcmp(type->text, "adam"))
        r->ok = cak_error(r->d, CAK_E1202, type->pos, "unknown optimizer; known: adam");
    bool read = cak_config_read(r->a, r->d, n, cak_adam_rows, &p->adam.attr, "optimizer adam", NULL, NULL);
    r->ok = cak_config_unused(r->d, n, "optimizer adam", known) && read && r->ok;
    cak_yaml *betas = cak_yaml_get(n, "betas");
    bool two = betas && betas->kind == CAK_YAML_LIST ? betas->n == 2 : !read || p->adam.attr.betas.n == 2;
    if (!two) r->ok = cak_error(r->d, CAK_E1202, betas ? betas->pos : n->pos, "`betas` needs two numbers");
}

static void read_update(reader *r, cak_yaml *phase, cak_phase *p)
{
    cak_yaml *list = section(r, phase, "update", CAK_YAML_LIST, true);
    p->update = cak_arena_alloc(r->a, ((size_t)children(list) + 1) * sizeof *p->update);
    p->update_at = cak_arena_alloc(r->a, ((size_t)children(list) + 1) * sizeof *p->update_at);
    if (list && !list->n) r->ok = cak_error(r->d, CAK_E1204, list->pos, "`update` names no module");
    EACH(n, list)
    {
        n->used = true;
        if (n->kind != CAK_YAML_SCALAR) {
            r->ok = cak_error(r->d, CAK_E1201, n->pos, "`update` is a list of modules or parameters");
            continue;
        }
        p->update_at[p->n_update] = n->pos;
        p->update[p->n_update++] = n->text;
    }
}

static void read_phase(reader *r, cak_yaml *n, cak_phase *p)
{
    typedef struct phase_attr {
        int64_t repeat;
        const char *loss;
    } phase_attr;
    static const cak_attr rows[] = {
        { .name = "repeat",
          .doc = "steps per batch",
          .kind = CAK_INT,
          .offset = offsetof(phase_attr, repeat),
          .def = 1,
          .min = 1,
          .max = 1000 },
        { .name = "loss", .doc = "name of a loss", .kind = CAK_TEXT, .offset = offsetof(phase_attr, loss), .required = true },
        { .kind = CAK_END },
    };
    static const char *const known[] = { "repeat", "loss", "update", "optimizer", "metrics", NULL };
    phase_attr at = { 1, "" };
    n->used = true;
    *p = (cak_phase){ .name = n->key, .at = n->key_pos };
    r->ok = cak_config_name(r->d, n->key, n->key_pos, "phase", false) && r->ok;
    if (n->kind != CAK_YAML_MAP) {
        r->ok = cak_error(r->d, CAK_E1201, n->pos, "phase '%s' must be a mapping", n->key);
        return;
    }
    const char *what = cak_arena_print(r->a, "train.phases.%s", n->key);
    bool read = cak_config_read(r->a, r->d, n, rows, &at, what, NULL, NULL);
    r->ok = read && r->ok;
    p->repeat = at.repeat;
    const char *names[64];
    int n_names = 0;
    for (int i = 0; i < r->x->n_losses && read; i++) {
        if (n_names < 64) names[n_names++] = r->x->loss[i].name;
        if (!strcmp(r->x->loss[i].name, at.loss)) p->loss = &r->x->loss[i];
    }
    if (read && !p->loss && r->x->n_losses) { /* no losses at all: reported where they should be */
        const char *near = cak_suggest(at.loss, names, n_names);
        r->ok = cak_error(r->d, CAK_E3002, cak_yaml_get(n, "loss")->pos, "loss '%s' does not exist%s%s%s", at.loss,
                          near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    read_update(r, n, p);
    read_optimizer(r, n, p);
    p->metric = read_quantities(r, section(r, n, "metrics", CAK_YAML_MAP, false), &p->n_metrics);
    r->ok = cak_config_unused(r->d, n, what, known) && r->ok;
}

#define ROW(key, k, field, ...)                                                        \
    {                                                                                  \
        .name = key, .kind = k, .offset = offsetof(cak_train_attr, field), __VA_ARGS__ \
    }
static const char *const nonfinite[] = { "stop", "ignore", NULL };
static const cak_attr train_rows[] = {
    ROW("epochs", CAK_INT, epochs, .doc = "passes over the items", .required = true, .min = 1, .max = 1e9),
    ROW("max_steps", CAK_INT, max_steps, .doc = "stop after so many batches; 0: no limit", .max = 1e12),
    { .kind = CAK_END },
};
static const cak_attr guard_rows[] = {
    ROW("abs_loss", CAK_NUM, abs_loss, .doc = "the run has diverged when |loss| exceeds this", .def = 1e4, .min = 0,
        .max = (double)INFINITY),
    ROW("nonfinite", CAK_ENUM, nonfinite, .doc = "what NaN or Inf in a loss or gradient does", .choices = nonfinite),
    { .kind = CAK_END },
};
static const cak_attr checkpoint_rows[] = {
    ROW("every_epochs", CAK_INT, every_epochs, .doc = "checkpoint after so many epochs; 0: only at the end", .def = 1,
        .max = 1e9),
    ROW("every_steps", CAK_INT, every_steps, .doc = "and after so many batches; 0: not", .max = 1e12),
    ROW("keep", CAK_INT, keep, .doc = "newest checkpoints that are kept", .def = 3, .min = 1, .max = 1e6),
    { .kind = CAK_END },
};
#undef ROW

/* A mapping below `train` that fills fields of the same struct; absent: defaults. */
static void read_part(reader *r, cak_yaml *train, const char *key, const cak_attr *rows, const char *const *known)
{
    const char *what = cak_arena_print(r->a, "train.%s", key);
    cak_yaml *n = section(r, train, key, CAK_YAML_MAP, false);
    r->ok = cak_config_read(r->a, r->d, n, rows, &r->x->train, what, NULL, NULL) && r->ok;
    if (n) r->ok = cak_config_unused(r->d, n, what, known) && r->ok;
}

static void read_train(reader *r, cak_yaml *train)
{
    static const char *const train_known[] = { "epochs", "max_steps", "phases", "guard", "checkpoint", NULL };
    static const char *const guard_known[] = { "abs_loss", "nonfinite", NULL };
    static const char *const checkpoint_known[] = { "every_epochs", "every_steps", "keep", NULL };
    cak_experiment *x = r->x;
    if (!train) return;
    r->ok = cak_config_read(r->a, r->d, train, train_rows, &x->train, "train", NULL, NULL) && r->ok;
    read_part(r, train, "guard", guard_rows, guard_known);
    read_part(r, train, "checkpoint", checkpoint_rows, checkpoint_known);
    cak_yaml *phases = section(r, train, "phases", CAK_YAML_MAP, true);
    x->phase = cak_arena_alloc(r->a, ((size_t)children(phases) + 1) * sizeof *x->phase);
    EACH(n, phases) read_phase(r, n, &x->phase[x->n_phases++]);
    if (phases && !x->n_phases) r->ok = cak_error(r->d, CAK_E1204, phases->pos, "`phases` is empty");
    r->ok = cak_config_unused(r->d, train, "train", train_known) && r->ok;
}

/* ---- engine ---- */

static void read_engine(reader *r, cak_yaml *map)
{
#define ROW(key, on, text)                                                                                  \
    {                                                                                                       \
        .name = #key, .doc = text, .kind = CAK_BOOL, .offset = offsetof(cak_engine_attr, key), .def = (on), \
    }
    static const cak_attr rows[] = {
        ROW(slices, true, "a few samples of the batch at a time"),
        ROW(fusion, true, "element-wise values and their sums in one pass over memory"),
        ROW(layout, true, "channels in blocks, Winograd convolutions"),
        ROW(algebra, true, "equal results by less work; a cheaper way for special samples"),
        ROW(reference, false, "none of these, and convolutions straight from the formula"),
        { .kind = CAK_END },
    };
#undef ROW
    static const char *const known[] = { "slices", "fusion", "layout", "algebra", "reference", NULL };
    cak_engine_attr *e = &r->x->engine;
    r->ok = cak_config_read(r->a, r->d, map, rows, e, "engine", NULL, NULL) && r->ok;
    if (map) r->ok = cak_config_unused(r->d, map, "engine", known) && r->ok;
    if (e->reference) *e = (cak_engine_attr){ .reference = true };
}

/* ---- log ---- */

static void read_log(reader *r, cak_yaml *map)
{
    static const cak_attr rows[] = {
        { .name = "tensorboard",
          .doc = "write the metrics of epochs into event files, too",
          .kind = CAK_BOOL,
          .offset = offsetof(cak_log_attr, tensorboard) },
        { .name = "tensorboard_steps",
          .doc = "and those of every so many batches; 0: not",
          .kind = CAK_INT,
          .offset = offsetof(cak_log_attr, tensorboard_steps),
          .max = 1e12 },
        { .kind = CAK_END },
    };
    static const char *const known[] = { "tensorboard", "tensorboard_steps", NULL };
    r->ok = cak_config_read(r->a, r->d, map, rows, &r->x->log, "log", NULL, NULL) && r->ok;
    if (map) r->ok = cak_config_unused(r->d, map, "log", known) && r->ok;
}

/* ---- the whole ---- */

static void mark_used(cak_yaml *n)
{
    n->used = true;
    EACH(c, n) mark_used(c);
}

/* Free numbers that ${hp.x} referred to: nothing reads them any more, so the saved text does not hold them. */
static void drop_hp(reader *r, cak_yaml *hp)
{
    EACH(n, hp)
    {
        if (n->origin && !n->referred && !hp->referred)
            cak_warn(r->d, n->pos, "nothing refers to hp.%s: this override changes nothing", n->key);
    }
    cak_yaml_remove(hp);
}

static void read_head(reader *r, cak_yaml *root)
{
    typedef struct head_attr {
        int64_t version, seed;
        const char *name, *description, *init_from;
    } head_attr;
    static const cak_attr rows[] = {
        { .name = "version",
          .doc = "of the configuration format",
          .kind = CAK_INT,
          .offset = offsetof(head_attr, version),
          .required = true,
          .min = 1,
          .max = 1 },
        { .name = "name",
          .doc = "name of the experiment: runs/<name>/...",
          .kind = CAK_TEXT,
          .offset = offsetof(head_attr, name),
          .required = true },
        { .name = "description", .doc = "free text", .kind = CAK_TEXT, .offset = offsetof(head_attr, description) },
        { .name = "seed", .doc = "of every random stream", .kind = CAK_INT, .offset = offsetof(head_attr, seed), .max = 9e15 },
        { .name = "init_from",
          .doc = "safetensors file with initial values of parameters",
          .kind = CAK_TEXT,
          .offset = offsetof(head_attr, init_from) },
        { .kind = CAK_END },
    };
    head_attr h = { 0 };
    bool read = cak_config_read(r->a, r->d, root, rows, &h, "the configuration", NULL, NULL);
    if (h.name) read = cak_config_name(r->d, h.name, cak_yaml_get(root, "name")->pos, "experiment", false) && read;
    r->ok = read && r->ok;
    cak_yaml *from = cak_yaml_get(root, "init_from"), *hp = section(r, root, "hp", CAK_YAML_MAP, false),
             *tags = section(r, root, "tags", CAK_YAML_LIST, false);
    if (hp) drop_hp(r, hp);
    if (tags) mark_used(tags);
    r->x->name = h.name;
    r->x->seed = (uint64_t)h.seed;
    r->x->init_from = h.init_from;
    r->x->init_from_at = from ? from->pos : CAK_NOWHERE;
}

static const char *dir_of(cak_arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? "/" : slash ? cak_arena_print(a, "%.*s", (int)(slash - path), path) : ".";
}

/* Relative paths are relative to the configuration; absolute ones keep their meaning when the resolved text is used elsewhere. */
static void make_absolute(reader *r, cak_yaml *n)
{
    if (!n || n->kind != CAK_YAML_SCALAR || !n->text[0] || n->text[0] == '/') return;
    char full[PATH_MAX];
    const char *path = cak_arena_print(r->x->config->arena, "%s/%s", r->x->base_dir, n->text);
    if (realpath(path, full)) path = cak_arena_text(r->x->config->arena, full);
    else if (path[0] != '/' && getcwd(full, sizeof full)) path = cak_arena_print(r->x->config->arena, "%s/%s", full, path);
    n->text = path;
}

cak_experiment *cak_experiment_open(cak_config *c)
{
    static const char *const known[] = { "version", "name",      "description", "tags",  "seed",   "hp",
                                         "data",    "schedules", "modules",     "graph", "losses", "train",
                                         "metrics", "init_from", "engine",      "log",   NULL };
    cak_arena *a = cak_arena_open("experiment");
    cak_experiment *x = cak_arena_alloc(a, sizeof *x);
    *x = (cak_experiment){ .config = c, .diag = c->diag, .arena = a, .base_dir = dir_of(a, c->path) };
    reader r = { x, a, c->diag, true };
    make_absolute(&r, cak_yaml_get(c->root, "init_from"));
    read_head(&r, c->root);
    x->data = section(&r, c->root, "data", CAK_YAML_MAP, true);
    EACH(n, x->data) make_absolute(&r, cak_yaml_get(n, "path"));
    x->modules = section(&r, c->root, "modules", CAK_YAML_MAP, false);
    x->nodes = section(&r, c->root, "graph", CAK_YAML_MAP, false);
    read_schedules(&r, section(&r, c->root, "schedules", CAK_YAML_MAP, false));
    read_losses(&r, section(&r, c->root, "losses", CAK_YAML_MAP, true));
    read_train(&r, section(&r, c->root, "train", CAK_YAML_MAP, true));
    read_engine(&r, section(&r, c->root, "engine", CAK_YAML_MAP, false));
    read_log(&r, section(&r, c->root, "log", CAK_YAML_MAP, false));
    x->epoch_metric = read_quantities(&r, section(&r, c->root, "metrics", CAK_YAML_MAP, false), &x->n_epoch_metrics);
    r.ok = cak_config_unused(c->diag, c->root, "the configuration", known) && r.ok;
    return x; /* errors are counted by the caller: the graph may have more to tell */
}

void cak_experiment_close(cak_experiment *x)
{
    if (!x) return;
    for (int i = 0; i < x->n_params; i++) cak_slab_free(x->param[i].value, (size_t)x->param[i].n * sizeof(real));
    cak_slab_free(x->slab, x->slab_bytes);
    for (int p = 0; p < x->n_phases; p++)
        for (int k = 0; k < 2; k++) cak_graph_close((cak_graph *)x->phase[p].step[k].graph);
    for (int i = 0; i < x->n_graphs; i++) cak_graph_close(x->graphs[i]);
    cak_arena_close(x->arena);
}

int64_t cak_experiment_batches(const cak_experiment *x) { return x->loader.items / x->batch[0] + (x->batch[1] > 0); }

int64_t cak_experiment_steps(const cak_experiment *x)
{
    int64_t all = x->train.epochs * cak_experiment_batches(x);
    return x->train.max_steps && x->train.max_steps < all ? x->train.max_steps : all;
}

void cak_experiment_schedules(cak_experiment *x, int64_t epoch)
{
    for (int i = 0; i < x->n_schedules; i++) {
        cak_schedule *s = &x->schedule[i];
        double part = (double)epoch / s->over;
        s->value = (real)(s->from + (s->to - s->from) * (part < 1 ? part : 1));
    }
}
