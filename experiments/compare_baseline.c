/* Finding the arm that the others are tested against. */
#include <string.h>

#include "experiments/compare.h"
#include "graph/text.h"

enum { SOME_ARMS = 6, SOME_KEYS = 3 };

typedef struct looked_at { /* an arm; its first run stands for it */
    const cak_comparison *c;
    const cak_arm *arm;
} looked_at;

/* The key that a column head stands for; anything else is a key itself. */
static const char *full_key(const cak_comparison *c, const char *word)
{
    for (int i = 0; i < c->axes->n_shown; i++)
        if (strcmp(c->axes->head[i], word) == 0) return c->set->key[c->axes->shown[i]].name;
    return word;
}

static cak_setting look(const void *ctx, const char *word)
{
    const looked_at *x = ctx;
    const cak_member *run = &x->c->set->run[x->arm->run[0]];
    const cak_setting v = cak_run_set_value(x->c->set, run, word);
    return v.text ? v : cak_run_set_value(x->c->set, run, full_key(x->c, word));
}

static bool check(const cak_comparison *c, cak_diag *d, const cak_where *w)
{
    int n;
    const char *const *known = cak_run_set_names(c->set->arena, c->set, &n);
    const char **all = cak_arena_alloc(c->set->arena, ((size_t)n + (size_t)c->axes->n_shown + 1) * sizeof *all);
    memcpy(all, known, (size_t)n * sizeof *all);
    for (int i = 0; i < c->axes->n_shown; i++) all[n++] = c->axes->head[i];
    return cak_where_check(d, w, all, n);
}

/* "A (lr 1e-4)" */
static void add_arm(cak_text_builder *b, const cak_comparison *c, const cak_arm *arm)
{
    cak_text_add(b, "%s (", arm->name);
    for (int i = 0; i < c->axes->n_shown && i < SOME_KEYS; i++) {
        const char *text = cak_run_set_at(c->set, arm->run[0], c->axes->shown[i]).text;
        cak_text_add(b, "%s%s %s", i ? ", " : "", c->axes->head[i], text ? text : "-");
    }
    cak_text_add(b, "%s)", c->axes->n_shown > SOME_KEYS ? ", ..." : "");
}

static const char *list_arms(const cak_comparison *c, const int *arm, int n)
{
    cak_text_builder b = { .a = c->set->arena };
    for (int i = 0; i < n && i < SOME_ARMS; i++) {
        cak_text_add(&b, "%s", i ? ", " : "");
        add_arm(&b, c, &c->arm[arm[i]]);
    }
    if (n > SOME_ARMS) cak_text_add(&b, " and %d more", n - SOME_ARMS);
    return cak_text_done(&b);
}

bool cak_compare_baseline(cak_comparison *c, cak_diag *d, const char *expression)
{
    const cak_where *w = cak_where_parse(c->set->arena, d, "--baseline", expression);
    if (!w || !check(c, d, w)) return false;
    int *found = cak_arena_alloc(c->set->arena, ((size_t)c->n_arms + 1) * sizeof *found), n = 0;
    for (int k = 0; k < c->n_arms; k++)
        if (cak_where_matches(w, look, &(looked_at){ c, &c->arm[k] })) found[n++] = k;
    if (n == 1) return c->baseline = found[0], true;
    if (n)
        return cak_error(d, CAK_E5001, CAK_NOWHERE, "--baseline: '%s' holds for %d arms, not for one: %s", expression, n,
                         list_arms(c, found, n));
    for (int k = 0; k < c->n_arms; k++) found[k] = k;
    return cak_error(d, CAK_E5001, CAK_NOWHERE, "--baseline: '%s' holds for no arm; there are %s", expression,
                     list_arms(c, found, c->n_arms));
}
