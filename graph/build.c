/* From YAML nodes to graph nodes: names, node entries, memory of what was built. Expressions are in expr.c, modules in module.c. */
#include "graph/builder.h"
#include "graph/number.h"

#include <string.h>

static void forget_failure(cak_builder *b)
{
    if (cak_graph_failed(b->g)) cak_graph_recover(b->g);
}

cak_builder *cak_builder_open(cak_graph *g, cak_yaml *nodes, cak_yaml *modules, const cak_binding *bind, int n_bind)
{
    cak_arena *a = cak_graph_arena(g);
    cak_builder *b = cak_arena_alloc(a, sizeof *b);
    *b = (cak_builder){ .g = g, .a = a, .d = cak_graph_diag(g), .nodes = nodes, .bind = bind, .n_bind = n_bind, .prefix = "" };
    b->entry = cak_arena_alloc(a, ((size_t)(nodes ? nodes->n : 0) + 1) * sizeof *b->entry);
    b->modules = cak__modules_open(b, modules);
    return b;
}

/* ---- names ---- */

static int node_index(const cak_builder *b, const char *name, size_t len)
{
    int i = 0;
    for (cak_yaml *n = b->nodes ? b->nodes->child : NULL; n; n = n->next, i++)
        if (strlen(n->key) == len && !memcmp(n->key, name, len)) return i;
    return -1;
}

static bool unknown_name(cak_builder *b, const char *name, cak_pos at)
{
    int n = b->n_bind + (b->nodes ? b->nodes->n : 0), k = 0;
    const char **known = cak_arena_alloc(b->a, ((size_t)n + 1) * sizeof *known);
    for (int i = 0; i < b->n_bind; i++) known[k++] = b->bind[i].name;
    for (cak_yaml *c = b->nodes ? b->nodes->child : NULL; c; c = c->next) known[k++] = c->key;
    const char *near = cak_suggest(name, known, k);
    if (near) return cak_error(b->d, CAK_E3002, at, "'%s' does not exist; did you mean '%s'?", name, near);
    return cak_error(b->d, CAK_E3002, at, "'%s' does not exist", name);
}

/* The output `port` ("" or NULL: the first) of a built node. */
static cak_ref node_port(cak_builder *b, const cak__entry *e, const char *name, const char *port, cak_pos at)
{
    int k = 0;
    while (port && *port && e->out_port[k].name && strcmp(e->out_port[k].name, port)) k++;
    if (!e->out_port[k].name) {
        cak_text_builder list = { .a = b->a };
        for (int i = 0; e->out_port[i].name; i++) cak_text_add(&list, "%s%s", i ? ", " : "", e->out_port[i].name);
        cak_error(b->d, CAK_E3002, at, "'%s' has no output '%s'; its outputs: %s", name, port, cak_text_done(&list));
        return CAK_NONE;
    }
    if (cak_is_none(e->out[k]))
        cak_error(b->d, CAK_E3007, at, "output '%s' of '%s' is not available, because an optional input is not connected",
                  e->out_port[k].name, name);
    return e->out[k];
}

static bool build_entry(cak_builder *b, cak_yaml *node, cak__entry *e);

static cak_yaml *nth_node(const cak_builder *b, int i)
{
    cak_yaml *n = b->nodes->child;
    while (i--) n = n->next;
    return n;
}

/* The names on the way from the first visit of `last` to here, for the message about a cycle. */
static cak_ref report_cycle(cak_builder *b, int last, cak_pos at)
{
    cak_text_builder chain = { .a = b->a };
    int from = 0;
    while (b->visiting[from] != last) from++;
    for (int i = from; i < b->n_visiting; i++) cak_text_add(&chain, "%s -> ", nth_node(b, b->visiting[i])->key);
    cak_error(b->d, CAK_E3003, at, "cycle: %s%s", cak_text_done(&chain), nth_node(b, last)->key);
    return CAK_NONE;
}

static void build_named(cak_builder *b, cak_yaml *node, int i)
{
    cak__entry *e = &b->entry[i];
    e->state = CAK__VISITING;
    b->visiting = cak_arena_grow(b->a, b->visiting, &b->cap_visiting, b->n_visiting + 1, sizeof *b->visiting);
    b->visiting[b->n_visiting++] = i;
    e->state = build_entry(b, node, e) ? CAK__DONE : CAK__FAILED;
    b->n_visiting--;
}

