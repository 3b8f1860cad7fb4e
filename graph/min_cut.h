/* The cheapest way to divide the nodes of a network into two sides, by maximal flow. */
#ifndef CAK_MIN_CUT_H
#define CAK_MIN_CUT_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/arena.h"

enum { CAK_SOURCE = 0, CAK_SINK = 1 }; /* nodes 0 and 1; each is on its own side */
#define CAK_UNCUT (INT64_MAX / 4)      /* a price that is never paid */

typedef struct cak_network cak_network;
cak_network *cak_network_open(cak_arena *a, int nodes);

/* A division with `from` on the side of the source and `to` on the side of the sink costs `price`. */
void cak_network_edge(cak_network *w, int from, int to, int64_t price);

/* By node: it is on the side of the source. Of equally cheap divisions the one with the fewest nodes there. */
const bool *cak_network_cut(cak_network *w);

#endif
