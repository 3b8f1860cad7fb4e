/* Forms: what a value is by algebra, written as a constant factor times a value in a normal form. Values with equal forms are equal, and
** values whose forms differ in the factor alone are multiples of each other, however the constants were spread over their graphs. */
#ifndef CAK_FORM_H
#define CAK_FORM_H

#include "graph/graph.h"

enum { CAK_MAX_TERMS = 16, CAK_FORM_ROOM = 1024 };

/* k * base; base is a value of the graph of normal forms, with the shape and the rows of the value. Zero: k is 0 and base none. */
typedef struct cak_form {
    double k;
    cak_ref base;
} cak_form;

typedef struct cak_terms { /* sum of k[i] * base[i], bases ascending and different */
    int n;
    cak_form term[CAK_MAX_TERMS];
} cak_terms;

/* The form of value v of g whose inputs have the forms in[]. `canon` collects the normal forms, at most CAK_FORM_ROOM for a value; it is
** used for nothing else. */
cak_form cak_form_of(cak_graph *canon, const cak_graph *g, const cak_value *v, const cak_form *in);

static inline bool cak_form_zero(cak_form f) { return cak_is_none(f.base); }
bool cak_form_uniform(const cak_graph *canon, cak_form f); /* the same constant everywhere: k */
/* The form as a sum; a base that is none is one term. */
void cak_form_terms(const cak_graph *canon, cak_form f, cak_terms *s);

#endif
