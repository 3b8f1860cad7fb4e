/* The append-only, hash-consed list of values: shape inference, sample rows, inputs, parameters, module calls. */
#include "graph/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/attr_types.h"
#include "graph/build.h"

extern const cak_node cak_node_input, cak_node_param;

struct cak_graph {
    cak_arena *arena;
    cak_diag *diag;
    bool failed; /* sticky: after the first error nothing is appended */
    cak_value *value;
    int n, cap;
    int *table; /* open addressing: value id + 1, 0 is empty */
    int table_size;
    cak_where where;
    const char *scope;
    cak_param_info *param;
    int n_params, cap_params;
};

cak_graph *cak_graph_open(cak_diag *d)
{
    cak_arena *a = cak_arena_open("graph");
    cak_graph *g = cak_arena_alloc(a, sizeof *g);
    g->arena = a;
    g->diag = d;
    g->scope = "";
    g->where.label = "";
    return g;
}

void cak_graph_close(cak_graph *g)
{
    if (g) cak_arena_close(g->arena);
}

cak_arena *cak_graph_arena(cak_graph *g) { return g->arena; }
cak_diag *cak_graph_diag(const cak_graph *g) { return g->diag; }
int cak_graph_size(const cak_graph *g) { return g->n; }
bool cak_graph_failed(const cak_graph *g) { return g->failed; }
void cak_graph_recover(cak_graph *g) { g->failed = false; }

const cak_value *cak_graph_value(const cak_graph *g, cak_ref r)
{
    CAK_CHECK(r.id >= 0 && r.id < g->n);
    return &g->value[r.id];
}

const cak_shape *cak_shape_of(const cak_graph *g, cak_ref x)
{
    static const cak_shape none = { 0 };
    return cak_is_none(x) ? &none : &cak_graph_value(g, x)->shape;
}

int64_t cak_dim(const cak_graph *g, cak_ref x, int axis)
{
    const cak_shape *s = cak_shape_of(g, x);
    return axis < s->rank ? s->dim[axis] : 0;
}

static bool fail(cak_graph *g, cak_code code, const char *fmt, va_list ap)
{
    if (g->failed) return false;
    char text[1024];
    vsnprintf(text, sizeof text, fmt, ap);
    g->failed = true;
    if (g->where.label[0]) return cak_error(g->diag, code, g->where.origin, "%s: %s", g->where.label, text);
    return cak_error(g->diag, code, g->where.origin, "%s", text);
}

bool cak_fail(cak_graph *g, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail(g, CAK_E3005, fmt, ap);
    va_end(ap);
    return false;
}

bool cak_fail_code(cak_graph *g, cak_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail(g, code, fmt, ap);
    va_end(ap);
    return false;
}

cak_where cak_graph_at(cak_graph *g, cak_pos origin, const char *label)
{
    cak_where old = g->where;
    g->where = (cak_where){ origin, cak_arena_text(g->arena, label ? label : "") };
    return old;
}

void cak_graph_restore(cak_graph *g, cak_where w) { g->where = w; }

const char *cak_graph_scope(cak_graph *g, const char *scope)
{
    const char *old = g->scope;
    g->scope = cak_arena_text(g->arena, scope);
    return old;
}

/* ---- hash-consing ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

static uint64_t value_hash(const cak_value *v)
{
    uint64_t h = mix(0, (uint64_t)(uintptr_t)v->node);
    h = mix(h, cak_attr_hash(v->node->attr, v->attr));
    for (int i = 0; i < v->n_in; i++) h = mix(h, (uint64_t)(uint32_t)v->in[i].id);
    return h;
}

static bool value_equal(const cak_value *a, const cak_value *b)
{
    if (a->node != b->node || a->n_in != b->n_in) return false;
    for (int i = 0; i < a->n_in; i++)
        if (a->in[i].id != b->in[i].id) return false;
    return cak_attr_equal(a->node->attr, a->attr, b->attr);
}

static int *table_slot(const cak_graph *g, const cak_value *v)
{
    uint64_t mask = (uint64_t)g->table_size - 1, i = value_hash(v) & mask;
    while (g->table[i] && !value_equal(&g->value[g->table[i] - 1], v)) i = (i + 1) & mask;
    return &g->table[i];
}

static void table_grow(cak_graph *g)
{
    if (2 * (g->n + 1) <= g->table_size) return;
    g->table_size = g->table_size ? 2 * g->table_size : 256;
    g->table = cak_arena_alloc(g->arena, (size_t)g->table_size * sizeof *g->table);
    for (int i = 0; i < g->n; i++) *table_slot(g, &g->value[i]) = i + 1;
}

/* ---- append ---- */

