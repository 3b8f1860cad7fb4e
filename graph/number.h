/* Numbers as text, in one grammar and independent of the locale: -?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?, no leading zeros. */
#ifndef CAK_NUMBER_H
#define CAK_NUMBER_H

#include <stdint.h>

typedef enum cak_number {
    CAK_NUMBER_OK,
    CAK_NUMBER_MALFORMED,
    CAK_NUMBER_LARGE, /* beyond the range of the type */
    CAK_NUMBER_SMALL  /* not zero, but rounds to zero */
} cak_number;

cak_number cak_number_real(const char *text, double *out); /* also inf and -inf; the caller decides whether they are welcome */
cak_number cak_number_int(const char *text, int64_t *out); /* digits only: neither point nor exponent */

/* What to write instead of a malformed number: "; write 17 without leading zeros". "" when nothing is known. */
const char *cak_number_fix(const char *text);

/* The shortest decimal text that reads back as the same double. */
enum { CAK_NUMBER_TEXT = 32 };
const char *cak_number_text(double v, char buf[CAK_NUMBER_TEXT]);

#endif
