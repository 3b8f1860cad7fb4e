/* What passes share: copy the live values of a graph in order into a new one, one rule for each value. */
#ifndef CAK_PASS_H
#define CAK_PASS_H

#include "graph/graph.h"

/* by id: `out` needs this value; memory of `a` */
bool *cak_pass_live(const cak_graph *g, const cak_ref *out, int n, cak_arena *a);

/* by id: how many inputs of live values and outputs it is; memory of `a` */
int *cak_pass_readers(const cak_graph *g, const bool *live, const cak_ref *out, int n, cak_arena *a);

/* What stands for value v of the old graph in the new graph `to`; in: what stands for its inputs. The shape must stay. */
typedef cak_ref cak_pass_rule(cak_graph *to, const cak_value *v, const cak_ref *in);
cak_ref cak_pass_keep(cak_graph *to, const cak_value *v, const cak_ref *in); /* the same node */

/* A new graph of the live values, each by the rule; renames out[]. */
cak_graph *cak_pass_run(const cak_graph *g, cak_ref *out, int n, cak_pass_rule *rule);

/* The same for a rule that looks further: at the old value's id, at what it has found out (ctx), at what stands for other values. */
typedef cak_ref cak_pass_far_rule(const void *ctx, cak_graph *to, cak_ref old, const cak_value *v, const cak_ref *in,
                                  const cak_ref *renamed);
cak_graph *cak_pass_run_far(const cak_graph *g, cak_ref *out, int n, const bool *live, cak_pass_far_rule *rule, const void *ctx);

#endif
