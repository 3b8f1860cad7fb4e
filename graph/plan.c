/* From a graph to a program: an order of execution, lifetimes, and offsets in one slab.
**
** Values that are only another view of a value (reshape, detach) share its buffer; an element-wise node may take over the buffer of an
** input that dies with it. Several orders are tried and the one with the lowest peak of live bytes is kept; the order cannot change a
** result, because each kernel owns its output. */
#include "graph/plan.h"
#include "graph/text.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

typedef struct planner {
    cak_arena *a;
    const cak_graph *g;
    cak_program *p;
    int size;            /* values of the graph */
    bool *live, *pinned; /* by id; pinned: an output lives in this buffer */
    int *root;           /* id of the value that owns the buffer */
    int *uses;           /* uses of each buffer by live values */
} planner;

static size_t value_bytes(const cak_graph *g, int id)
{
    size_t n = (size_t)cak_shape_size(cak_shape_of(g, (cak_ref){ id })) * sizeof(real);
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static bool external(const cak_graph *g, int id) { return cak_value_name(g, (cak_ref){ id }) != NULL; }
static const cak_value *value(const planner *q, int id) { return cak_graph_value(q->g, (cak_ref){ id }); }

static void find_live(planner *q, const cak_ref *out, int n)
{
    for (int i = 0; i < n; i++)
        if (!cak_is_none(out[i])) q->live[out[i].id] = true;
    for (int id = q->size - 1; id >= 0; id--)
        for (int k = 0; q->live[id] && k < value(q, id)->n_in; k++) q->live[value(q, id)->in[k].id] = true;
    for (int id = 0; id < q->size; id++) {
        q->root[id] = value(q, id)->node->alias ? q->root[value(q, id)->in[0].id] : id;
        for (int k = 0; q->live[id] && !value(q, id)->node->alias && k < value(q, id)->n_in; k++)
            q->uses[q->root[value(q, id)->in[k].id]]++;
    }
    for (int i = 0; i < n; i++)
        if (!cak_is_none(out[i])) q->pinned[q->root[out[i].id]] = true;
}

static bool needs_kernel(const planner *q, int id) { return q->live[id] && !value(q, id)->node->alias && !external(q->g, id); }

/* ---- orders ---- */

static int creation_order(planner *q, int *order)
{
    int n = 0;
    for (int id = 0; id < q->size; id++)
        if (needs_kernel(q, id)) order[n++] = id;
    return n;
}

/* Depth first from the outputs: what an output needs is computed just before it. An explicit stack; graphs are deep. */
static int depth_order(planner *q, const cak_ref *out, int n_out, int *order)
{
    bool *done = cak_arena_alloc(q->a, (size_t)q->size + 1);
    int *stack = cak_arena_alloc(q->a, ((size_t)q->size + 1) * sizeof *stack);
    int *next = cak_arena_alloc(q->a, ((size_t)q->size + 1) * sizeof *next), n = 0;
    for (int i = 0; i < n_out; i++) {
        int top = 0;
        if (cak_is_none(out[i]) || done[out[i].id]) continue;
        stack[top++] = out[i].id;
        while (top) {
            int id = stack[top - 1];
            if (!done[id] && next[id] < value(q, id)->n_in) {
                int in = value(q, id)->in[next[id]++].id;
                if (!done[in]) stack[top++] = in;
                continue;
            }
            top--;
            if (done[id]) continue;
            done[id] = true;
            if (needs_kernel(q, id)) order[n++] = id;
        }
    }
    return n;
}

/* Bytes that appear minus bytes that can be given back when value `id` is computed now. */
static int64_t growth(const planner *q, int id, const int *left)
{
    const cak_value *v = value(q, id);
    int64_t bytes = (int64_t)value_bytes(q->g, id);
    for (int k = 0; k < v->n_in; k++) {
        int r = q->root[v->in[k].id], here = 0, before = 0;
        for (int j = 0; j < v->n_in; j++) {
            here += q->root[v->in[j].id] == r;
            before += j < k && q->root[v->in[j].id] == r;
        }
        if (!before && left[r] == here && !q->pinned[r] && !external(q->g, r)) bytes -= (int64_t)value_bytes(q->g, r);
    }
    return bytes;
}

/* Who reads each buffer: users[start[r] .. start[r + 1]), one entry per use; waits[id]: uses by id of what is not computed yet. */
typedef struct readers {
    int *start, *users, *waits;
} readers;

static readers find_readers(planner *q, const int *order, int n)
{
    size_t room = (size_t)q->size + 2;
    readers w = { cak_arena_alloc(q->a, room * sizeof(int)), NULL, cak_arena_alloc(q->a, room * sizeof(int)) };
    int *fill = cak_arena_alloc(q->a, room * sizeof(int));
    for (int id = 0; id < q->size; id++) w.start[id + 1] = fill[id + 1] = w.start[id] + q->uses[id];
    w.users = cak_arena_alloc(q->a, ((size_t)w.start[q->size] + 1) * sizeof(int));
    for (int t = 0; t < n; t++) {
        const cak_value *v = value(q, order[t]);
        for (int k = 0; k < v->n_in; k++) {
            int r = q->root[v->in[k].id];
            w.users[fill[r]++] = order[t];
            w.waits[order[t]] += !external(q->g, r);
        }
    }
    return w;
}

/* Index in `ready` of the value after which the least memory is in use; the oldest of equals. */
static int pick(const planner *q, const int *ready, int n, const int *left)
{
    int best = 0;
    int64_t best_growth = growth(q, ready[0], left);
    for (int i = 1; i < n; i++) {
        int64_t grow = growth(q, ready[i], left);
        if (grow < best_growth || (grow == best_growth && ready[i] < ready[best])) best = i, best_growth = grow;
    }
    return best;
}

/* List scheduling: of the values that can be computed, take the one that `pick` finds. */
static int greedy_order(planner *q, int *order)
{
    int n = 0, n_ready = 0, total = creation_order(q, order);
    readers w = find_readers(q, order, total);
    int *left = cak_arena_alloc(q->a, ((size_t)q->size + 1) * sizeof *left);
    int *ready = cak_arena_alloc(q->a, ((size_t)total + 1) * sizeof *ready);
    memcpy(left, q->uses, (size_t)q->size * sizeof *left);
    for (int t = 0; t < total; t++)
        if (!w.waits[order[t]]) ready[n_ready++] = order[t];
    while (n_ready) {
        int best = pick(q, ready, n_ready, left), id = ready[best];
        ready[best] = ready[--n_ready];
        for (int k = 0; k < value(q, id)->n_in; k++) left[q->root[value(q, id)->in[k].id]]--;
        for (int u = w.start[id]; u < w.start[id + 1]; u++)
            if (!--w.waits[w.users[u]]) ready[n_ready++] = w.users[u];
        order[n++] = id;
    }
    CAK_CHECK(n == total);
    return n;
}

/* ---- buffers ---- */

/* Lifetimes of the buffers in an order; a taken-over buffer is one buffer with a longer life. Returns the number of buffers. */
static int assign_buffers(planner *q, const int *order, int n, cak_buffer *buf, int *of)
{
    int *left = cak_arena_alloc(q->a, ((size_t)q->size + 1) * sizeof *left), n_buf = 0;
    memcpy(left, q->uses, (size_t)q->size * sizeof *left);
    for (int id = 0; id < q->size; id++) of[id] = -1;
    for (int t = 0; t < n; t++) {
        int id = order[t];
        const cak_value *v = value(q, id);
        for (int k = 0; k < v->n_in; k++) {
            int r = q->root[v->in[k].id];
            left[r]--;
            if (of[r] >= 0 && buf[of[r]].last < t) buf[of[r]].last = t;
        }
        for (int k = 0; k < v->n_in && v->node->in_place && of[id] < 0; k++) {
            int r = q->root[v->in[k].id];
            bool fits = of[r] >= 0 && !left[r] && !q->pinned[r] && value_bytes(q->g, r) == value_bytes(q->g, id);
            for (int j = 0; j < v->n_in && fits; j++)
                if (q->root[v->in[j].id] == r) fits = cak_shape_size(cak_shape_of(q->g, v->in[j])) == cak_shape_size(&v->shape);
            if (fits) of[id] = of[r];
        }
        if (of[id] < 0) {
            of[id] = n_buf++;
            buf[of[id]] = (cak_buffer){ value_bytes(q->g, id), 0, t, t };
        }
        buf[of[id]].last = q->pinned[id] ? n : t;
    }
    return n_buf;
}

static size_t peak_bytes(const cak_buffer *buf, int n_buf, int n, cak_arena *a)
{
    int64_t *delta = cak_arena_alloc(a, ((size_t)n + 2) * sizeof *delta), now = 0, peak = 0;
    for (int i = 0; i < n_buf; i++) {
        delta[buf[i].first] += (int64_t)buf[i].bytes;
        delta[buf[i].last + 1] -= (int64_t)buf[i].bytes;
    }
    for (int t = 0; t <= n; t++) {
        now += delta[t];
        if (now > peak) peak = now;
    }
    return (size_t)peak;
}

static int by_size(const void *a, const void *b)
{
    const cak_buffer *x = *(cak_buffer *const *)a, *y = *(cak_buffer *const *)b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes) - (x->bytes > y->bytes) : (x > y) - (x < y);
}

