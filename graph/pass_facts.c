/* Facts about samples: which to try, and the graph for samples on which they hold. */
#include <string.h>

#include "graph/pass.h"

static bool sample_input(const cak_graph *g, cak_ref r)
{
    return cak_value_name(g, r) && cak_graph_value(g, r)->rows == CAK_ROWS_SAMPLE;
}

static void add_fact(cak_facts *f, const char *a, const char *b)
{
    if (f->n < CAK_MAX_FACTS) f->fact[f->n++] = (cak_fact){ a, b };
}

cak_facts cak_facts_candidates(const cak_graph *g, const cak_ref *out, int n)
{
    cak_facts f = { .n = 0 };
    cak_arena *a = cak_arena_open("facts");
    const bool *live = cak_pass_live(g, out, n, a);
    for (int i = 0; i < cak_graph_size(g); i++) {
        cak_ref x = { i };
        if (!live[i] || !sample_input(g, x)) continue;
        const cak_shape *s = cak_shape_of(g, x);
        if (cak_shape_size(s) == s->dim[0]) add_fact(&f, cak_value_name(g, x), NULL);
        for (int k = 0; k < i; k++)
            if (live[k] && sample_input(g, (cak_ref){ k }) && cak_shape_equal(cak_shape_of(g, (cak_ref){ k }), s))
                add_fact(&f, cak_value_name(g, (cak_ref){ k }), cak_value_name(g, x));
    }
    cak_arena_close(a);
    return f;
}

static bool known_zero(const cak_facts *f, const char *name)
{
    for (int i = 0; i < f->n; i++)
        if (!f->fact[i].b && !strcmp(f->fact[i].a, name)) return true;
    return false;
}

/* Is r the other side of an equality that names `name`? */
static bool known_equal(const cak_facts *f, const char *name, const char *other)
{
    for (int i = 0; i < f->n; i++) {
        const cak_fact *e = &f->fact[i];
        if (e->b && ((!strcmp(e->a, name) && !strcmp(e->b, other)) || (!strcmp(e->b, name) && !strcmp(e->a, other)))) return true;
    }
    return false;
}

/* Mark every input that is equal to `id`, over chains of facts too. */
static void spread(const cak_graph *g, const cak_facts *f, int id, int *same)
{
    const char *name = cak_value_name(g, (cak_ref){ id });
    for (int k = 0; k < cak_graph_size(g); k++) {
        const char *other = cak_value_name(g, (cak_ref){ k });
        if (!other || same[k] == same[id] || !known_equal(f, name, other)) continue;
        CAK_CHECK(cak_shape_equal(cak_shape_of(g, (cak_ref){ id }), cak_shape_of(g, (cak_ref){ k })));
        same[k] = same[id];
        spread(g, f, k, same);
    }
}

/* same[id]: the first input that is equal to input id, itself if there is none. */
static int *find_same(const cak_graph *g, const cak_facts *f, cak_arena *a)
{
    int *same = cak_arena_alloc(a, ((size_t)cak_graph_size(g) + 1) * sizeof *same);
    for (int i = 0; i < cak_graph_size(g); i++) same[i] = i;
    for (int i = 0; i < cak_graph_size(g); i++)
        if (cak_value_name(g, (cak_ref){ i }) && same[i] == i) spread(g, f, i, same);
    return same;
}

/* zero[id]: input id, or one that is equal to it, is zero. */
static bool *find_zero(const cak_graph *g, const cak_facts *f, const int *same, cak_arena *a)
{
    bool *zero = cak_arena_alloc(a, (size_t)cak_graph_size(g) + 1);
    for (int i = 0; i < cak_graph_size(g); i++) {
        cak_ref x = { i };
        zero[same[i]] |= sample_input(g, x) && known_zero(f, cak_value_name(g, x));
    }
    return zero;
}

typedef struct known {
    const cak_graph *g;
    const int *same;
    const bool *zero;
} known;

static cak_ref replace(const void *ctx, cak_graph *to, cak_ref old, const cak_value *v, const cak_ref *in, const cak_ref *renamed)
{
    const known *k = ctx;
    int id = k->same[old.id];
    (void)renamed;
    if (k->zero[id]) return cak_expand_samples(to, cak_const(to, 0), &v->shape);
    return cak_pass_keep(to, cak_graph_value(k->g, (cak_ref){ id }), in);
}

cak_graph *cak_pass_facts(const cak_graph *g, cak_ref *out, int n, const cak_facts *facts)
{
    cak_arena *a = cak_arena_open("facts");
    const int *same = find_same(g, facts, a);
    known k = { g, same, find_zero(g, facts, same, a) };
    cak_graph *to = cak_pass_run_far(g, out, n, cak_pass_live(g, out, n, a), replace, &k);
    cak_arena_close(a);
    return to;
}
