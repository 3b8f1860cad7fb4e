/* Partition of a graph into units that run in one pass each: which values are computed together, and which are kept in memory.
**
** A value is *stored* at least where something else than a fused pass reads it. Of the others, those that are cheap to compute from few
** values in memory are computed again by every unit that needs them: reading z once more costs what reading z - mean costs. What is left
** are the *roots*; each joins a unit with which it shares memory traffic, or starts one. A unit runs later than all it reads from
** outside (its level is greater than theirs), so no path leaves a unit and comes back. A root that only its own unit reads is not stored
** after all. */
#include "graph/fuse.h"

#include <stdlib.h>
#include <string.h>

#include "graph/sum.h"

enum {
    MOST_READS = 2,  /* values in memory of the full size from which a value may be computed again */
    MOST_STEPS = 16, /* element-wise operations that computing it again may take */
    MOST_ONCE = 20,  /* ... and for a value with one reader: two of them and a root fit into a unit */
    SMALL = 4096,    /* elements; such values stay where they are computed */
    YOUNGEST = 64,   /* units that are tried for a root, for each value that it reads */
    MAX_DEPS = CAK_FUSE_SLOTS - CAK_FUSE_VALUES
};

extern const cak_node cak_node_expand, cak_node_reduce_sum;

typedef struct list {
    int *v, n, cap;
} list;

typedef struct group { /* a unit that grows */
    cak_shape shape;
    cak_rows rows;
    int stage, level;
    bool fused, read; /* read: another unit needs it, so that its level is final */
    list roots, cone; /* values that it computes for good; values that it computes again */
    list reads;       /* values from outside */
    list after;       /* units that it reads */
} group;

typedef struct fuser {
    cak_arena *a;
    const cak_graph *g;
    const bool *run, *keep;
    const int *stage;
    int size;
    int *root, *same;                         /* by id: through all aliases; through those that keep the shape */
    bool *kernel;                             /* by id: cannot be fused */
    bool *stored;                             /* by id */
    bool *again;                              /* by id: computed by every unit that needs it */
    int *readers, *reader;                    /* by id: number of values that read it; one of them */
    int (*read)[MOST_READS], *n_read, *steps; /* by id of a value computed again: what from */
    int *unit;                                /* by id: the unit that computes it, -1 */
    list *near;                               /* by id: units that read or compute it */
    int *mark, marks;                         /* by id: visited */
    group *group;
    int n_groups, cap_groups;
} fuser;

static const cak_value *value(const fuser *f, int id) { return cak_graph_value(f->g, (cak_ref){ id }); }
static void *by_id(fuser *f, size_t item) { return cak_arena_alloc(f->a, ((size_t)f->size + 1) * item); }

static void append(fuser *f, list *l, int v)
{
    l->v = cak_arena_grow(f->a, l->v, &l->cap, l->n + 1, sizeof *l->v);
    l->v[l->n++] = v;
}

static bool holds(const list *l, int v)
{
    for (int i = 0; i < l->n; i++)
        if (l->v[i] == v) return true;
    return false;
}

/* The value whose elements a pass for `id` visits: itself, or what it sums. */
static const cak_value *sweep_value(const fuser *f, int id)
{
    const cak_value *v = value(f, id);
    return v->node->map ? v : value(f, v->in[0].id);
}

static bool same_sweep(const cak_value *a, const cak_value *b)
{
    return a->rows == b->rows && cak_shape_equal(&a->shape, &b->shape);
}

/* ---- what can be fused, what must be stored ---- */

static bool can_fuse(const fuser *f, int id)
{
    const cak_value *v = value(f, id);
    if (v->node->map) return true;
    return v->node == &cak_node_reduce_sum && cak_sum_fits(cak_shape_of(f->g, v->in[0]), v->attr);
}

