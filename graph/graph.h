/* The graph: an append-only, hash-consed list of values. Id order is a topological order; appending a node that exists already returns
** the old one, so common sub-expressions cost nothing. Shapes are inferred when a node is appended. */
#ifndef CAK_GRAPH_H
#define CAK_GRAPH_H

#include "graph/arena.h"
#include "graph/diag.h"
#include "graph/node.h"
#include "graph/ops.h"

enum { CAK_MAX_VALUES = 200000 };

typedef struct cak_value { /* one value of the graph */
    const cak_node *node;
    const void *attr;
    cak_ref in[CAK_MAX_IN];
    int n_in;
    cak_shape shape;
    cak_rows rows;
    cak_pos origin;    /* YAML node that caused it; gradient nodes inherit it from the node they differentiate */
    const char *label; /* "critic.conv1", "d(c_loss)/d(fake)": for dumps and messages */
} cak_value;

cak_graph *cak_graph_open(cak_diag *d);
void cak_graph_close(cak_graph *g);
cak_arena *cak_graph_arena(cak_graph *g);
cak_diag *cak_graph_diag(const cak_graph *g);
int cak_graph_size(const cak_graph *g);
const cak_value *cak_graph_value(const cak_graph *g, cak_ref r);
bool cak_graph_failed(const cak_graph *g);
void cak_graph_recover(cak_graph *g); /* forget the failure, so that the errors of other nodes show too */

/* cak_fail with another code than E3005. */
bool cak_fail_code(cak_graph *g, cak_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What append derives for a value: its shape (false after an error) and how its rows depend on the samples. */
bool cak_graph_infer(cak_graph *g, const cak_value *v, cak_shape *y);
cak_rows cak_graph_rows(const cak_graph *g, const cak_value *v);

/* Append a primitive; attr is copied (NULL: defaults). */
cak_ref cak_append(cak_graph *g, const cak_node *node, const void *attr, const cak_ref *in, int n_in);
/* Append any node: a composite is expanded. out[] receives the outputs. Checks the number of inputs. */
bool cak_apply(cak_graph *g, const cak_node *node, const void *attr, const cak_ref *in, int n_in, cak_ref *out);

/* Values from outside: fed before each execution. per_sample: axis 0 is the batch. */
cak_ref cak_input(cak_graph *g, const char *name, const cak_shape *shape, bool per_sample);

/* The place and name that new nodes get; returns the old ones to restore. */
typedef struct cak_where {
    cak_pos origin;
    const char *label;
} cak_where;
cak_where cak_graph_at(cak_graph *g, cak_pos origin, const char *label);
void cak_graph_restore(cak_graph *g, cak_where w);
/* Prefix of parameter names (the module being expanded); returns the old prefix. */
const char *cak_graph_scope(cak_graph *g, const char *scope);

/* Parameters in order of first use. */
typedef struct cak_param_info {
    const char *name;
    cak_ref ref;
    cak_shape shape;
    cak_init init;
    cak_pos origin;
} cak_param_info;
int cak_graph_params(const cak_graph *g);
const cak_param_info *cak_graph_param(const cak_graph *g, int i);
const char *cak_value_name(const cak_graph *g, cak_ref r); /* name of an input or a parameter, else NULL */

/* Modules: `expand` builds one use; ports name inputs and outputs. */
struct cak_module {
    const char *name;
    const cak_port *in, *out;
    bool (*expand)(cak_graph *g, const cak_module *m, const cak_ref *in, int n, cak_ref *out);
    const void *impl;
};

/* d(y)/d(x[i]) for several x in one sweep; y must be a scalar. gx[i] is CAK_NONE when y does not depend on x[i]. */
bool cak_gradients(cak_graph *g, cak_ref y, const cak_ref *x, int n, cak_ref *gx);

/* Recompute every shape, edge and row property; a lie is a bug (exit 70). Called after each pass. */
void cak_verify(const cak_graph *g);

/* Passes: copy what `out` needs into a new graph and rename out[]. */
cak_graph *cak_pass_dce(const cak_graph *g, cak_ref *out, int n);    /* dead code */
cak_graph *cak_pass_fold(const cak_graph *g, cak_ref *out, int n);   /* constants, neutral elements */
cak_graph *cak_pass_mask(const cak_graph *g, cak_ref *out, int n);   /* inputs of leaky ReLUs that need not be kept */
cak_graph *cak_pass_gather(const cak_graph *g, cak_ref *out, int n); /* L(x) + L(y) = L(x + y) behind folds of samples */
/* Channels in blocks of 16 and convolutions on them, where that pays; after differentiation. Inputs and outputs keep their layout. */
cak_graph *cak_pass_layout(const cak_graph *g, cak_ref *out, int n);

/* What may hold for the samples of a batch, and is checked on their data: a row is zero, two rows are equal. */
enum { CAK_MAX_FACTS = 64 };
typedef struct cak_fact {
    const char *a, *b; /* names of inputs; b NULL: row of a is all zero */
} cak_fact;
typedef struct cak_facts {
    cak_fact fact[CAK_MAX_FACTS];
    int n;
} cak_facts;

/* Facts worth trying: an input with one number per sample may be zero, two inputs of samples of one shape may be equal. Only inputs that
** out[] needs; at most CAK_MAX_FACTS. Names live as long as g. */
cak_facts cak_facts_candidates(const cak_graph *g, const cak_ref *out, int n);
/* The graph for samples on which all facts hold: inputs of samples known to be zero are zeros, inputs known to be equal are
** one. */
cak_graph *cak_pass_facts(const cak_graph *g, cak_ref *out, int n, const cak_facts *facts);
/* Rewriting by algebra until nothing changes: zeros are propagated, terms of sums cancel, values that are equal or multiples of each other
** are computed once, factors are applied where they cost least. Kernels and cost never grow; results change by rounding. Every value keeps
** its kind of rows, so a fold of samples stays one (or is zero).
** 0 * x and x - x are taken for 0 although x may hold a NaN or Inf: whoever runs the result checks inputs and losses. */
cak_graph *cak_pass_algebra(const cak_graph *g, cak_ref *out, int n);
/* Estimated work of the values that out[] needs: floating-point operations of products, elements of everything else. */
double cak_graph_cost(const cak_graph *g, const cak_ref *out, int n);

/* Text of the graph, one value per line, stable across runs; dot for Graphviz. `out` with labels may be empty. */
char *cak_dump_text(cak_arena *a, const cak_graph *g, const cak_ref *out, const char *const *out_name, int n);
char *cak_dump_dot(cak_arena *a, const cak_graph *g, const cak_ref *out, const char *const *out_name, int n, const char *title);

/* VALUE rows that were not given take their default as a constant. */
void cak_attr_fill(cak_graph *g, const cak_attr *rows, void *attr);
/* Attribute structs by table: equality, hash, text "{stride: 2, pad: 1}". */
bool cak_attr_equal(const cak_attr *rows, const void *a, const void *b);
uint64_t cak_attr_hash(const cak_attr *rows, const void *a);
char *cak_attr_text(cak_arena *arena, const cak_attr *rows, const void *attr);

#endif
