/* Run a program: kernels in order over one slab; nothing is allocated. */
#include "graph/exec.h"

#include <math.h>
#include <string.h>

#include "graph/plan.h"

struct cak_exec {
    const cak_program *p;
    char *slab;
    size_t own;     /* bytes of an own slab, 0 when it is the caller's */
    real **data;    /* by value id */
    cak_work *work; /* by step */
    bool made;      /* work[] fits the bindings */
};

static real **pointer_of(cak_exec *e, int id) { return &e->data[e->p->root[id]]; }

cak_exec *cak_exec_open(cak_arena *a, const cak_program *p, void *slab)
{
    cak_exec *e = cak_arena_alloc(a, sizeof *e);
    int size = cak_graph_size(p->g);
    *e = (cak_exec){ .p = p, .slab = slab };
    if (!slab) {
        e->own = p->info.slab + p->info.scratch;
        e->slab = cak_slab_alloc(e->own, "tensors of a program");
    }
    e->data = cak_arena_alloc(a, ((size_t)size + 1) * sizeof *e->data);
    e->work = cak_arena_alloc(a, ((size_t)p->n + 1) * sizeof *e->work);
    for (int id = 0; id < size; id++)
        if (p->of[id] >= 0) e->data[id] = (real *)(e->slab + p->buf[p->of[id]].offset);
    return e;
}

void cak_exec_close(cak_exec *e)
{
    if (e && e->own) cak_slab_free(e->slab, e->own);
}

bool cak_exec_bind(cak_exec *e, const char *name, const real *data)
{
    bool found = false;
    e->made = false;
    for (int id = 0; id < cak_graph_size(e->p->g); id++) {
        const char *have = cak_value_name(e->p->g, (cak_ref){ id });
        if (!have || strcmp(have, name)) continue;
        e->data[id] = (real *)data;
        found = true;
    }
    return found;
}

static void make_work(cak_exec *e, int step)
{
    const cak_graph *g = e->p->g;
    const cak_value *v = cak_graph_value(g, (cak_ref){ e->p->order[step] });
    cak_work *w = &e->work[step];
    *w = (cak_work){ .n_in = v->n_in, .attr = v->attr, .y = { v->shape, *pointer_of(e, e->p->order[step]) } };
    w->scratch = e->slab + e->p->info.slab;
    for (int k = 0; k < v->n_in; k++) {
        w->in[k] = (cak_view){ *cak_shape_of(g, v->in[k]), *pointer_of(e, v->in[k].id) };
        CAK_CHECK(w->in[k].data != NULL); /* every input and parameter was bound */
    }
}

/* Shapes and pointers change with the bindings alone, so they are not looked up again at every run. */
static void make_all(cak_exec *e)
{
    for (int t = 0; t < e->p->n && !e->made; t++) make_work(e, t);
    e->made = true;
}

static void run_step(cak_exec *e, int step, const cak_clock *clock)
{
    cak_work *w = &e->work[step];
    w->clock = clock;
    cak_graph_value(e->p->g, (cak_ref){ e->p->order[step] })->node->run(w);
}

void cak_exec_run(cak_exec *e, const cak_clock *clock)
{
    make_all(e);
    for (int t = 0; t < e->p->n; t++) run_step(e, t, clock);
}

const real *cak_exec_data(const cak_exec *e, cak_ref out) { return cak_is_none(out) ? NULL : e->data[e->p->root[out.id]]; }

static bool find_bad(const real *x, int64_t n, int64_t *index, double *bad)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return *index = i, *bad = (double)x[i], true;
    return false;
}

cak_ref cak_exec_find_nonfinite(cak_exec *e, const cak_clock *clock, int64_t *index, double *bad)
{
    for (int id = 0; id < cak_graph_size(e->p->g); id++) /* what came from outside first */
        if (cak_value_name(e->p->g, (cak_ref){ id }) && e->data[id] &&
            find_bad(e->data[id], cak_shape_size(cak_shape_of(e->p->g, (cak_ref){ id })), index, bad))
            return (cak_ref){ id };
    make_all(e);
    for (int t = 0; t < e->p->n; t++) {
        cak_ref y = { e->p->order[t] };
        run_step(e, t, clock);
        if (find_bad(e->work[t].y.data, cak_shape_size(cak_shape_of(e->p->g, y)), index, bad)) return y;
    }
    return CAK_NONE;
}
