/* The graph as text (stable, for reading and golden tests) and as a picture description for Graphviz. */
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"
#include "graph/number.h"
#include "graph/text.h"

static const char *rows_name(cak_rows r) { return r == CAK_ROWS_SAMPLE ? "sample" : r == CAK_ROWS_MIXED ? "mixed" : "shared"; }

static const char *attr_text(cak_arena *a, const cak_value *v)
{
    return v->node->attr_size ? cak_attr_text(a, v->node->attr, v->attr) : "";
}

static void dump_value(cak_text_builder *b, const cak_graph *g, int id)
{
    const cak_value *v = cak_graph_value(g, (cak_ref){ id });
    const char *name = cak_value_name(g, (cak_ref){ id });
    char shape[CAK_SHAPE_TEXT];
    cak_text_add(b, "%%%d = %s", id, v->node->name);
    if (name) cak_text_add(b, " %s", name);
    if (v->n_in) {
        cak_text_add(b, "(");
        for (int k = 0; k < v->n_in; k++) cak_text_add(b, "%s%%%d", k ? ", " : "", v->in[k].id);
        cak_text_add(b, ")");
    }
    if (!name && v->node->attr_size) cak_text_add(b, " %s", attr_text(b->a, v));
    cak_text_add(b, " %s %s", cak_shape_text(&v->shape, shape), rows_name(v->rows));
    if (v->label[0]) cak_text_add(b, "  # %s", v->label);
    cak_text_add(b, "\n");
}

char *cak_dump_text(cak_arena *a, const cak_graph *g, const cak_ref *out, const char *const *out_name, int n)
{
    cak_text_builder b = { .a = a };
    for (int id = 0; id < cak_graph_size(g); id++) dump_value(&b, g, id);
    for (int i = 0; i < n; i++) {
        if (cak_is_none(out[i])) cak_text_add(&b, "out %s = none\n", out_name[i]);
        else cak_text_add(&b, "out %s = %%%d\n", out_name[i], out[i].id);
    }
    return cak_text_done(&b);
}

/* Quote for dot: backslash and quote are escaped. */
static const char *quoted(cak_arena *a, const char *text)
{
    cak_text_builder b = { .a = a };
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') cak_text_add(&b, "\\");
        cak_text_add(&b, "%c", *text);
    }
    return cak_text_done(&b);
}

static bool scalar_const(const cak_graph *g, int id) { return !strcmp(cak_graph_value(g, (cak_ref){ id })->node->name, "const"); }

static const char *const_text(const cak_graph *g, int id, char number[CAK_NUMBER_TEXT])
{
    snprintf(number, CAK_NUMBER_TEXT, "%.6g", *(const double *)cak_graph_value(g, (cak_ref){ id })->attr);
    return number;
}

static void dot_value(cak_text_builder *b, const cak_graph *g, int id)
{
    const cak_value *v = cak_graph_value(g, (cak_ref){ id });
    const char *name = cak_value_name(g, (cak_ref){ id });
    char shape[CAK_SHAPE_TEXT], number[CAK_NUMBER_TEXT];
    if (scalar_const(g, id)) return; /* written on the edges of its users instead */
    const char *fill = name                           ? (v->rows == CAK_ROWS_SAMPLE ? "#d9e8f6" : "#f8e0c0")
                       : strncmp(v->label, "d/d(", 4) ? "#ffffff"
                                                      : "#e8f3e0";
    const char *who = name ? name : v->label;
    cak_text_add(b, "  v%d [label=\"%s\\n%s%s%s\", fillcolor=\"%s\"];\n", id, v->node->name, quoted(b->a, who), *who ? "\\n" : "",
                 cak_shape_text(&v->shape, shape), fill);
    for (int k = 0; k < v->n_in; k++) {
        if (!scalar_const(g, v->in[k].id)) cak_text_add(b, "  v%d -> v%d;\n", v->in[k].id, id);
        else
            cak_text_add(b, "  c%d_%d [shape=plaintext, style=\"\", label=\"%s\"]; c%d_%d -> v%d;\n", id, k,
                         const_text(g, v->in[k].id, number), id, k, id);
    }
}

char *cak_dump_dot(cak_arena *a, const cak_graph *g, const cak_ref *out, const char *const *out_name, int n, const char *title)
{
    cak_text_builder b = { .a = a };
    cak_text_add(
        &b,
        "digraph cak {\n  label=\"%s\\nblue: batch, orange: parameters and schedules, white: forward, green: gradient, yellow: "
        "results\"; labelloc=t; rankdir=TB; fontname=\"sans-serif\";\n"
        "  node [shape=box, style=\"filled,rounded\", fontname=\"sans-serif\", fontsize=10];\n  edge [color=\"#606060\"];\n",
        quoted(a, title));
    for (int id = 0; id < cak_graph_size(g); id++) dot_value(&b, g, id);
    for (int i = 0; i < n; i++) {
        if (cak_is_none(out[i])) continue;
        bool constant = scalar_const(g, out[i].id);
        cak_text_add(&b, "  o%d [shape=ellipse, label=\"%s%s%s\", fillcolor=\"#f0f0b0\"];", i, quoted(a, out_name[i]),
                     constant ? "\\n" : "", constant ? attr_text(a, cak_graph_value(g, out[i])) : "");
        if (!constant) cak_text_add(&b, " v%d -> o%d;", out[i].id, i);
        cak_text_add(&b, "\n");
    }
    cak_text_add(&b, "}\n");
    return cak_text_done(&b);
}
