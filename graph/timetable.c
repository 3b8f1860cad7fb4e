/* From steps to a timetable: several orders are tried, and the one that needs the smallest slab is kept. The order cannot change a result,
** because each kernel owns its output. An element-wise kernel may take over the buffer of an input that dies with it. */
#include "graph/timetable.h"

#include <stdlib.h>
#include <string.h>

typedef struct planner {
    cak_arena *a;
    int values, n;
    const cak_step_io *step;
    const size_t *bytes;
    const bool *pinned;
    int *uses;   /* by value: steps that read it */
    int *writer; /* by value: step that fills it */
} planner;

/* ---- orders: permutations of the steps ---- */

static void creation_order(planner *q, int *order)
{
    for (int t = 0; t < q->n; t++) order[t] = t;
}

/* Depth first from the pinned values: what a value needs is computed just before it. An explicit stack; graphs are deep. */
static void depth_order(planner *q, int *order)
{
    size_t room = (size_t)q->n + 1;
    bool *done = cak_arena_alloc(q->a, room);
    int *stack = cak_arena_alloc(q->a, room * sizeof *stack), *next = cak_arena_alloc(q->a, room * sizeof *next), n = 0;
    for (int root = 0; root < q->n; root++) {
        int top = 0;
        bool wanted = root == q->n - 1;
        for (int k = 0; k < q->step[root].n_write; k++) wanted = wanted || q->pinned[q->step[root].write[k]];
        if (wanted && !done[root]) stack[top++] = root;
        while (top) {
            int t = stack[top - 1];
            if (!done[t] && next[t] < q->step[t].n_read) {
                int from = q->writer[q->step[t].read[next[t]++]];
                if (!done[from]) stack[top++] = from;
                continue;
            }
            top--;
            if (!done[t]) order[n++] = t;
            done[t] = true;
        }
    }
    for (int t = 0; t < q->n; t++) /* steps that no pinned value needs */
        if (!done[t]) order[n++] = t;
}

/* Bytes that appear minus bytes that can be given back when step t runs now. */
static int64_t growth(const planner *q, int t, const int *left)
{
    const cak_step_io *s = &q->step[t];
    int64_t bytes = 0;
    for (int k = 0; k < s->n_write; k++) bytes += (int64_t)q->bytes[s->write[k]];
    for (int k = 0; k < s->n_read; k++)
        if (left[s->read[k]] == 1 && !q->pinned[s->read[k]]) bytes -= (int64_t)q->bytes[s->read[k]];
    return bytes;
}

/* Index in `ready` of the step after which the least memory is in use; the oldest of equals. */
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

/* Readers of each value: reader[start[v] .. start[v + 1]). */
static int *find_readers(planner *q, int **start)
{
    size_t room = (size_t)q->values + 2;
    int *fill = cak_arena_alloc(q->a, room * sizeof *fill);
    *start = cak_arena_alloc(q->a, room * sizeof **start);
    for (int v = 0; v < q->values; v++) (*start)[v + 1] = fill[v + 1] = (*start)[v] + q->uses[v];
    int *reader = cak_arena_alloc(q->a, ((size_t)(*start)[q->values] + 1) * sizeof *reader);
    for (int t = 0; t < q->n; t++)
        for (int k = 0; k < q->step[t].n_read; k++) reader[fill[q->step[t].read[k]]++] = t;
    return reader;
}

/* List scheduling: of the steps that can run, take the one that `pick` finds. */
static void greedy_order(planner *q, int *order)
{
    size_t room = (size_t)q->n + 1;
    int *start, *reader = find_readers(q, &start), n = 0, n_ready = 0;
    int *left = cak_arena_alloc(q->a, ((size_t)q->values + 1) * sizeof *left);
    int *ready = cak_arena_alloc(q->a, room * sizeof *ready), *waits = cak_arena_alloc(q->a, room * sizeof *waits);
    memcpy(left, q->uses, (size_t)q->values * sizeof *left);
    for (int t = 0; t < q->n; t++)
        if (!(waits[t] = q->step[t].n_read)) ready[n_ready++] = t;
    while (n_ready) {
        int best = pick(q, ready, n_ready, left), t = ready[best];
        ready[best] = ready[--n_ready];
        for (int k = 0; k < q->step[t].n_read; k++) left[q->step[t].read[k]]--;
        for (int k = 0; k < q->step[t].n_write; k++)
            for (int u = start[q->step[t].write[k]]; u < start[q->step[t].write[k] + 1]; u++)
                if (!--waits[reader[u]]) ready[n_ready++] = reader[u];
        order[n++] = t;
    }
    CAK_CHECK(n == q->n);
}

