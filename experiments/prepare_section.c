/* Reads the data section; builds and runs its chain. */
#include "experiments/prepare_section.h"

#include <math.h>
#include <string.h>

#include "graph/build.h"
#include "graph/exec.h"
#include "graph/number.h"
#include "graph/text.h"

/* ---- roles ---- */

/* The type of a node; errors of chain nodes are left to the builder. */
static const cak_node *type_of(const cak_yaml *n)
{
    const cak_yaml *type = n->kind == CAK_YAML_MAP ? cak_yaml_get(n, "type") : NULL;
    return type && type->kind == CAK_YAML_SCALAR ? cak_node_find(type->text) : NULL;
}

static bool is_source(const cak_node *n) { return n && n->stage && n->stage->open_source; }
static bool is_loader(const cak_node *n) { return n && n->stage && n->stage->open_loader; }

static bool take_role(cak_section *s, cak_yaml *n, const cak_node *node, const char *role, cak_yaml **place,
                      const cak_node **type)
{
    if (*place) {
        cak_error(s->d, CAK_E3004, n->key_pos, "'%s' is a second %s; a data section has one", n->key, role);
        cak_note(s->d, (*place)->key_pos, "'%s' is the first", (*place)->key);
        return false;
    }
    *place = n;
    *type = node;
    return true;
}

static bool find_roles(cak_section *s)
{
    bool ok = true;
    cak_yaml_each (n, s->data) {
        const cak_node *type = type_of(n);
        s->unsure = s->unsure || !type;
        if (is_source(type)) ok = take_role(s, n, type, "source", &s->source, &s->source_node) && ok;
        if (is_loader(type)) ok = take_role(s, n, type, "loader", &s->loader, &s->loader_node) && ok;
    }
    if (s->loader || s->unsure) return ok;
    return cak_error(s->d, CAK_E1204, s->data->pos, "the data section has no loader, such as `batch: {type: pair_loader, ...}`");
}

/* ---- attributes of stages ---- */

static bool read_attr(cak_section *s, cak_yaml *map, const cak_node *node, const void **out)
{
    void *attr = cak_arena_alloc(s->a, node->attr_size);
    *out = attr;
    const char *what = cak_arena_print(s->a, "'%s' (type %s)", map->key, node->name);
    int n = 2;
    for (const cak_attr *row = node->attr; row->kind != CAK_END; row++) n++;
    const char **known = cak_arena_alloc(s->a, (size_t)(n + 1) * sizeof *known);
    known[0] = "type", known[1] = "inputs";
    for (int i = 2; i < n; i++) known[i] = node->attr[i - 2].name;
    cak_yaml_get(map, "type")->used = true;
    cak_yaml *inputs = cak_yaml_get(map, "inputs");
    if (inputs) inputs->used = true;
    bool ok = cak_config_read(s->a, s->d, map, node->attr, attr, what, NULL, NULL);
    return cak_config_unused(s->d, map, what, known) && ok;
}

static bool source_inputs(const cak_section *s)
{
    const cak_yaml *none = s->source ? cak_yaml_get(s->source, "inputs") : NULL;
    return !none || !none->n || cak_error(s->d, CAK_E3004, none->pos, "%s takes no inputs", s->source_node->name);
}

/* `inputs: [x]`; a loader without ports takes none. */
static bool loader_inputs(cak_section *s)
{
    cak_yaml *list = cak_yaml_get(s->loader, "inputs");
    int wanted = s->loader_node->in[0].name ? 1 : 0, given = list ? list->n : 0;
    if (list && list->kind != CAK_YAML_LIST) return cak_error(s->d, CAK_E1201, list->pos, "`inputs` must be a list");
    if (given != wanted)
        return cak_error(s->d, CAK_E3004, list ? list->pos : s->loader->key_pos, "%s takes %d input%s, got %d",
                         s->loader_node->name, wanted, wanted == 1 ? "" : "s", given);
    if (!wanted) return true;
    if (list->child->kind != CAK_YAML_SCALAR)
        return cak_error(s->d, CAK_E1201, list->child->pos, "an input is a name or an expression");
    s->input = list->child;
    if (s->source || s->unsure) return s->source != NULL;
    return cak_error(s->d, CAK_E1204, s->data->pos,
                     "the data section has no source, such as `clips: {type: load_audio, path: ...}`");
}