static void fill_site(const cak_graph *g, const cak_value *v, cak_site *s)
{
    *s = (cak_site){ .attr = v->attr, .n_in = v->n_in, .y = CAK_NONE, .y_shape = v->shape };
    for (int i = 0; i < v->n_in; i++) {
        s->in[i] = v->in[i];
        if (!cak_is_none(v->in[i])) s->in_shape[i] = g->value[v->in[i].id].shape;
    }
}

/* Row b of y reads row b of the inputs, where an input has the full rank. A sample axis that moved makes it mixed, and so does one that
** meets as many rows of something else: these cannot be taken apart. */
static cak_rows elementwise_rows(const cak_site *s, const cak_rows *in)
{
    bool samples = false, others = false;
    for (int i = 0; i < s->n_in; i++) {
        if (cak_is_none(s->in[i])) continue;
        bool full = s->in_shape[i].rank == s->y_shape.rank && s->y_shape.rank && s->in_shape[i].dim[0] == s->y_shape.dim[0];
        if (in[i] == CAK_ROWS_MIXED || (in[i] == CAK_ROWS_SAMPLE && !full)) return CAK_ROWS_MIXED;
        samples = samples || in[i] == CAK_ROWS_SAMPLE;
        others = others || (in[i] == CAK_ROWS_SHARED && full && s->y_shape.dim[0] > 1);
    }
    return !samples ? CAK_ROWS_SHARED : others ? CAK_ROWS_MIXED : CAK_ROWS_SAMPLE;
}

cak_rows cak_graph_rows(const cak_graph *g, const cak_value *v)
{
    cak_site s;
    cak_rows in[CAK_MAX_IN] = { 0 };
    fill_site(g, v, &s);
    for (int i = 0; i < v->n_in; i++)
        if (!cak_is_none(v->in[i])) in[i] = g->value[v->in[i].id].rows;
    return v->node->rows ? v->node->rows(&s, in) : elementwise_rows(&s, in);
}

bool cak_graph_infer(cak_graph *g, const cak_value *v, cak_shape *y)
{
    cak_site s;
    fill_site(g, v, &s);
    if (!v->node->shape(g, &s, y)) return false;
    char text[CAK_SHAPE_TEXT];
    return cak_shape_valid(y) ||
           cak_fail(g, "a tensor of shape %s has an empty axis or more than 2^40 elements", cak_shape_text(y, text));
}

void cak_attr_fill(cak_graph *g, const cak_attr *rows, void *attr)
{
    for (; rows && rows->kind != CAK_END; rows++) {
        cak_ref *field = (cak_ref *)((char *)attr + rows->offset);
        if (rows->kind == CAK_VALUE && !rows->optional && !rows->required && cak_is_none(*field))
            *field = cak_const(g, rows->def);
    }
}

/* Texts are copied too: a pass copies attributes out of a graph that may be closed before the new one. */
static const void *copy_attr(cak_graph *g, const cak_node *node, const void *attr)
{
    char *copy = cak_arena_alloc(g->arena, node->attr_size ? node->attr_size : 1);
    if (attr) {
        memcpy(copy, attr, node->attr_size);
        for (const cak_attr *row = node->attr; row && row->kind != CAK_END; row++) {
            const char **text = (const char **)(copy + row->offset);
            if (row->kind == CAK_TEXT && *text) *text = cak_arena_text(g->arena, *text);
        }
    } else if (node->attr) {
        cak_attr_defaults(g->arena, node->attr, copy);
        cak_attr_fill(g, node->attr, copy);
    }
    return copy;
}

