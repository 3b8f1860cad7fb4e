/* Text from files and file names, made safe for a terminal; sizes and ages as people read them. */
#include "experiments/visible.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *cak_visible(cak_arena *a, const char *text)
{
    char *out = cak_arena_alloc(a, 4 * strlen(text) + 1), *p = out;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < 0x20 || *c == 0x7f) p += snprintf(p, 5, "\\x%02x", *c);
        else *p++ = (char)*c;
    return out;
}

int cak_columns(const char *text)
{
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

int cak_fitting(const char *text, int columns)
{
    int n = 0;
    for (; text[n] && columns > 0; columns--) do
            n++;
        while (((unsigned char)text[n] & 0xc0) == 0x80);
    return n;
}

typedef struct unit {
    double size;
    const char *name;
} unit;

/* In the largest unit of which there is at least one. */
static const char *in_units(double v, const unit *u, int n, char *buf)
{
    int i = n - 1;
    while (i > 0 && v < u[i].size) i--;
    snprintf(buf, CAK_BYTES_TEXT, i && v < 10 * u[i].size ? "%.1f %s" : "%.0f %s", v / u[i].size, u[i].name);
    return buf;
}

const char *cak_bytes_text(uint64_t bytes, char buf[CAK_BYTES_TEXT])
{
    static const unit units[] = { { 1, "B" }, { 1 << 10, "KiB" }, { 1 << 20, "MiB" }, { 1 << 30, "GiB" }, { 1ULL << 40, "TiB" } };
    return in_units((double)bytes, units, sizeof units / sizeof *units, buf);
}

const char *cak_age_text(int64_t seconds, char buf[CAK_BYTES_TEXT])
{
    static const unit units[] = { { 1, "s" }, { 60, "min" }, { 3600, "h" }, { 86400, "d" } };
    return in_units(seconds < 0 ? 0 : (double)seconds, units, sizeof units / sizeof *units, buf);
}