enum { STAND_IN_LENGTH = 1 << 16 };

/* The mistakes of a chain whose source or loader has mistakes. Where the length of a clip is not known, shapes say nothing; where it is
** not sure what the source is, names do not. */
static void check_chain(const cak_section *s, bool roles)
{
    cak_source_info info;
    bool length =
        s->source_read && s->source_node->stage->open_source(s->a, s->d, s->source_attr, s->source->key_pos, NULL, &info);
    cak_diag_mute(s->d, CAK_E3005, !length);
    cak_diag_mute(s->d, CAK_E3002, !roles || !s->source);
    cak_chain_close(cak_chain_open(s, s->input, length ? info.length : STAND_IN_LENGTH, true));
    cak_diag_mute(s->d, CAK_E3005, false);
    cak_diag_mute(s->d, CAK_E3002, false);
}

bool cak_section_read(cak_arena *a, cak_diag *d, cak_yaml *data, cak_section *s)
{
    *s = (cak_section){ .a = a, .d = d, .data = data };
    data->used = true;
    if (data->kind != CAK_YAML_MAP) return cak_error(d, CAK_E1201, data->pos, "the data section must be a mapping of nodes");
    bool roles = find_roles(s);
    s->source_read = s->source && read_attr(s, s->source, s->source_node, &s->source_attr);
    s->loader_read = s->loader && read_attr(s, s->loader, s->loader_node, &s->loader_attr);
    bool ok = source_inputs(s) & (s->loader && loader_inputs(s));
    if (ok && roles && s->loader_read && (s->source_read || !s->source)) return true;
    check_chain(s, roles);
    return false;
}

const char *cak_section_choice(const cak_node *node, const void *attr, const char *name)
{
    for (const cak_attr *row = node->attr; row->kind != CAK_END; row++) {
        const void *field = (const char *)attr + row->offset;
        if (strcmp(row->name, name)) continue;
        if (row->kind == CAK_ENUM) return row->choices[*(const int32_t *)field];
        if (row->kind == CAK_TEXT) return *(const char *const *)field;
    }
    return NULL;
}

/* ---- the chain as YAML ---- */

static cak_yaml *chain_nodes(const cak_section *s, cak_arena *a)
{
    cak_yaml *map = cak_arena_alloc(a, sizeof *map);
    *map = (cak_yaml){ .kind = CAK_YAML_MAP, .pos = s->data->pos };
    cak_yaml_each (n, s->data) {
        const cak_node *type = type_of(n);
        if (!is_source(type) && !is_loader(type)) cak_yaml_append(map, cak_yaml_clone(a, n));
    }
    return map;
}

const char *cak_section_chain_text(const cak_section *s)
{
    const char *input = s->input ? s->input->text : "", *source = s->source ? s->source->key : "";
    return cak_arena_print(s->a, "%s -> %s\n%s", source, input, cak_yaml_print(s->a, chain_nodes(s, s->a)));
}

static bool is_computed(const cak_yaml *node, const char *key)
{
    const cak_yaml *v = cak_yaml_get(node, key);
    return !v || cak_yaml_null(v) || (v->kind == CAK_YAML_SCALAR && !strcmp(v->text, "auto"));
}

bool cak_section_is_auto(const cak_yaml *node)
{
    const cak_node *type = type_of(node);
    return type && !strcmp(type->name, "normalise") && (is_computed(node, "low") || is_computed(node, "high"));
}

