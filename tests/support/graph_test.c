/* Evaluates small graphs written in YAML; checks first and second derivatives by differences in double. */
#include "tests/support/graph_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/rng.h"

enum { MAX_LEAVES = 64, DIRECTIONS = 4 };

typedef struct leaf {
    const char *name;
    cak_ref ref;
    int64_t n;
    double *x, *v;
    bool fixed;
    real *buf;
} leaf;

typedef struct lab {
    cak_diag *d;
    cak_graph *g;
    cak_arena *a;
    cak_ref y;
    leaf leaf[MAX_LEAVES];
    int n_leaves;
} lab;

static void fill(double *x, int64_t n, uint64_t seed, const char *name, double lo, double hi, double gap)
{
    for (int64_t i = 0; i < n; i++) {
        x[i] = lo + (hi - lo) * cak_rng_uniform(seed, cak_rng_stream(name), 7, (uint64_t)i);
        if (fabs(x[i]) < gap) x[i] = x[i] < 0 ? x[i] - gap : x[i] + gap;
    }
}

static leaf *add_leaf(lab *l, const char *name, cak_ref ref, const cak_shape *shape)
{
    ck_assert_int_lt(l->n_leaves, MAX_LEAVES);
    leaf *f = &l->leaf[l->n_leaves++];
    *f = (leaf){ .name = name, .ref = ref, .n = cak_shape_size(shape) };
    f->x = cak_arena_alloc(l->a, (size_t)f->n * sizeof(double));
    f->v = cak_arena_alloc(l->a, (size_t)f->n * sizeof(double));
    f->buf = cak_arena_alloc(l->a, (size_t)f->n * sizeof(real));
    return f;
}

static bool build(lab *l, const graph_case *c)
{
    cak_binding *bind = cak_arena_alloc(l->a, sizeof *bind * GRAPH_CASE_INPUTS);
    int n = 0;
    for (; n < GRAPH_CASE_INPUTS && c->in[n].name; n++) {
        const graph_input *in = &c->in[n];
        bind[n] = (cak_binding){ in->name, cak_input(l->g, in->name, &in->shape, in->per_sample) };
        leaf *f = add_leaf(l, in->name, bind[n].ref, &in->shape);
        f->fixed = in->fixed;
        if (in->data) memcpy(f->x, in->data, (size_t)f->n * sizeof(double));
        else fill(f->x, f->n, (uint64_t)c->seed + 1, in->name, in->lo, in->hi, in->gap);
    }
    if (c->make) {
        cak_ref in[GRAPH_CASE_INPUTS];
        for (int i = 0; i < n; i++) in[i] = bind[i].ref;
        l->y = c->make(l->g, in);
        return !cak_graph_failed(l->g);
    }
    cak_yaml *root = cak_yaml_parse(l->a, l->d, "case.yaml", c->yaml, strlen(c->yaml));
    if (!root) return false;
    cak_builder *b = cak_builder_open(l->g, cak_yaml_get(root, "nodes"), cak_yaml_get(root, "modules"), bind, n);
    l->y = cak_builder_value(b, c->out, (cak_pos){ "case.yaml", 1, 1, 1 });
    if (!cak_builder_all(b) || cak_is_none(l->y)) return false;
    double size = c->param_size ? c->param_size : 0.5;
    for (int i = 0; i < cak_graph_params(l->g); i++) {
        const cak_param_info *p = cak_graph_param(l->g, i);
        leaf *f = add_leaf(l, p->name, p->ref, &p->shape);
        fill(f->x, f->n, (uint64_t)c->seed + 1, p->name, -size, size, 0);
        for (int k = 0; k < GRAPH_CASE_PARAMS && c->param[k].name; k++)
            if (!strcmp(c->param[k].name, p->name)) memcpy(f->x, c->param[k].data, (size_t)f->n * sizeof(double));
    }
    return true;
}

static lab open_lab(void)
{
    lab l = { .d = cak_diag_open(), .a = cak_arena_open("lab") };
    l.g = cak_graph_open(l.d);
    return l;
}

static void close_lab(lab *l)
{
    cak_graph_close(l->g);
    cak_arena_close(l->a);
    cak_diag_close(l->d);
}

static void must(lab *l, bool ok)
{
    if (!ok) cak_diag_print(l->d, stderr);
    ck_assert_msg(ok, "the case does not build");
}

const char *graph_errors(const graph_case *c)
{
    static char text[8192];
    lab l = open_lab();
    FILE *f = fmemopen(text, sizeof text - 1, "w");
    memset(text, 0, sizeof text);
    build(&l, c);
    cak_diag_print(l.d, f);
    fclose(f);
    close_lab(&l);
    return text;
}

static cak_exec *make_exec(lab *l, const cak_ref *out, int n)
{
    cak_exec *e = cak_exec_open(l->a, cak_plan(l->a, l->g, out, n), NULL);
    for (int i = 0; i < l->n_leaves; i++) cak_exec_bind(e, l->leaf[i].name, l->leaf[i].buf);
    return e;
}