static void find_aliases(fuser *f)
{
    for (int id = 0; id < f->size; id++) {
        const cak_value *v = value(f, id);
        int in = v->n_in ? v->in[0].id : 0;
        f->root[id] = v->node->alias ? f->root[in] : id;
        f->same[id] = v->node->alias && cak_shape_equal(&v->shape, cak_shape_of(f->g, (cak_ref){ in })) ? f->same[in] : id;
    }
}

/* A value stays in registers between values of one sweep only. */
static void find_stored(fuser *f)
{
    for (int id = 0; id < f->size; id++) {
        if (f->keep[id]) f->stored[f->root[id]] = true;
        if (!f->run[id]) continue;
        const cak_value *v = value(f, id);
        f->kernel[id] = !can_fuse(f, id);
        if (f->kernel[id] || !v->node->map) f->stored[id] = true;
        for (int k = 0; k < v->n_in; k++) {
            int in = f->same[v->in[k].id], root = f->root[in];
            f->readers[root]++;
            f->reader[root] = id;
            if (f->kernel[id] || in != root || f->stage[root] != f->stage[id] || !same_sweep(value(f, in), sweep_value(f, id)))
                f->stored[root] = true;
        }
    }
}

static bool in_memory(const fuser *f, int id) { return !f->run[id] || !f->again[id]; }
static bool full_size(const fuser *f, int id, const cak_shape *s)
{
    return cak_shape_size(cak_shape_of(f->g, (cak_ref){ id })) == cak_shape_size(s);
}

/* ---- what is computed again ---- */

static bool add_read(fuser *f, int id, int in)
{
    for (int i = 0; i < f->n_read[id]; i++)
        if (f->read[id][i] == in) return true;
    if (f->n_read[id] == MOST_READS) return false;
    f->read[id][f->n_read[id]++] = in;
    return true;
}

/* From which values in memory, in how many steps? False when it is too much. */
static bool count_reads(fuser *f, int id)
{
    const cak_value *v = value(f, id);
    bool few = v->node->cheap || v->node == &cak_node_expand;
    f->steps[id] = 1;
    for (int k = 0; k < v->n_in; k++) {
        int in = f->same[v->in[k].id];
        if (in_memory(f, in)) {
            if (full_size(f, in, &v->shape)) few = add_read(f, id, in) && few;
            continue;
        }
        f->steps[id] += f->steps[in];
        for (int i = 0; i < f->n_read[in]; i++) few = add_read(f, id, f->read[in][i]) && few;
    }
    return few && f->steps[id] <= MOST_STEPS && cak_shape_size(&v->shape) > SMALL;
}

/* A value with one reader is computed once in any case if that reader is. */
static void find_again(fuser *f)
{
    bool *once = by_id(f, sizeof *once);
    for (int id = f->size - 1; id >= 0; id--) {
        int r = f->reader[id];
        once[id] = f->run[id] && (f->stored[id] || (f->readers[id] == 1 && once[r]));
    }
    for (int id = 0; id < f->size; id++)
        if (f->run[id] && !f->stored[id]) f->again[id] = count_reads(f, id) || (once[id] && f->steps[id] <= MOST_ONCE);
}

/* ---- roots join units ---- */

typedef struct need { /* what a root is computed from */
    list cone, reads;
} need;

static void visit(fuser *f, int id, need *n, list *todo)
{
    const cak_value *v = value(f, id);
    for (int k = 0; k < v->n_in; k++) {
        int in = f->same[v->in[k].id];
        if (f->mark[in] == f->marks) continue;
        f->mark[in] = f->marks;
        append(f, in_memory(f, in) ? &n->reads : &n->cone, in);
        if (!in_memory(f, in)) append(f, todo, in);
    }
}

static void find_need(fuser *f, int id, need *n, list *todo)
{
    n->cone.n = n->reads.n = todo->n = 0;
    f->marks++;
    visit(f, id, n, todo);
    while (todo->n) visit(f, todo->v[--todo->n], n, todo);
}

static int unit_of(const fuser *f, int id) { return f->unit[f->root[id]]; }

