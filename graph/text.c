/* Text that grows in an arena; digests as text. */
#include "graph/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

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

void cak_text_add_csv(cak_text_builder *b, const char *cell)
{
    if (!cell[strcspn(cell, ",\"\r\n")]) {
        cak_text_add(b, "%s", cell);
        return;
    }
    cak_text_add(b, "\"");
    for (const char *c = cell; *c; c++) cak_text_add(b, *c == '"' ? "\"\"" : "%c", *c);
    cak_text_add(b, "\"");
}

void cak_digest(const void *data, size_t size, uint64_t seed, char hex[33])
{
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, XXH3_128bits_withSeed(data, size, seed));
    for (int i = 0; i < 16; i++) snprintf(hex + 2 * i, 3, "%02x", bytes.digest[i]);
}

void cak_text_digest(const char *text, char hex[33]) { cak_digest(text, strlen(text), 0, hex); }
