/* UTF-8: decoding, and which characters a configuration may hold. Not for nodes. */
#ifndef CAK_UTF8_H
#define CAK_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length in bytes of the character at s (n > 0 bytes left), its code point in *cp; 0 when the bytes are no UTF-8. */
int cak_utf8_next(const char *s, size_t n, uint32_t *cp);

/* Characters that may stand in a file: no controls except tab and line ends, no other line separators, no byte order mark. */
bool cak_utf8_allowed(uint32_t cp);

/* First byte of text that is no UTF-8 or not allowed, or n. */
size_t cak_utf8_check(const char *text, size_t n);

#endif
