/* Text that grows in an arena; digests of texts. */
#ifndef CAK_TEXT_H
#define CAK_TEXT_H

#include "graph/arena.h"

typedef struct cak_text_builder {
    cak_arena *a;
    char *text;
    int n, cap;
} cak_text_builder; /* start with { .a = arena } */

void cak_text_add(cak_text_builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *cak_text_done(cak_text_builder *b); /* NUL-terminated; "" when nothing was added */

void cak_text_digest(const char *text, char hex[33]); /* XXH3-128 as 32 hex digits */

#endif