/* Large buffers first, each at the lowest offset where it meets no buffer that lives at the same time. Returns the size of the slab. */
static size_t place_buffers(planner *q, cak_buffer *buf, int n)
{
    cak_buffer **todo = cak_arena_alloc(q->a, ((size_t)n + 1) * sizeof *todo);
    cak_buffer **placed = cak_arena_alloc(q->a, ((size_t)n + 1) * sizeof *placed);
    size_t slab = 0;
    for (int i = 0; i < n; i++) todo[i] = &buf[i];
    qsort(todo, (size_t)n, sizeof *todo, by_size);
    for (int i = 0; i < n; i++) {
        cak_buffer *b = todo[i];
        size_t offset = 0;
        for (int k = 0; k < i; k++) { /* placed[] is sorted by offset */
            const cak_buffer *c = placed[k];
            if (c->last < b->first || c->first > b->last) continue;
            if (c->offset >= offset + b->bytes) break;
            if (c->offset + c->bytes > offset) offset = c->offset + c->bytes;
        }
        b->offset = offset;
        if (offset + b->bytes > slab) slab = offset + b->bytes;
        int k = i;
        for (; k > 0 && placed[k - 1]->offset > offset; k--) placed[k] = placed[k - 1];
        placed[k] = b;
    }
    return slab;
}