/* Smallest level at which unit `u` (-1: a new one) could run with what `n` adds to it. */
static int level_with(const fuser *f, int u, const need *n)
{
    int level = u < 0 ? 1 : f->group[u].level;
    for (int i = 0; i < n->reads.n; i++) {
        int from = unit_of(f, n->reads.v[i]);
        if (from >= 0 && from != u && f->group[from].level >= level) level = f->group[from].level + 1;
    }
    return level;
}

/* Values that the unit would have with those that are not there yet. */
static int count_new(const list *have, const list *more)
{
    int n = have->n;
    for (int i = 0; i < more->n; i++) n += !holds(have, more->v[i]);
    return n;
}

static bool may_join(const fuser *f, int u, int id, const need *n)
{
    const group *p = &f->group[u];
    const cak_value *v = sweep_value(f, id);
    if (!p->fused || p->stage != f->stage[id] || p->rows != v->rows || !cak_shape_equal(&p->shape, &v->shape)) return false;
    if (p->roots.n + 1 + count_new(&p->cone, &n->cone) > CAK_FUSE_VALUES || count_new(&p->reads, &n->reads) > MAX_DEPS)
        return false;
    for (int i = 0; i < n->reads.n; i++) /* its own value in another shape is not ready while the unit runs */
        if (unit_of(f, n->reads.v[i]) == u && f->unit[n->reads.v[i]] != u) return false;
    return !p->read || level_with(f, u, n) == p->level;
}

/* The unit with which the root shares most of what it reads; the youngest of equals. */
static int best_unit(fuser *f, int id, const need *n)
{
    int best = -1, most = 0;
    const cak_shape *shape = &sweep_value(f, id)->shape;
    for (int i = 0; i < n->reads.n; i++) {
        const list *near = &f->near[n->reads.v[i]];
        for (int k = near->n > YOUNGEST ? near->n - YOUNGEST : 0; k < near->n && full_size(f, n->reads.v[i], shape); k++) {
            int u = near->v[k], shared = 0;
            for (int j = i; j < n->reads.n; j++)
                if (full_size(f, n->reads.v[j], shape)) shared += holds(&f->near[n->reads.v[j]], u);
            if ((shared > most || (shared == most && u > best)) && may_join(f, u, id, n)) best = u, most = shared;
        }
    }
    return best;
}

static int new_unit(fuser *f, int id)
{
    f->group = cak_arena_grow(f->a, f->group, &f->cap_groups, f->n_groups + 1, sizeof *f->group);
    bool fused = !f->kernel[id];
    const cak_value *v = fused ? sweep_value(f, id) : value(f, id);
    f->group[f->n_groups] = (group){ .shape = v->shape, .rows = v->rows, .stage = f->stage[id], .level = 1, .fused = fused };
    return f->n_groups++;
}

static void join(fuser *f, int u, int id, const need *n)
{
    group *p = &f->group[u];
    p->level = level_with(f, u, n);
    for (int i = 0; i < n->reads.n; i++) {
        int in = n->reads.v[i], from = unit_of(f, in);
        if (!holds(&p->reads, in)) append(f, &p->reads, in);
        if (!holds(&f->near[in], u)) append(f, &f->near[in], u);
        if (from < 0 || from == u) continue;
        f->group[from].read = true;
        if (!holds(&p->after, from)) append(f, &p->after, from);
    }
    for (int i = 0; i < n->cone.n; i++)
        if (!holds(&p->cone, n->cone.v[i])) append(f, &p->cone, n->cone.v[i]);
    append(f, &p->roots, id);
    append(f, &f->near[id], u);
    f->unit[id] = u;
}

/* A root that no other unit reads needs no memory. */
static void find_unstored(fuser *f)
{
    bool *outside = by_id(f, sizeof *outside);
    for (int u = 0; u < f->n_groups; u++)
        for (int i = 0; i < f->group[u].reads.n; i++) {
            int root = f->root[f->group[u].reads.v[i]];
            if (f->unit[root] != u) outside[root] = true;
        }
    for (int id = 0; id < f->size; id++)
        if (f->run[id] && !f->again[id]) f->stored[id] |= outside[id];
}

