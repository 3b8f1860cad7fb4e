/* Typed reading of a resolved tree: the table says what a key holds, not the spelling of the value. */
#include <math.h>
#include <string.h>

#include "graph/config.h"
#include "graph/number.h"
#include "graph/text.h"

/* ---- messages ---- */

enum { SHOWN = 60 };

/* What stands in the file, short enough for a message. */
static const char *found(const cak_yaml *n, char buf[SHOWN + 32])
{
    if (n->kind == CAK_YAML_MAP) return "a mapping";
    if (n->kind == CAK_YAML_LIST) return "a list";
    if (!n->quoted && !n->text[0]) return "nothing";
    int len = (int)strlen(n->text), shown = len;
    if (len > SHOWN)
        for (shown = SHOWN; (n->text[shown] & 0xc0) == 0x80;) shown--;
    snprintf(buf, SHOWN + 32, "%s%.*s%s%s", n->quoted ? "the text \"" : "'", shown, n->text, shown < len ? "..." : "",
             n->quoted ? "\"" : "'");
    return buf;
}

void cak_config_remark(cak_diag *d, const cak_yaml *n)
{
    if (n->remark) cak_note(d, n->remark_pos, "%s", n->remark);
}

/* "expected <what>, got <found><fix>" */
static bool mismatch(cak_diag *d, cak_code code, const cak_yaml *n, const char *what, const char *fix)
{
    char buf[SHOWN + 32];
    cak_error(d, code, n->pos, "expected %s, got %s%s", what, found(n, buf), fix);
    cak_config_remark(d, n);
    return false;
}

/* ---- scalars ---- */

/* Is n a plain scalar, the only form of numbers and bools? Quotes are named as the reason when the text would do. */
static bool want_plain(cak_diag *d, const cak_yaml *n, const char *what, bool fits_without_quotes)
{
    if (n->kind == CAK_YAML_SCALAR && !n->quoted) return true;
    return mismatch(d, CAK_E1201, n, what, n->kind == CAK_YAML_SCALAR && fits_without_quotes ? "; remove the quotes" : "");
}

static bool read_num(cak_diag *d, const cak_yaml *n, const char *what, bool infinite, double *out)
{
    double v = 0;
    cak_number status = n->kind == CAK_YAML_SCALAR ? cak_number_real(n->text, &v) : CAK_NUMBER_MALFORMED;
    if (!want_plain(d, n, what, status == CAK_NUMBER_OK)) return false;
    if (status == CAK_NUMBER_MALFORMED) return mismatch(d, CAK_E1201, n, what, cak_number_fix(n->text));
    if (status == CAK_NUMBER_LARGE) return mismatch(d, CAK_E1202, n, what, ", which is too large for a double");
    if (status == CAK_NUMBER_SMALL)
        return mismatch(d, CAK_E1202, n, what, ", which is too small for a double; write 0 if that is meant");
    if (isinf(v) && !infinite) return mismatch(d, CAK_E1202, n, what, "");
    *out = v;
    return true;
}

static bool read_int(cak_diag *d, const cak_yaml *n, const char *what, int64_t *out)
{
    double v = 0;
    cak_number status = n->kind == CAK_YAML_SCALAR ? cak_number_int(n->text, out) : CAK_NUMBER_MALFORMED;
    if (!want_plain(d, n, what, status == CAK_NUMBER_OK)) return false;
    if (status == CAK_NUMBER_OK) return true;
    if (status == CAK_NUMBER_LARGE) return mismatch(d, CAK_E1202, n, what, ", which is too large");
    char fix[64];
    if (cak_number_real(n->text, &v) != CAK_NUMBER_OK) return mismatch(d, CAK_E1201, n, what, cak_number_fix(n->text));
    bool whole = v == floor(v) && fabs(v) < 1e15;
    snprintf(fix, sizeof fix, whole ? "; write %.0f" : "", v);
    return mismatch(d, CAK_E1201, n, what, fix);
}

bool cak_config_num(cak_diag *d, const cak_yaml *n, double *out) { return read_num(d, n, "a number", false, out); }
bool cak_config_int(cak_diag *d, const cak_yaml *n, int64_t *out) { return read_int(d, n, "an integer", out); }

bool cak_config_bool(cak_diag *d, const cak_yaml *n, bool *out)
{
    static const struct {
        const char *text, *fix;
        bool value;
    } words[] = { { "true", NULL, true },           { "false", NULL, false },           { "yes", "; write true", true },
                  { "no", "; write false", false }, { "on", "; write true", true },     { "off", "; write false", false },
                  { "1", "; write true", true },    { "0", "; write false", false },    { "y", "; write true", true },
                  { "n", "; write false", false },  { "True", "; write true", true },   { "False", "; write false", false },
                  { "TRUE", "; write true", true }, { "FALSE", "; write false", false } };
    size_t count = sizeof words / sizeof *words, i = count;
    if (n->kind == CAK_YAML_SCALAR)
        for (i = 0; i < count && strcmp(words[i].text, n->text) != 0;) i++;
    if (!want_plain(d, n, "true or false", i < 2)) return false;
    if (i == count || words[i].fix) return mismatch(d, CAK_E1201, n, "true or false", i < count ? words[i].fix : "");
    *out = words[i].value;
    return true;
}