static cak_site value_site(const cak_graph *g, const cak_value *v)
{
    cak_site s = { .attr = v->attr, .n_in = v->n_in, .y = CAK_NONE, .y_shape = v->shape };
    for (int k = 0; k < v->n_in; k++) {
        s.in[k] = v->in[k];
        s.in_shape[k] = *cak_shape_of(g, v->in[k]);
    }
    return s;
}

static void count_values(planner *q)
{
    cak_program *p = q->p;
    for (int id = 0; id < q->size; id++) {
        if (!q->live[id]) continue;
        const cak_value *v = value(q, id);
        bool sample_in = false;
        p->info.values++;
        for (int k = 0; k < v->n_in; k++) sample_in |= value(q, v->in[k].id)->rows == CAK_ROWS_SAMPLE;
        p->info.folds += sample_in && v->rows == CAK_ROWS_SHARED;
        p->info.mixed += v->rows == CAK_ROWS_MIXED;
        if (external(q->g, id)) p->info.external += value_bytes(q->g, id);
        else if (!v->node->alias) p->info.sum += value_bytes(q->g, id);
        if (needs_kernel(q, id) && v->node->scratch) {
            cak_site s = value_site(q->g, v);
            size_t bytes = (v->node->scratch(&s) + ALIGN - 1) / ALIGN * ALIGN;
            if (bytes > p->info.scratch) p->info.scratch = bytes;
        }
    }
}