cak_ref cak__builder_name(cak_builder *b, const char *name, cak_pos at)
{
    for (int i = 0; i < b->n_bind; i++)
        if (!strcmp(b->bind[i].name, name)) return b->bind[i].ref;
    const char *dot = strchr(name, '.');
    size_t len = dot ? (size_t)(dot - name) : strlen(name);
    for (int i = 0; i < b->n_bind; i++)
        if (cak_is_none(b->bind[i].ref) && strlen(b->bind[i].name) == len && !strncmp(b->bind[i].name, name, len))
            return CAK_NONE; /* so have its ports */
    int i = node_index(b, name, len);
    if (i < 0) return unknown_name(b, name, at), CAK_NONE;
    cak__entry *e = &b->entry[i];
    cak_yaml *node = nth_node(b, i);
    if (e->state == CAK__VISITING) return report_cycle(b, i, at);
    if (e->state == CAK__NEW) build_named(b, node, i);
    return e->state == CAK__DONE ? node_port(b, e, node->key, dot ? dot + 1 : NULL, at) : CAK_NONE;
}

/* ---- one entry: {type, inputs, attributes} ---- */

/* Inputs as a list in port order or a map by port name. Reports every bad one; returns false when any is bad. */
static bool read_inputs(cak_builder *b, cak_yaml *list, const cak_port *ports, const char *what, cak_ref *in, int *n)
{
    bool ok = true;
    *n = 0;
    for (int i = 0; i < CAK_MAX_IN; i++) in[i] = CAK_NONE;
    if (!list) return true;
    list->used = true;
    if (list->kind == CAK_YAML_SCALAR)
        return cak_error(b->d, CAK_E1201, list->pos, "inputs must be a list: write [%s]", list->text);
    int total = 0;
    while (ports && ports[total].name) total++;
    int i = 0;
    for (cak_yaml *c = list->child; c; c = c->next, i++) {
        c->used = true;
        int k = i;
        if (list->kind == CAK_YAML_MAP) {
            for (k = 0; k < total && strcmp(ports[k].name, c->key); k++) {}
            if (k == total) {
                ok = cak_error(b->d, CAK_E3004, c->key_pos, "%s has no input '%s'", what, c->key);
                continue;
            }
        }
        if (k >= total)
            return cak_error(b->d, CAK_E3004, c->pos, "%s takes %d input%s, got %d", what, total, total == 1 ? "" : "s", list->n);
        if (c->kind != CAK_YAML_SCALAR) {
            ok = cak_error(b->d, CAK_E1201, c->pos, "an input is a name, a number or an expression such as mean(x)");
            continue;
        }
        in[k] = cak_builder_value(b, c->text, c->pos);
        ok = ok && !cak_is_none(in[k]);
        if (k + 1 > *n) *n = k + 1;
    }
    return ok;
}

static bool resolve(void *ctx, const cak_attr *row, const cak_yaml *value, void *field)
{
    cak_builder *b = ctx;
    if (value->kind != CAK_YAML_SCALAR)
        return cak_error(b->d, CAK_E1201, value->pos, "'%s' must be a name or an expression", row->name);
    if (row->kind == CAK_MODULE) {
        const cak_module *m = cak__module_find(b, value->text, value->pos);
        *(const cak_module **)field = m;
        return m != NULL;
    }
    *(cak_ref *)field = cak_builder_value(b, value->text, value->pos);
    return !cak_is_none(*(cak_ref *)field);
}

bool cak__read_attr(cak_builder *b, cak_yaml *map, const cak_node *node, const char *const *extra, void **attr)
{
    *attr = cak_arena_alloc(b->a, node->attr_size ? node->attr_size : 1);
    static const cak_attr none[] = { { .kind = CAK_END } };
    const cak_attr *rows = node->attr ? node->attr : none;
    const char *what = cak_arena_print(b->a, "'%s' (type %s)", map->key ? map->key : node->name, node->name);
    bool ok = cak_config_read(b->a, b->d, map, rows, *attr, what, resolve, b);
    int n = 0, k = 0;
    while (rows[n].kind != CAK_END) n++;
    while (extra[k]) k++;
    const char **known = cak_arena_alloc(b->a, (size_t)(n + k + 1) * sizeof *known);
    for (int i = 0; i < k; i++) known[i] = extra[i];
    for (int i = 0; i < n; i++) known[k + i] = rows[i].name;
    if (!b->repeat) ok = cak_config_unused(b->d, map, what, known) && ok;
    cak_attr_fill(b->g, node->attr, *attr);
    return ok;
}

/* `type` of an entry, marked as read; NULL after an error. */
const char *cak__entry_type(cak_builder *b, cak_yaml *node)
{
    if (node->kind != CAK_YAML_MAP)
        return cak_error(b->d, CAK_E1201, node->pos, "'%s' must be a mapping with a `type`", node->key), NULL;
    cak_yaml *type = cak_yaml_get(node, "type");
    if (!type) return cak_error(b->d, CAK_E1204, node->key_pos, "'%s' has no `type`", node->key), NULL;
    type->used = true;
    if (type->kind != CAK_YAML_SCALAR)
        return cak_error(b->d, CAK_E1201, type->pos, "`type` must be the name of a node type"), NULL;
    return type->text;
}