/* ---- rows ---- */

typedef struct reading {
    cak_arena *a;
    cak_diag *d;
    cak_resolve *resolve;
    void *ctx;
} reading;

static bool limited(const cak_attr *row) { return row->min != 0 || row->max != 0; }

/* "a number in [0, 1]", "an integer >= 1" */
static const char *expectation(cak_arena *a, const cak_attr *row, const char *kind)
{
    char min[CAK_NUMBER_TEXT], max[CAK_NUMBER_TEXT];
    bool below = row->max<1e15, above = row->min> - 1e15; /* beyond, a limit only says "none" */
    cak_number_text(row->min, min), cak_number_text(row->max, max);
    if (!limited(row) || (!below && !above)) return kind;
    if (!below) return cak_arena_print(a, "%s >= %s", kind, min);
    if (!above) return cak_arena_print(a, "%s <= %s", kind, max);
    return cak_arena_print(a, "%s in [%s, %s]", kind, min, max);
}

static bool row_num(reading *r, const cak_attr *row, const cak_yaml *n, double *out)
{
    const char *what = expectation(r->a, row, "a number");
    if (!read_num(r->d, n, what, isinf(row->min) || isinf(row->max), out)) return false;
    return !limited(row) || (*out >= row->min && *out <= row->max) || mismatch(r->d, CAK_E1202, n, what, "");
}

static bool row_int(reading *r, const cak_attr *row, const cak_yaml *n, int64_t *out)
{
    const char *what = expectation(r->a, row, "an integer");
    if (!read_int(r->d, n, what, out)) return false;
    return !limited(row) || ((double)*out >= row->min && (double)*out <= row->max) || mismatch(r->d, CAK_E1202, n, what, "");
}

static bool row_enum(reading *r, const cak_attr *row, const cak_yaml *n, int32_t *out)
{
    int count = 0;
    cak_text_builder list = { .a = r->a };
    for (; row->choices[count]; count++) {
        if (n->kind == CAK_YAML_SCALAR && !strcmp(row->choices[count], n->text)) {
            *out = count;
            return true;
        }
        cak_text_add(&list, "%s%s", count ? ", " : "one of ", row->choices[count]);
    }
    const char *near = n->kind == CAK_YAML_SCALAR ? cak_suggest(n->text, row->choices, count) : NULL;
    return mismatch(r->d, CAK_E1202, n, cak_text_done(&list), near ? cak_arena_print(r->a, "; did you mean '%s'?", near) : "");
}

static bool row_text(reading *r, const cak_attr *row, const cak_yaml *n, const char **out)
{
    (void)row;
    if (n->kind != CAK_YAML_SCALAR) return mismatch(r->d, CAK_E1201, n, "a text", "");
    if (!n->quoted && !n->text[0]) return mismatch(r->d, CAK_E1201, n, "a text", "; write \"\" for an empty text");
    *out = cak_arena_text(r->a, n->text);
    return true;
}

/* A list, or a single scalar as a list of one. Returns the first item; *count items follow. */
static const cak_yaml *items(reading *r, const cak_yaml *n, const char *what, int32_t *count)
{
    *count = n->kind == CAK_YAML_LIST ? n->n : 1;
    if (n->kind == CAK_YAML_MAP) mismatch(r->d, CAK_E1201, n, what, "");
    else if (*count > CAK_MAX_INTS)
        cak_error(r->d, CAK_E1202, n->pos, "a list of %d items; at most %d are possible", *count, CAK_MAX_INTS);
    else return n->kind == CAK_YAML_LIST ? n->child : n;
    *count = -1;
    return NULL;
}

static bool row_ints(reading *r, const cak_attr *row, const cak_yaml *n, cak_ints *out)
{
    const cak_yaml *item = items(r, n, "a list of integers", &out->n);
    bool ok = out->n >= 0;
    for (int i = 0; i < out->n; i++, item = item->next) ok &= row_int(r, row, item, &out->v[i]);
    return ok;
}

static bool row_nums(reading *r, const cak_attr *row, const cak_yaml *n, cak_nums *out)
{
    const cak_yaml *item = items(r, n, "a list of numbers", &out->n);
    bool ok = out->n >= 0;
    for (int i = 0; i < out->n; i++, item = item->next) ok &= row_num(r, row, item, &out->v[i]);
    return ok;
}

static bool row_resolved(reading *r, const cak_attr *row, const cak_yaml *n, void *out)
{
    if (r->resolve) return r->resolve(r->ctx, row, n, out);
    return cak_error(r->d, CAK_E1201, n->pos, "'%s' cannot be set here", row->name);
}

