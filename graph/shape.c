/* Shapes of tensors: equality, broadcasting, text form. */
#include "graph/shape.h"

#include <inttypes.h>
#include <stdio.h>

int64_t cak_shape_size(const cak_shape *s)
{
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    return n;
}

bool cak_shape_valid(const cak_shape *s)
{
    int64_t room = CAK_MAX_ELEMENTS; /* elements that each row of the axes so far may have */
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] < 1 || s->dim[i] > room) return false;
        room /= s->dim[i];
    }
    return s->rank >= 0 && s->rank <= CAK_MAX_DIM;
}

bool cak_shape_equal(const cak_shape *a, const cak_shape *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

bool cak_shape_broadcast(const cak_shape *a, const cak_shape *b, cak_shape *out)
{
    cak_shape r = { .rank = a->rank > b->rank ? a->rank : b->rank };
    for (int i = 0; i < r.rank; i++) { /* axes are aligned at the right */
        int ia = i - (r.rank - a->rank), ib = i - (r.rank - b->rank);
        int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1) return false;
        r.dim[i] = da == 1 ? db : da;
    }
    *out = r;
    return true;
}

const char *cak_shape_text(const cak_shape *s, char buf[CAK_SHAPE_TEXT])
{
    int n = snprintf(buf, CAK_SHAPE_TEXT, "[");
    for (int i = 0; i < s->rank && n < CAK_SHAPE_TEXT; i++)
        n += snprintf(buf + n, (size_t)(CAK_SHAPE_TEXT - n), "%s%" PRId64, i ? "," : "", s->dim[i]);
    if (n < CAK_SHAPE_TEXT) snprintf(buf + n, (size_t)(CAK_SHAPE_TEXT - n), "]");
    return buf;
}
