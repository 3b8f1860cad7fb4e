/* The inside of data preparation: the section as source, chain and loader; one thread's copy of the chain. */
#ifndef CAK_PREPARE_SECTION_H
#define CAK_PREPARE_SECTION_H

#include "experiments/prepare.h"

typedef struct cak_section {
    cak_arena *a;
    cak_diag *d;
    cak_yaml *data, *source, *loader; /* source: NULL when the loader reads by itself */
    const cak_node *source_node, *loader_node;
    const void *source_attr, *loader_attr; /* what cannot be read has its default */
    bool source_read, loader_read;         /* the attributes hold no mistake */
    bool unsure;                           /* a node of an unknown type may be the source or the loader */
    cak_yaml *input;                       /* the expression that the loader reads */
} cak_section;

/* Sort the nodes of the section by role and read the attributes of source and loader. After an error, the mistakes of the chain are
** recorded too, as far as they show. */
bool cak_section_read(cak_arena *a, cak_diag *d, cak_yaml *data, cak_section *s);
/* The value of an ENUM or TEXT attribute as text, NULL when the node has no such attribute or it is not given. */
const char *cak_section_choice(const cak_node *node, const void *attr, const char *name);
/* The nodes of the chain as YAML text: what a digest of the results has to cover. */
const char *cak_section_chain_text(const cak_section *s);

/* A `normalise` node whose `low` or `high` shall be computed. */
bool cak_section_is_auto(const cak_yaml *node);
void cak_section_set(cak_arena *a, cak_yaml *node, const char *key, double value); /* unless it holds a number already */

/* One thread's chain: graph, program and memory for signals of one length. */
typedef struct cak_chain cak_chain;
/* Build `expr` over clips of `length` samples. `sketch`: values that are not computed yet get stand-ins, and unused nodes are built too,
** so that their errors show. NULL after an error. */
cak_chain *cak_chain_open(const cak_section *s, const cak_yaml *expr, int64_t length, bool sketch);
cak_shape cak_chain_shape(const cak_chain *c); /* [C,F,T] of a result */
real *cak_chain_input(cak_chain *c);           /* room for the signal */
const real *cak_chain_run(cak_chain *c);       /* the result, good until the next run */
void cak_chain_close(cak_chain *c);            /* NULL is fine */

#endif
