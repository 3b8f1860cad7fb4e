/* Expressions of inputs: a name, a number, or type(expression, ...). */
#include <math.h>
#include <string.h>

#include "graph/builder.h"
#include "graph/number.h"

typedef struct parser {
    cak_builder *b;
    const char *s;
    cak_pos at;
    int depth;
    const char *whole;
} parser;

static void skip_space(parser *p) { p->s += strspn(p->s, " \t"); }

static cak_ref bad(parser *p, const char *why)
{
    cak_error(p->b->d, CAK_E3006, p->at, "malformed expression '%s': %s", p->whole, why);
    return CAK_NONE;
}

static bool word_char(char c)
{
    return c && (strchr("_.-", c) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
}

static cak_ref parse(parser *p);

static cak_ref parse_call(parser *p, const char *type)
{
    cak_ref in[CAK_MAX_IN], out[CAK_MAX_OUT];
    int n = 0;
    bool ok = true;
    p->s++; /* ( */
    for (;;) {
        if (n == CAK_MAX_IN) return bad(p, "too many inputs");
        in[n] = parse(p);
        ok = ok && !cak_is_none(in[n++]);
        skip_space(p);
        if (*p->s != ',') break;
        p->s++;
    }
    if (*p->s != ')') return ok ? bad(p, "')' expected") : CAK_NONE;
    p->s++;
    const cak_node *node = cak__type_find(p->b, type, p->at);
    if (!node || !ok) return CAK_NONE;
    for (const cak_attr *row = node->attr; row && row->kind != CAK_END; row++)
        if (row->required)
            return bad(p, cak_arena_print(p->b->a, "%s needs the attribute '%s'; give it a node of its own", type, row->name));
    void *attr = cak_arena_alloc(p->b->a, node->attr_size ? node->attr_size : 1);
    if (node->attr) cak_attr_defaults(p->b->a, node->attr, attr);
    cak_attr_fill(p->b->g, node->attr, attr);
    cak_where old = cak_graph_at(p->b->g, p->at, p->whole);
    int params = cak_graph_params(p->b->g);
    if (!cak_apply(p->b->g, node, attr, in, n, out)) out[0] = CAK_NONE;
    cak_graph_restore(p->b->g, old);
    if (cak_graph_params(p->b->g) > params) /* whose name would they bear? */
        return bad(p, cak_arena_print(p->b->a, "%s has parameters; give it a node of its own", type));
    return out[0];
}

static cak_ref parse(parser *p)
{
    skip_space(p);
    const char *from = p->s;
    while (word_char(*p->s) || (*p->s == '+' && p->s > from && (p->s[-1] == 'e' || p->s[-1] == 'E'))) p->s++;
    if (p->s == from) return bad(p, "a name or a number expected");
    char *word = cak_arena_print(p->b->a, "%.*s", (int)(p->s - from), from);
    double v;
    skip_space(p);
    if (*p->s == '(') {
        if (++p->depth > 16) return bad(p, "nested deeper than 16");
        cak_ref r = parse_call(p, word);
        p->depth--;
        return r;
    }
    cak_number kind = cak_number_real(word, &v);
    if (kind == CAK_NUMBER_LARGE || kind == CAK_NUMBER_SMALL) return bad(p, "a number is out of range");
    if (kind == CAK_NUMBER_OK && isfinite(v)) return cak_const(p->b->g, v);
    return cak__builder_name(p->b, word, p->at);
}

cak_ref cak_builder_value(cak_builder *b, const char *expr, cak_pos at)
{
    if (!expr) return CAK_NONE; /* could not be read; reported where it was */
    parser p = { .b = b, .s = expr, .at = at, .whole = expr };
    cak_ref r = parse(&p);
    if (cak_graph_failed(b->g)) {
        cak_graph_recover(b->g);
        return CAK_NONE;
    }
    skip_space(&p);
    if (!cak_is_none(r) && *p.s) return bad(&p, "something follows after its end");
    return r;
}
