/* Filter expressions: which runs are meant.
**
**   state=diverged and (hp.lr>1e-4 or not model~film) and name='a b'
**
**   or := and ("or" and)*     and := not ("and" not)*     not := "not" not | "(" or ")" | KEY OP VALUE
**   OP: = (or ==) != < <= > >= ~ (is part of)             VALUE: a word, or text in '...' or "..."
**
** What are numbers on both sides is compared as numbers (1e-4 = 0.0001); < <= > >= need a number. A run without the key differs from every
** value: != holds, everything else does not. */
#ifndef EXPERIMENTS_WHERE_H
#define EXPERIMENTS_WHERE_H

#include <stdbool.h>

#include "graph/arena.h"
#include "graph/diag.h"

typedef struct cak_setting {
    const char *text; /* NULL: there is none */
    double number;    /* NaN when the text is no number */
} cak_setting;
cak_setting cak_setting_of(const char *text); /* finds out whether the text is a number; NULL is fine */
bool cak_setting_same(cak_setting x, cak_setting y);

typedef struct cak_where cak_where;
typedef cak_setting cak_where_look(const void *ctx, const char *key); /* the value of a key of what is filtered */

/* NULL after E5001, which shows the place in the expression; `option` names it in messages ("--where"). The text outlives the result. */
const cak_where *cak_where_parse(cak_arena *a, cak_diag *d, const char *option, const char *text);
/* "; did you mean 'hp.lr'?": keys whose last part is the word, or the nearest one; "" when there is none. */
const char *cak_where_suggest(cak_arena *a, const char *word, const char *const *known, int n);
/* E5001 with a suggestion for each key that is none of these. */
bool cak_where_check(cak_diag *d, const cak_where *w, const char *const *known, int n);
bool cak_where_matches(const cak_where *w, cak_where_look *look, const void *ctx);

#endif