cak_ref cak_append(cak_graph *g, const cak_node *node, const void *attr, const cak_ref *in, int n_in)
{
    if (g->failed) return CAK_NONE;
    CAK_CHECK(node->shape && n_in <= CAK_MAX_IN);
    cak_value v = { .node = node, .n_in = n_in, .origin = g->where.origin, .label = g->where.label };
    for (int i = 0; i < n_in; i++) {
        v.in[i] = in[i];
        if (cak_is_none(in[i])) return cak_fail(g, "input %d of %s is not connected", i, node->name), CAK_NONE;
        CAK_CHECK(in[i].id < g->n);
    }
    table_grow(g);
    v.attr = attr; /* look up before copying */
    if (!attr && node->attr_size) v.attr = copy_attr(g, node, NULL);
    int *slot = table_slot(g, &v);
    if (*slot) return (cak_ref){ *slot - 1 };
    if (g->n >= CAK_MAX_VALUES) return cak_fail_code(g, CAK_E3302, "the graph has more than %d values", CAK_MAX_VALUES), CAK_NONE;
    if (!cak_graph_infer(g, &v, &v.shape)) return CAK_NONE;
    v.attr = copy_attr(g, node, v.attr);
    v.rows = cak_graph_rows(g, &v);
    g->value = cak_arena_grow(g->arena, g->value, &g->cap, g->n + 1, sizeof *g->value);
    g->value[g->n++] = v;
    *slot = g->n;
    return (cak_ref){ g->n - 1 };
}

static int count_ports(const cak_port *p)
{
    int n = 0;
    while (p && p[n].name) n++;
    return n;
}

bool cak_apply(cak_graph *g, const cak_node *node, const void *attr, const cak_ref *in, int n_in, cak_ref *out)
{
    int ports = count_ports(node->in), outs = count_ports(node->out);
    for (int i = 0; i < outs; i++) out[i] = CAK_NONE;
    if (g->failed) return false;
    if (n_in > ports)
        return cak_fail_code(g, CAK_E3004, "%s takes %d input%s, got %d", node->name, ports, ports == 1 ? "" : "s", n_in);
    for (int i = 0; i < ports; i++)
        if (!node->in[i].optional && (i >= n_in || cak_is_none(in[i])))
            return cak_fail_code(g, CAK_E3004, "%s needs input '%s' (%s)", node->name, node->in[i].name, node->in[i].doc);
    if (node->stage) return cak_fail_code(g, CAK_E3007, "%s reads data and belongs into the `data` section", node->name);
    if (!node->expand) {
        out[0] = cak_append(g, node, attr, in, n_in);
        return !g->failed;
    }
    cak_site s = { .attr = attr ? attr : copy_attr(g, node, NULL), .n_in = n_in, .y = CAK_NONE };
    for (int i = 0; i < CAK_MAX_IN; i++) {
        s.in[i] = i < n_in ? in[i] : CAK_NONE;
        s.in_shape[i] = *cak_shape_of(g, s.in[i]);
    }
    node->expand(g, &s, out);
    return !g->failed;
}

/* ---- inputs, parameters, other nodes ---- */

cak_ref cak_input(cak_graph *g, const char *name, const cak_shape *shape, bool per_sample)
{
    cak_leaf_attr a = { name, *shape, per_sample };
    for (int i = 0; i < g->n; i++) { /* one memory cannot be bound to two shapes */
        const char *have = cak_value_name(g, (cak_ref){ i });
        if (have && !strcmp(have, name) && !cak_attr_equal(cak_node_input.attr, g->value[i].attr, &a))
            return cak_fail(g, "input '%s' exists with another shape", name), CAK_NONE;
    }
    return cak_append(g, &cak_node_input, &a, NULL, 0);
}

const char *cak_value_name(const cak_graph *g, cak_ref r)
{
    const cak_value *v = cak_graph_value(g, r);
    if (v->node != &cak_node_input && v->node != &cak_node_param) return NULL;
    return ((const cak_leaf_attr *)v->attr)->name;
}

int cak_graph_params(const cak_graph *g) { return g->n_params; }
const cak_param_info *cak_graph_param(const cak_graph *g, int i) { return &g->param[i]; }

