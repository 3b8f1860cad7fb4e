/* Special samples: where facts about their data hold (a control is zero, target and input are equal), algebra may find a cheaper way to
** what they contribute to the sums of a program. */
#ifndef CAK_SPECIAL_H
#define CAK_SPECIAL_H

#include "graph/exec.h"

/* Look for facts under which out[] costs less; what takes the place of the results is appended to g. NULL: there are none that pay. */
const cak_special *cak_specialise(cak_arena *a, cak_graph *g, const cak_ref *out, int n);

#endif