void cak_section_set(cak_arena *a, cak_yaml *node, const char *key, double value)
{
    char text[CAK_NUMBER_TEXT];
    if (!is_computed(node, key)) return;
    cak_yaml *old = cak_yaml_get(node, key), *v = cak_arena_alloc(a, sizeof *v);
    *v = (cak_yaml){ .kind = CAK_YAML_SCALAR, .pos = node->pos, .text = cak_arena_text(a, cak_number_text(value, text)) };
    if (old) {
        cak_yaml_assign(old, v);
    } else {
        v->key = cak_arena_text(a, key);
        v->key_pos = node->pos;
        cak_yaml_append(node, v);
    }
}

/* ---- the chain as a program ---- */

struct cak_chain {
    cak_arena *a;
    cak_graph *g;
    cak_exec *exec;
    cak_ref out;
    cak_shape shape;
    real *signal;
    size_t bytes;
    cak_clock clock;
};

/* [1,...] with up to three axes behind: right-aligned to [C,F,T]. */
static bool result_shape(const cak_section *s, const cak_yaml *expr, const cak_shape *y, cak_shape *out)
{
    char text[CAK_SHAPE_TEXT];
    if (y->rank < 2 || y->rank > 4 || y->dim[0] != 1)
        return cak_error(s->d, CAK_E2004, expr->pos, "the chain gives %s for one clip; [1,T], [1,F,T] or [1,C,F,T] is needed",
                         cak_shape_text(y, text));
    *out = CAK_SHAPE(1, 1, 1);
    for (int i = 1; i < y->rank; i++) out->dim[3 - y->rank + i] = y->dim[i];
    return true;
}

static bool build(const cak_section *s, const cak_yaml *expr, int64_t length, bool sketch, cak_chain *c)
{
    cak_yaml *nodes = chain_nodes(s, c->a);
    cak_yaml_each (n, nodes) {
        if (!sketch || !cak_section_is_auto(n)) continue;
        cak_section_set(c->a, n, "low", -1e30);
        cak_section_set(c->a, n, "high", 1e30);
    }
    c->g = cak_graph_open(s->d);
    cak_binding bind = { 0 };
    if (s->source) bind = (cak_binding){ s->source->key, cak_input(c->g, s->source->key, &CAK_SHAPE(1, length), true) };
    cak_builder *b = cak_builder_open(c->g, nodes, NULL, &bind, s->source ? 1 : 0);
    bool ok = !sketch || cak_builder_all(b);
    c->out = expr ? cak_builder_value(b, expr->text, expr->pos) : CAK_NONE;
    if (cak_is_none(c->out) || !ok) return false;
    if (cak_graph_params(c->g))
        return cak_error(s->d, CAK_E2004, cak_graph_param(c->g, 0)->origin, "nodes of the data section cannot have parameters");
    return result_shape(s, expr, cak_shape_of(c->g, c->out), &c->shape);
}

cak_chain *cak_chain_open(const cak_section *s, const cak_yaml *expr, int64_t length, bool sketch)
{
    cak_arena *a = cak_arena_open("chain");
    cak_chain *c = cak_arena_alloc(a, sizeof *c);
    *c = (cak_chain){ .a = a };
    if (!build(s, expr, length, sketch, c)) return cak_chain_close(c), NULL;
    if (sketch) return c;
    c->bytes = (size_t)length * sizeof *c->signal;
    c->signal = cak_slab_alloc(c->bytes, "a signal");
    c->exec = cak_exec_open(a, cak_plan(a, c->g, &c->out, 1), NULL);
    cak_exec_bind(c->exec, s->source->key, c->signal);
    return c;
}

cak_shape cak_chain_shape(const cak_chain *c) { return c->shape; }
real *cak_chain_input(cak_chain *c) { return c->signal; }

const real *cak_chain_run(cak_chain *c)
{
    cak_exec_run(c->exec, &c->clock);
    return cak_exec_data(c->exec, c->out);
}

void cak_chain_close(cak_chain *c)
{
    if (!c) return;
    if (c->signal) cak_slab_free(c->signal, c->bytes);
    if (c->exec) cak_exec_close(c->exec);
    if (c->g) cak_graph_close(c->g);
    cak_arena_close(c->a);
}