static bool read_field(reading *r, const cak_attr *row, const cak_yaml *n, void *out)
{
    switch (row->kind) {
    case CAK_INT: return row_int(r, row, n, out);
    case CAK_NUM: return row_num(r, row, n, out);
    case CAK_BOOL: return cak_config_bool(r->d, n, out);
    case CAK_ENUM: return row_enum(r, row, n, out);
    case CAK_TEXT: return row_text(r, row, n, out);
    case CAK_INTS: return row_ints(r, row, n, out);
    case CAK_NUMS: return row_nums(r, row, n, out);
    case CAK_MODULE:
    case CAK_VALUE: return row_resolved(r, row, n, out);
    default: return cak_error(r->d, CAK_E1203, n->key_pos, "'%s' is not set in a configuration", row->name);
    }
}

/* `key: null` leaves out what may be absent. */
static bool left_out(const cak_attr *row, const cak_yaml *n)
{
    bool may = (row->kind == CAK_TEXT && !row->required && !row->def_text) || row->optional;
    return may && cak_yaml_null(n) && n->text[0];
}

bool cak_config_read(cak_arena *a, cak_diag *d, cak_yaml *map, const cak_attr *rows, void *out, const char *what,
                     cak_resolve *resolve, void *ctx)
{
    reading r = { a, d, resolve, ctx };
    cak_attr_defaults(a, rows, out);
    if (map && map->kind != CAK_YAML_MAP)
        return mismatch(d, CAK_E1201, map, cak_arena_print(a, "a mapping with the keys of '%s'", what), "");
    bool ok = true;
    for (const cak_attr *row = rows; row && row->kind != CAK_END; row++) {
        cak_yaml *n = cak_yaml_get(map, row->name);
        if (n) n->used = true;
        if (n && !left_out(row, n)) ok &= read_field(&r, row, n, (char *)out + row->offset);
        if (n || !row->required) continue;
        cak_pos at = !map ? CAK_NOWHERE : map->key ? map->key_pos : map->pos;
        ok &= cak_error(d, CAK_E1204, at, "%s needs the key '%s'%s%s", what, row->name, row->doc ? ": " : "",
                        row->doc ? row->doc : "");
    }
    return ok;
}

/* ---- keys and names ---- */

/* Names that other programs give to what is meant; only those that the map knows are suggested. */
static const char *synonym(const char *key, const char *const *known)
{
    static const char *const table[][2] = {
        { "learning_rate", "lr" }, { "beta", "betas" },        { "epsilon", "eps" },        { "batch_size", "batch" },
        { "n_epochs", "epochs" },  { "num_epochs", "epochs" }, { "kernel_size", "kernel" }, { "channels", "out" },
        { "out_channels", "out" }, { "padding", "pad" },       { "sample_rate", "rate" },   { "hop_length", "hop" },
        { "win_length", "win" },   { "temp", "temperature" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int k = 0; known && known[k] && !strcmp(key, table[i][0]); k++)
            if (!strcmp(known[k], table[i][1])) return known[k];
    return NULL;
}

static bool unknown_key(cak_diag *d, const cak_yaml *n, const char *what, const char *const *known)
{
    int count = 0;
    while (known && known[count]) count++;
    const char *near = synonym(n->key, known);
    if (!near && known) near = cak_suggest(n->key, known, count);
    cak_error(d, CAK_E1203, n->key_pos, near ? "unknown key '%s' in %s; did you mean '%s'?" : "unknown key '%s' in %s", n->key,
              what, near);
    cak_arena *a = cak_arena_open("message");
    cak_text_builder list = { .a = a };
    for (int i = 0; i < count; i++) cak_text_add(&list, "%s%s", i ? ", " : "", known[i]);
    if (count) cak_note(d, CAK_NOWHERE, "known keys: %s", cak_text_done(&list));
    cak_arena_close(a);
    return false;
}

bool cak_config_unused(cak_diag *d, const cak_yaml *map, const char *what, const char *const *known)
{
    bool ok = true;
    if (!map || map->kind != CAK_YAML_MAP) return ok;
    cak_yaml_each (c, map)
        if (!c->used && strncmp(c->key, "x-", 2) != 0) ok &= unknown_key(d, c, what, known);
    return ok;
}

enum { NAME_MAX_BYTES = 64 };

bool cak_config_name(cak_diag *d, const char *name, cak_pos at, const char *what, bool dots)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
    size_t n = strlen(name), good = strspn(name, letters);
    if (!dots && strcspn(name, ".") < good) good = strcspn(name, ".");
    if (n > NAME_MAX_BYTES) return cak_error(d, CAK_E1205, at, "a %s name has at most %d characters", what, NAME_MAX_BYTES);
    if (n && good == n && !strchr("-.", name[0])) return true;
    return cak_error(d, CAK_E1205, at, "'%s' is no %s name: letters, digits, '_', '-'%s; the first is a letter, a digit or '_'",
                     name, what, dots ? ", '.'" : "");
}