/* ---- buffers ---- */

/* The buffer that result `write` of a step can take over from a value that the step reads last, or -1. */
static int take_over(const planner *q, const cak_step_io *s, int write, const int *left, const bool *taken)
{
    for (int k = 0; k < s->n_over; k++) {
        int in = s->over[k][1];
        bool free = s->over[k][0] == write && !left[in] && !q->pinned[in] && q->bytes[in] == q->bytes[write];
        if (free && !taken[in]) return in;
    }
    return -1;
}

/* Lifetimes in an order; a taken-over buffer is one buffer with a longer life. Returns the number of buffers. */
static int assign_buffers(planner *q, const int *order, cak_buffer *buf, int *of)
{
    int *left = cak_arena_alloc(q->a, ((size_t)q->values + 1) * sizeof *left), n = 0;
    bool *taken = cak_arena_alloc(q->a, (size_t)q->values + 1);
    memcpy(left, q->uses, (size_t)q->values * sizeof *left);
    for (int v = 0; v < q->values; v++) of[v] = -1;
    for (int t = 0; t < q->n; t++) {
        const cak_step_io *s = &q->step[order[t]];
        for (int k = 0; k < s->n_read; k++) {
            left[s->read[k]]--;
            if (buf[of[s->read[k]]].last < t) buf[of[s->read[k]]].last = t;
        }
        for (int k = 0; k < s->n_write; k++) {
            int v = s->write[k], old = take_over(q, s, v, left, taken), b = of[v] = old >= 0 ? of[old] : n++;
            if (old >= 0) taken[old] = true;
            else buf[b] = (cak_buffer){ q->bytes[v], 0, t, t };
            buf[b].last = q->pinned[v] ? q->n : t;
        }
    }
    return n;
}

static size_t peak_bytes(const planner *q, const cak_buffer *buf, int n_buf)
{
    int64_t *delta = cak_arena_alloc(q->a, ((size_t)q->n + 2) * sizeof *delta), now = 0, peak = 0;
    for (int i = 0; i < n_buf; i++) {
        delta[buf[i].first] += (int64_t)buf[i].bytes;
        delta[buf[i].last + 1] -= (int64_t)buf[i].bytes;
    }
    for (int t = 0; t <= q->n; t++) {
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

static void count_uses(planner *q)
{
    for (int t = 0; t < q->n; t++) {
        for (int k = 0; k < q->step[t].n_read; k++) q->uses[q->step[t].read[k]]++;
        for (int k = 0; k < q->step[t].n_write; k++) q->writer[q->step[t].write[k]] = t;
    }
}

cak_timetable cak_timetable_of(cak_arena *a, int values, const cak_step_io *step, int n, const size_t *bytes, const bool *pinned)
{
    static const struct {
        const char *name;
        void (*make)(planner *q, int *order);
    } orders[] = { { "creation", creation_order }, { "depth", depth_order }, { "greedy", greedy_order } };
    size_t room = (size_t)values + 1, steps = (size_t)n + 1;
    planner q = { cak_arena_open("plan"), values, n, step, bytes, pinned, NULL, NULL };
    q.uses = cak_arena_alloc(q.a, room * sizeof(int));
    q.writer = cak_arena_alloc(q.a, room * sizeof(int));
    count_uses(&q);
    cak_timetable best = { .step = cak_arena_alloc(a, steps * sizeof *best.step), .n = n };
    best.of = cak_arena_alloc(a, room * sizeof(int));
    best.buf = cak_arena_alloc(a, room * sizeof *best.buf);
    int *order = cak_arena_alloc(q.a, steps * sizeof(int)), *of = cak_arena_alloc(q.a, room * sizeof(int));
    cak_buffer *buf = cak_arena_alloc(q.a, room * sizeof *buf);
    for (int k = 0; k < 3; k++) {
        orders[k].make(&q, order);
        int n_buf = assign_buffers(&q, order, buf, of);
        size_t slab = place_buffers(&q, buf, n_buf);
        if (k > 0 && slab >= best.slab) continue;
        best.n_buf = n_buf, best.slab = slab, best.order = orders[k].name;
        best.peak = peak_bytes(&q, buf, n_buf);
        for (int t = 0; t < n; t++) best.step[t] = step[order[t]];
        memcpy(best.of, of, (size_t)values * sizeof *of);
        memcpy(best.buf, buf, (size_t)n_buf * sizeof *buf);
    }
    cak_arena_close(q.a);
    return best;
}
