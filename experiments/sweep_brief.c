/* Short texts of points. */
#include "experiments/sweep_brief.h"

#include <string.h>

#include "graph/number.h"
#include "graph/text.h"

/* Points differ in the first digits of what was drawn; ids and configurations have all of them. */
static const char *value_text(cak_arena *a, const cak_sweep *s, const char *value)
{
    double v;
    int64_t whole;
    if (s->method == CAK_SWEEP_GRID || cak_number_int(value, &whole) == CAK_NUMBER_OK) return value;
    if (cak_number_real(value, &v) != CAK_NUMBER_OK) return value;
    const char *rounded = cak_arena_print(a, "%.6g", v);
    return strlen(rounded) < strlen(value) ? rounded : value;
}

/* The parameters that vary, or those that do not. */
static const char *overrides(cak_arena *a, const cak_brief *b, int point, bool varies)
{
    const cak_sweep *s = b->sweep;
    cak_text_builder text = { .a = a };
    for (int i = 0; i < s->n_keys; i++)
        if (b->varies[i] == varies)
            cak_text_add(&text, "%s%s=%s", text.n ? " " : "", s->key[i], value_text(a, s, s->point[point].value[i]));
    return cak_text_done(&text);
}

cak_brief cak_brief_open(cak_arena *a, const cak_sweep *s)
{
    cak_brief b = { .sweep = s, .varies = cak_arena_alloc(a, ((size_t)s->n_keys + 1) * sizeof(bool)), .common = "" };
    for (int i = 0; i < s->n_keys; i++)
        for (int p = 1; p < s->n_points && !b.varies[i]; p++)
            b.varies[i] = strcmp(s->point[p].value[i], s->point[0].value[i]) != 0;
    if (s->n_points) b.common = overrides(a, &b, 0, false);
    return b;
}

const char *cak_brief_point(cak_arena *a, const cak_brief *b, int point) { return overrides(a, b, point, true); }