cak_program *cak_plan(cak_arena *arena, const cak_graph *g, const cak_ref *out, int n_out)
{
    static const char *const names[] = { "creation", "depth", "greedy" };
    int size = cak_graph_size(g);
    planner q = { .a = cak_arena_open("plan"), .g = g, .size = size };
    size_t room = (size_t)size + 1;
    cak_program *p = q.p = cak_arena_alloc(arena, sizeof *p);
    q.live = cak_arena_alloc(q.a, room);
    q.pinned = cak_arena_alloc(q.a, room);
    q.uses = cak_arena_alloc(q.a, room * sizeof(int));
    q.root = cak_arena_alloc(arena, room * sizeof(int));
    *p = (cak_program){ .g = g, .root = q.root, .n_out = n_out };
    p->out = memcpy(cak_arena_alloc(arena, (size_t)(n_out + 1) * sizeof *out), out, (size_t)n_out * sizeof *out);
    p->order = cak_arena_alloc(arena, room * sizeof(int));
    p->of = cak_arena_alloc(arena, room * sizeof(int));
    p->buf = cak_arena_alloc(arena, room * sizeof *p->buf);
    find_live(&q, out, n_out);
    count_values(&q);
    int *order = cak_arena_alloc(q.a, room * sizeof(int)), *of = cak_arena_alloc(q.a, room * sizeof(int));
    cak_buffer *buf = cak_arena_alloc(q.a, room * sizeof *buf);
    for (int k = 0; k < 3; k++) {
        int n = k == 0 ? creation_order(&q, order) : k == 1 ? depth_order(&q, out, n_out, order) : greedy_order(&q, order);
        int n_buf = assign_buffers(&q, order, n, buf, of);
        size_t peak = peak_bytes(buf, n_buf, n, q.a), slab = place_buffers(&q, buf, n_buf);
        if (k > 0 && slab >= p->info.slab) continue;
        p->n = p->info.kernels = n;
        p->n_buf = n_buf;
        p->info.slab = slab;
        p->info.peak = peak;
        p->info.order = names[k];
        memcpy(p->order, order, (size_t)n * sizeof *order);
        memcpy(p->of, of, (size_t)size * sizeof *of);
        memcpy(p->buf, buf, (size_t)n_buf * sizeof *buf);
    }
    cak_arena_close(q.a);
    return p;
}

cak_plan_info cak_program_info(const cak_program *p) { return p->info; }

char *cak_program_text(cak_arena *a, const cak_program *p)
{
    const cak_plan_info *i = &p->info;
    char *text = cak_arena_print(
        a,
        "values %d, kernels %d, folds over samples %d, mixed %d\n"
        "slab %zu bytes (live peak %zu), scratch %zu, sum of all tensors %zu, parameters and inputs %zu, order %s\n"
        "step  value  %-14s %12s %12s  first-last  shape\n",
        i->values, i->kernels, i->folds, i->mixed, i->slab, i->peak, i->scratch, i->sum, i->external, i->order, "node", "bytes",
        "offset");
    cak_text_builder b = { .a = a };
    cak_text_add(&b, "%s", text);
    for (int t = 0; t < p->n; t++) {
        const cak_value *v = cak_graph_value(p->g, (cak_ref){ p->order[t] });
        const cak_buffer *u = &p->buf[p->of[p->order[t]]];
        char shape[CAK_SHAPE_TEXT];
        cak_text_add(&b, "%4d  %%%-5d %-14s %12zu %12zu  %5d-%-5d %s\n", t, p->order[t], v->node->name, u->bytes, u->offset,
                     u->first, u->last, cak_shape_text(&v->shape, shape));
    }
    return cak_text_done(&b);
}
