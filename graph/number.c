/* Numbers as text, in one grammar and independent of the locale. */
#include "graph/number.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/diag.h"

/* The "C" locale for this thread; the C library keeps it as a constant, there is nothing to free. */
static locale_t enter_c_locale(void)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    CAK_CHECK(c != (locale_t)0);
    return uselocale(c);
}

static const char *skip_digits(const char *s)
{
    while (isdigit((unsigned char)*s)) s++;
    return s;
}

static bool leading_zero(const char *digits) { return digits[0] == '0' && isdigit((unsigned char)digits[1]); }

static bool matches(const char *s)
{
    s += *s == '-';
    if (leading_zero(s)) return false;
    const char *end = skip_digits(s);
    bool digits = end > s;
    if (*end == '.') {
        s = end + 1;
        end = skip_digits(s);
        digits |= end > s;
    }
    if (!digits) return false;
    if (*end == 'e' || *end == 'E') {
        s = end + 1;
        s += *s == '-' || *s == '+';
        end = skip_digits(s);
        if (end == s) return false;
    }
    return !*end;
}

static bool is_zero(const char *s) { return !s[strcspn(s, "123456789eE")] || strchr("eE", s[strcspn(s, "123456789eE")]); }

cak_number cak_number_real(const char *text, double *out)
{
    if (!strcmp(text, "inf") || !strcmp(text, "-inf")) {
        *out = text[0] == '-' ? -HUGE_VAL : HUGE_VAL;
        return CAK_NUMBER_OK;
    }
    if (!matches(text)) return CAK_NUMBER_MALFORMED;
    locale_t old = enter_c_locale();
    double v = strtod(text, NULL);
    uselocale(old);
    if (isinf(v)) return CAK_NUMBER_LARGE;
    if (v == 0 && !is_zero(text)) return CAK_NUMBER_SMALL;
    *out = v;
    return CAK_NUMBER_OK;
}

cak_number cak_number_int(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '-');
    if (!*digits || *skip_digits(digits) || leading_zero(digits)) return CAK_NUMBER_MALFORMED;
    errno = 0;
    long long v = strtoll(text, NULL, 10);
    if (errno == ERANGE) return CAK_NUMBER_LARGE;
    *out = v;
    return CAK_NUMBER_OK;
}

const char *cak_number_fix(const char *text)
{
    const char *s = text + (*text == '-' || *text == '+');
    if (*text == '+') return "; leave out the '+'";
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) return "; write it in decimal";
    if (leading_zero(s)) return "; leave out the leading zeros";
    if (isdigit((unsigned char)*s) && strchr(s, '_')) return "; leave out the '_'";
    if (isdigit((unsigned char)*s) && strchr(s, ',')) return "; the decimal sign is '.'";
    if (!strcasecmp(s, "nan") || !strcmp(s, ".nan")) return "; a value must be a number";
    if (!strcasecmp(s, ".inf") || !strcasecmp(s, "infinity")) return "; infinity is written 'inf'";
    return "";
}

const char *cak_number_text(double v, char buf[CAK_NUMBER_TEXT])
{
    locale_t old = enter_c_locale();
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buf, CAK_NUMBER_TEXT, "%.*g", digits, v);
        if (strtod(buf, NULL) == v) break;
    }
    uselocale(old);
    return buf;
}