cak_ref cak_param(cak_graph *g, const char *name, const cak_shape *shape, cak_init init)
{
    if (g->failed) return CAK_NONE;
    const char *full = g->scope[0] ? cak_arena_print(g->arena, "%s.%s", g->scope, name) : cak_arena_text(g->arena, name);
    for (int i = 0; i < g->n_params; i++) {
        cak_param_info *p = &g->param[i];
        if (strcmp(p->name, full)) continue;
        if (cak_shape_equal(&p->shape, shape)) return p->ref;
        char old[CAK_SHAPE_TEXT], new[CAK_SHAPE_TEXT];
        cak_fail(g, "parameter '%s' is %s in one call and %s in another", full, cak_shape_text(&p->shape, old),
                 cak_shape_text(shape, new));
        return CAK_NONE;
    }
    cak_leaf_attr a = { full, *shape, false };
    cak_ref r = cak_append(g, &cak_node_param, &a, NULL, 0);
    if (cak_is_none(r)) return r;
    g->param = cak_arena_grow(g->arena, g->param, &g->cap_params, g->n_params + 1, sizeof *g->param);
    g->param[g->n_params++] = (cak_param_info){ full, r, *shape, init, g->where.origin };
    return r;
}

/* Write one attribute of a C caller into the struct; the row decides the type. */
static void set_attr(const cak_node *node, void *attr, const cak_set *set)
{
    const cak_attr *row = node->attr;
    while (row && row->kind != CAK_END && strcmp(row->name, set->key)) row++;
    CAK_CHECK(row && row->kind != CAK_END);
    void *field = (char *)attr + row->offset;
    switch (row->kind) {
    case CAK_INT: *(int64_t *)field = (int64_t)set->num; break;
    case CAK_NUM: *(double *)field = set->num; break;
    case CAK_BOOL: *(bool *)field = set->num != 0; break;
    case CAK_ENUM: *(int32_t *)field = (int32_t)set->num; break;
    case CAK_TEXT: *(const char **)field = set->text; break;
    case CAK_VALUE: *(cak_ref *)field = set->value; break;
    case CAK_MODULE: *(const cak_module **)field = set->module; break;
    default: CAK_CHECK(!"attribute kinds that C callers can set"); break;
    }
}

cak_ref cak_use(cak_graph *g, const char *type, const char *scope, const cak_set *set, cak_ref x)
{
    if (g->failed) return CAK_NONE;
    const cak_node *node = cak_node_find(type);
    CAK_CHECK(node != NULL);
    void *attr = cak_arena_alloc(g->arena, node->attr_size ? node->attr_size : 1);
    if (node->attr) cak_attr_defaults(g->arena, node->attr, attr);
    for (; set && set->key; set++) set_attr(node, attr, set);
    cak_attr_fill(g, node->attr, attr);
    const char *old = g->scope;
    cak_where where = g->where;
    if (scope) g->scope = old[0] ? cak_arena_print(g->arena, "%s.%s", old, scope) : cak_arena_text(g->arena, scope);
    g->where.label = cak_arena_print(g->arena, "%s%s%s", where.label, where.label[0] ? "." : "", scope ? scope : type);
    cak_ref out[CAK_MAX_OUT];
    cak_apply(g, node, attr, &x, 1, out);
    g->scope = old;
    g->where = where;
    return out[0];
}

cak_ref cak_call(cak_graph *g, const cak_module *m, const char *port, const cak_ref *in, int n)
{
    if (g->failed) return CAK_NONE;
    CAK_CHECK(m != NULL);
    int k = 0, ports = count_ports(m->in);
    while (m->out[k].name && port && strcmp(m->out[k].name, port)) k++;
    if (!m->out[k].name) return cak_fail_code(g, CAK_E3007, "module '%s' has no output '%s'", m->name, port), CAK_NONE;
    if (n > ports) n = ports; /* a module may ask for less than the caller offers (a critic without control) */
    cak_ref out[CAK_MAX_OUT];
    for (int i = 0; i < CAK_MAX_OUT; i++) out[i] = CAK_NONE;
    if (!m->expand(g, m, in, n, out)) return CAK_NONE;
    return out[k];
}