/* Run at x + t v. */
static void run_at(lab *l, cak_exec *e, double t)
{
    static const cak_clock clock = { 5, 11 };
    for (int i = 0; i < l->n_leaves; i++)
        for (int64_t k = 0; k < l->leaf[i].n; k++) l->leaf[i].buf[k] = (real)(l->leaf[i].x[k] + t * l->leaf[i].v[k]);
    cak_exec_run(e, &clock);
}

const real *graph_eval(const graph_case *c, cak_shape *shape)
{
    static real *result[2];
    static int turn;
    lab l = open_lab();
    must(&l, build(&l, c));
    cak_exec *e = make_exec(&l, &l.y, 1);
    run_at(&l, e, 0);
    if (shape) *shape = *cak_shape_of(l.g, l.y);
    size_t bytes = (size_t)cak_shape_size(cak_shape_of(l.g, l.y)) * sizeof(real);
    turn = 1 - turn;
    result[turn] = realloc(result[turn], bytes);
    memcpy(result[turn], cak_exec_data(e, l.y), bytes);
    cak_exec_close(e);
    close_lab(&l);
    return result[turn];
}

/* s = <u, y>; u is a further leaf, so that order 2 also differentiates with respect to the cotangent. */
static cak_ref weighted(lab *l, const graph_case *c)
{
    cak_shape shape = *cak_shape_of(l->g, l->y);
    leaf *u = add_leaf(l, "cotangent", cak_input(l->g, "cotangent", &shape, false), &shape);
    fill(u->x, u->n, (uint64_t)c->seed + 3, "cotangent", 0.5, 1.5, 0);
    return cak_sum(l->g, cak_mul(l->g, l->y, u->ref));
}

/* <ds/dleaf, direction> summed over the leaves, as a graph; directions are inputs named "dir.<leaf>". */
static cak_ref derivative(lab *l, const graph_case *c, cak_ref s, int round)
{
    cak_ref total = cak_const(l->g, 0), x[MAX_LEAVES], gx[MAX_LEAVES];
    int n = 0, at[MAX_LEAVES], leaves = l->n_leaves;
    for (int i = 0; i < leaves; i++)
        if (!l->leaf[i].fixed) at[n] = i, x[n++] = l->leaf[i].ref;
    must(l, cak_gradients(l->g, s, x, n, gx));
    for (int i = 0; i < n; i++) {
        if (cak_is_none(gx[i])) continue;
        cak_shape shape = *cak_shape_of(l->g, x[i]);
        const char *name = cak_arena_print(l->a, "dir%d.%s", round, l->leaf[at[i]].name);
        leaf *dir = add_leaf(l, name, cak_input(l->g, name, &shape, false), &shape);
        fill(dir->x, dir->n, (uint64_t)(c->seed + round), name, -1, 1, 0);
        dir->fixed = true;
        total = cak_add(l->g, total, cak_sum(l->g, cak_mul(l->g, gx[i], dir->ref)));
    }
    return total;
}

static double value_at(lab *l, cak_exec *e, cak_ref s, double t)
{
    run_at(l, e, t);
    return (double)cak_exec_data(e, s)[0];
}

/* d value / dt by five points. */
static double difference(lab *l, cak_exec *e, cak_ref s, double h)
{
    return (8 * (value_at(l, e, s, h) - value_at(l, e, s, -h)) - (value_at(l, e, s, 2 * h) - value_at(l, e, s, -2 * h))) /
           (12 * h);
}

double gradcheck_error(const graph_case *c, int order)
{
    double worst = 0;
    for (int k = 0; k < DIRECTIONS; k++) {
        lab l = open_lab();
        must(&l, build(&l, c));
        cak_ref s = weighted(&l, c), ds;
        for (int i = 1; i < order; i++) s = derivative(&l, c, s, 100 * k + i);
        int leaves = l.n_leaves;
        ds = derivative(&l, c, s, 100 * k + order);
        cak_ref out[2] = { s, ds };
        cak_exec *e = make_exec(&l, out, 2);
        double analytic = value_at(&l, e, ds, 0);
        ck_assert_msg(analytic == value_at(&l, e, ds, 0), "two evaluations differ");
        for (int i = leaves; i < l.n_leaves; i++) { /* move the leaves along the directions of the last derivative */
            const char *name = strchr(l.leaf[i].name, '.') + 1;
            for (int j = 0; j < leaves; j++)
                if (!l.leaf[j].fixed && !strcmp(l.leaf[j].name, name)) l.leaf[j].v = l.leaf[i].x;
        }
        double numeric = difference(&l, e, s, c->h ? c->h : 1e-4), scale = fabs(numeric) > 1e-3 ? fabs(numeric) : 1e-3;
        double error = fabs(analytic - numeric) / scale;
        if (!(error <= worst)) worst = error;
        cak_exec_close(e);
        close_lab(&l);
    }
    return worst;
}

void gradcheck(const graph_case *c)
{
    for (int order = 1; order <= 2; order++) {
        double error = gradcheck_error(c, order);
        ck_assert_msg(error <= 1e-6, "derivative of order %d of %s: relative error %.2e\n%s", order, c->out, error, c->yaml);
    }
}
