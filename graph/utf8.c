/* UTF-8: decoding, and which characters a configuration may hold. */
#include "graph/utf8.h"

static int follow(const unsigned char *s, size_t n, int bytes, uint32_t *cp)
{
    if (n < (size_t)bytes) return 0;
    for (int i = 1; i < bytes; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
        *cp = *cp << 6 | (s[i] & 0x3f);
    }
    return bytes;
}

int cak_utf8_next(const char *s, size_t n, uint32_t *cp)
{
    const unsigned char *u = (const unsigned char *)s;
    static const struct {
        unsigned char mask, lead;
        uint32_t least; /* smaller code points have a shorter form */
    } form[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };
    for (int i = 0; i < 4; i++) {
        if ((u[0] & form[i].mask) != form[i].lead) continue;
        *cp = u[0] & (unsigned char)~form[i].mask;
        int bytes = follow(u, n, i + 1, cp);
        bool surrogate = *cp >= 0xd800 && *cp <= 0xdfff;
        return bytes && *cp >= form[i].least && *cp <= 0x10ffff && !surrogate ? bytes : 0;
    }
    return 0;
}

bool cak_utf8_allowed(uint32_t cp)
{
    if (cp < 0x20) return cp == '\t' || cp == '\n' || cp == '\r';
    if (cp >= 0x7f && cp < 0xa0) return false;
    return cp != 0x2028 && cp != 0x2029 && cp != 0xfeff && cp != 0xfffe && cp != 0xffff;
}

size_t cak_utf8_check(const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int bytes = cak_utf8_next(text + i, n - i, &cp);
        if (!bytes || !cak_utf8_allowed(cp)) return i;
        i += (size_t)bytes;
    }
    return n;
}