/* Some attributes can be set by C callers alone. */
static bool made_by_engine(const cak_node *node)
{
    for (const cak_attr *row = node->attr; row && row->kind != CAK_END; row++)
        if (row->kind == CAK_SHAPE_OF) return true;
    return false;
}

const cak_node *cak__type_find(cak_builder *b, const char *type, cak_pos at)
{
    const cak_node *node = cak_node_find(type);
    if (node && !made_by_engine(node)) return node;
    if (node) return cak_error(b->d, CAK_E3001, at, "node type '%s' is made by the engine", type), NULL;
    const char *near = cak_node_suggest(type);
    if (near) cak_error(b->d, CAK_E3001, at, "unknown node type '%s'; did you mean '%s'?", type, near);
    else cak_error(b->d, CAK_E3001, at, "unknown node type '%s'; `cak nodes` lists all", type);
    return NULL;
}

static bool build_call(cak_builder *b, cak_yaml *node, cak__entry *e)
{
    static const char *const known[] = { "type", "module", "inputs", NULL };
    cak_yaml *name = cak_yaml_get(node, "module"), *inputs = cak_yaml_get(node, "inputs");
    if (name) name->used = true;
    if (inputs) inputs->used = true;
    bool ok = b->repeat || cak_config_unused(b->d, node, node->key, known);
    if (!name) return cak_error(b->d, CAK_E1204, node->key_pos, "'%s' (type call) needs `module`", node->key);
    const cak_module *m = name->kind == CAK_YAML_SCALAR ? cak__module_find(b, name->text, name->pos) : NULL;
    if (!m) return false;
    cak_ref in[CAK_MAX_IN];
    int n;
    if (!read_inputs(b, inputs, m->in, cak_arena_print(b->a, "module '%s'", m->name), in, &n) || !ok) return false;
    e->out_port = m->out;
    return m->expand(b->g, m, in, n, e->out);
}

/* A name must be one that expressions can mean. */
static bool good_name(cak_builder *b, const cak_yaml *node)
{
    double v;
    if (!cak_config_name(b->d, node->key, node->key_pos, "node", false)) return false;
    if (cak_number_real(node->key, &v) != CAK_NUMBER_MALFORMED)
        return cak_error(b->d, CAK_E1205, node->key_pos, "'%s' is a number and cannot name a node", node->key);
    for (int i = 0; i < b->n_bind; i++)
        if (!strcmp(b->bind[i].name, node->key))
            return cak_error(b->d, CAK_E1205, node->key_pos, "'%s' is the name of an input and cannot name a node", node->key);
    return true;
}

static bool build_entry(cak_builder *b, cak_yaml *node, cak__entry *e)
{
    static const char *const known[] = { "type", "inputs", NULL };
    const char *type = good_name(b, node) ? cak__entry_type(b, node) : NULL;
    if (!type) return false;
    const char *label = b->prefix[0] ? cak_arena_print(b->a, "%s.%s", b->prefix, node->key) : node->key;
    cak_where old = cak_graph_at(b->g, node->key_pos, label);
    bool ok = false;
    if (!strcmp(type, "call")) {
        ok = build_call(b, node, e);
    } else {
        const cak_node *n = cak__type_find(b, type, cak_yaml_get(node, "type")->pos);
        void *attr;
        cak_ref in[CAK_MAX_IN];
        int n_in;
        cak_yaml *inputs = cak_yaml_get(node, "inputs");
        if (inputs) inputs->used = true;
        if (n) {
            bool good_in = read_inputs(b, inputs, n->in, n->name, in, &n_in);
            bool good_attr = cak__read_attr(b, node, n, known, &attr);
            cak_graph_at(b->g, node->key_pos, label);
            const char *scope = cak_graph_scope(b->g, label);
            e->out_port = n->out;
            ok = good_in && good_attr && cak_apply(b->g, n, attr, in, n_in, e->out);
            cak_graph_scope(b->g, scope);
        }
    }
    forget_failure(b);
    cak_graph_restore(b->g, old);
    return ok;
}

bool cak__build_nodes(cak_builder *b)
{
    bool ok = true;
    int i = 0;
    for (cak_yaml *n = b->nodes ? b->nodes->child : NULL; n; n = n->next, i++) {
        if (b->entry[i].state == CAK__NEW) build_named(b, n, i);
        ok = ok && b->entry[i].state == CAK__DONE;
    }
    return ok;
}

bool cak_builder_all(cak_builder *b)
{
    bool ok = cak__build_nodes(b);
    return cak__modules_check(b) && ok;
}
