/* What the passes of algebra share: constant factors, readers of values. */
#ifndef CAK_PASS_ALGEBRA_H
#define CAK_PASS_ALGEBRA_H

#include "graph/pass.h"

bool cak_is_scale(const cak_graph *g, const cak_value *v, double *c, cak_ref *x); /* v = c * x, x of its shape */
cak_ref cak_times(cak_graph *g, cak_ref x, double c);                             /* c * x by the least node */
/* by id: inputs of live values and outputs that are this value; memory of `a` */
int *cak_pass_uses(const cak_graph *g, const cak_ref *out, int n, cak_arena *a);

/* May value `id` add `most` values to the new graph, and each that follows one? The limit of values is no error of a pass. */
bool cak_pass_room(const cak_graph *from, int id, const cak_graph *to, int most);

/* Factors are applied where they cost least. Kernels and cost never grow. */
cak_graph *cak_pass_factor(const cak_graph *g, cak_ref *out, int n);

#endif
