/* Text that grows in an arena; digests as text. */
#ifndef CAK_TEXT_H
#define CAK_TEXT_H

#include <stdint.h>

#include "graph/arena.h"

typedef struct cak_text_builder {
    cak_arena *a;
    char *text;
    int n, cap;
} cak_text_builder; /* start with { .a = arena } */

void cak_text_add(cak_text_builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *cak_text_done(cak_text_builder *b); /* NUL-terminated; "" when nothing was added */

/* A cell of a CSV file, quoted as RFC 4180 says where it must be. */
void cak_text_add_csv(cak_text_builder *b, const char *cell);

void cak_digest(const void *data, size_t size, uint64_t seed, char hex[33]); /* XXH3-128 as 32 hex digits */
void cak_text_digest(const char *text, char hex[33]);                        /* of a text, with seed 0 */

#endif
