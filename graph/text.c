/* Text that grows in an arena. */
#include "graph/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "graph/diag.h"

void cak_text_add(cak_text_builder *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    CAK_CHECK(n >= 0);
    b->text = cak_arena_grow(b->a, b->text, &b->cap, b->n + n + 1, 1);
    vsnprintf(b->text + b->n, (size_t)n + 1, fmt, again);
    va_end(again);
    b->n += n;
}

char *cak_text_done(cak_text_builder *b) { return b->text ? b->text : cak_arena_text(b->a, ""); }