/* ---- the result ---- */

static int by_id_order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static cak_unit finish_unit(cak_arena *a, const group *p)
{
    cak_unit u = { cak_arena_alloc(a, (size_t)(p->roots.n + p->cone.n) * sizeof *u.id), p->roots.n + p->cone.n };
    memcpy(u.id, p->roots.v, (size_t)p->roots.n * sizeof *u.id);
    if (p->cone.n) memcpy(u.id + p->roots.n, p->cone.v, (size_t)p->cone.n * sizeof *u.id);
    qsort(u.id, (size_t)u.n, sizeof *u.id, by_id_order);
    return u;
}

/* Depth first: what a unit reads comes just before it. */
static void order_units(fuser *f, cak_arena *a, cak_units *out)
{
    int *stack = cak_arena_alloc(f->a, ((size_t)f->n_groups + 1) * sizeof *stack);
    int *next = cak_arena_alloc(f->a, ((size_t)f->n_groups + 1) * sizeof *next);
    bool *seen = cak_arena_alloc(f->a, (size_t)f->n_groups + 1);
    for (int u = 0; u < f->n_groups; u++) {
        int top = 0;
        if (!seen[u]) seen[u] = true, stack[top++] = u;
        while (top) {
            const group *p = &f->group[stack[top - 1]];
            int *i = &next[stack[top - 1]];
            while (*i < p->after.n && seen[p->after.v[*i]]) ++*i;
            if (*i < p->after.n) {
                seen[p->after.v[*i]] = true;
                stack[top++] = p->after.v[*i];
            } else {
                out->unit[out->n++] = finish_unit(a, p);
                top--;
            }
        }
    }
}

static void find_units(fuser *f)
{
    need n = { 0 };
    list todo = { 0 };
    for (int id = 0; id < f->size; id++) {
        if (!f->run[id] || f->again[id]) continue;
        find_need(f, id, &n, &todo);
        int u = f->kernel[id] ? -1 : best_unit(f, id, &n);
        join(f, u < 0 ? new_unit(f, id) : u, id, &n);
    }
    find_unstored(f);
}

static void open_fuser(fuser *f)
{
    f->root = by_id(f, sizeof *f->root);
    f->same = by_id(f, sizeof *f->same);
    f->kernel = by_id(f, sizeof *f->kernel);
    f->stored = by_id(f, sizeof *f->stored);
    f->again = by_id(f, sizeof *f->again);
    f->readers = by_id(f, sizeof *f->readers);
    f->reader = by_id(f, sizeof *f->reader);
    f->read = by_id(f, sizeof *f->read);
    f->n_read = by_id(f, sizeof *f->n_read);
    f->steps = by_id(f, sizeof *f->steps);
    f->unit = by_id(f, sizeof *f->unit);
    f->near = by_id(f, sizeof *f->near);
    f->mark = by_id(f, sizeof *f->mark);
    for (int id = 0; id < f->size; id++) f->unit[id] = -1;
    find_aliases(f);
}

cak_units cak_fuse(cak_arena *a, const cak_graph *g, const bool *run, const bool *keep, const int *stage, bool fuse)
{
    fuser f = { .a = cak_arena_open("fusion"), .g = g, .run = run, .keep = keep, .stage = stage, .size = cak_graph_size(g) };
    cak_units out = { .stored = cak_arena_alloc(a, (size_t)f.size + 1) };
    open_fuser(&f);
    if (fuse) {
        find_stored(&f);
        find_again(&f);
    } else {
        for (int id = 0; id < f.size; id++) f.kernel[id] = f.stored[id] = run[id];
    }
    find_units(&f);
    for (int id = 0; id < f.size; id++) out.stored[id] = run[id] && f.stored[id];
    out.unit = cak_arena_alloc(a, ((size_t)f.n_groups + 1) * sizeof *out.unit);
    order_units(&f, a, &out);
    cak_arena_close(f.a);
    return out;
}
