/* Interpolation: ${a.b} becomes the value found there, ${env:NAME,default} an environment variable. */
#include <stdlib.h>
#include <string.h>

#include "graph/compose.h"
#include "graph/text.h"
#include "graph/utf8.h"

enum { MAX_CHAIN = 64 };

typedef struct resolver {
    cak_arena *a;
    cak_diag *d;
    cak_yaml *root;
    cak_yaml *open[MAX_CHAIN]; /* scalars that are being resolved, each needed by the one before */
    int depth;
    long copied; /* values copied so far: references to references multiply */
} resolver;

static bool resolve(resolver *r, cak_yaml *n);

static bool fail(resolver *r, const cak_yaml *n, const char *what) { return cak_error(r->d, CAK_E1105, n->pos, "%s", what); }

static const char *name_of(resolver *r, const cak_yaml *n)
{
    char buf[1024];
    return cak_arena_text(r->a, cak_yaml_name(n, buf, sizeof buf));
}

/* ---- targets ---- */

/* A variable's value as a scalar at the place of n; it reads as plain text where YAML could hold it without quotes. */
static cak_yaml *environment(resolver *r, const cak_yaml *n, const char *expr)
{
    const char *comma = strchr(expr, ',');
    int len = comma ? (int)(comma - expr) : (int)strlen(expr);
    const char *name = cak_arena_print(r->a, "%.*s", len, expr), *value = getenv(name);
    if (!value && comma) value = comma + 1;
    if (!value)
        return fail(r, n,
                    cak_arena_print(r->a, "the environment variable '%s' is not set; a default is written ${env:%s,default}",
                                    name, name)),
               NULL;
    size_t size = strlen(value);
    if (size > CAK_YAML_MAX_SCALAR || cak_utf8_check(value, size) < size || strstr(value, "${"))
        return fail(r, n, cak_arena_print(r->a, "the environment variable '%s' holds no usable text", name)), NULL;
    cak_yaml *v = cak_arena_alloc(r->a, sizeof *v);
    *v = (cak_yaml){
        .kind = CAK_YAML_SCALAR, .pos = n->pos, .text = cak_arena_text(r->a, value), .quoted = !cak_yaml_plain(value)
    };
    return v;
}

/* The resolved value at a path; a part of the path may itself be a reference to a mapping. */
static cak_yaml *lookup(resolver *r, const cak_yaml *n, const char *path)
{
    cak_yaml *at = r->root;
    for (const char *rest = path; at;) {
        size_t len = strcspn(rest, ".");
        at = cak_yaml_step(at, rest, len);
        if (at && !rest[len]) {
            at->referred = true;
            return resolve(r, at) ? at : NULL;
        }
        if (at && at->kind == CAK_YAML_SCALAR && !resolve(r, at)) return NULL;
        rest += len + (rest[len] == '.');
    }
    const char *near = cak_path_suggest(r->a, r->root, path, NULL, 0);
    const char *meant = near ? cak_arena_print(r->a, "; did you mean '${%s}'?", near) : "";
    return fail(r, n, cak_arena_print(r->a, "there is no value '%s' to insert%s", path, meant)), NULL;
}

static cak_yaml *target(resolver *r, const cak_yaml *n, const char *expr)
{
    if (strstr(expr, "${")) return fail(r, n, "references inside references are not supported"), NULL;
    if (!expr[0]) return fail(r, n, "'${}' names nothing; write ${path.to.key}"), NULL;
    return strncmp(expr, "env:", 4) ? lookup(r, n, expr) : environment(r, n, expr + 4);
}

/* ---- scalars ---- */

/* The scalar is one reference: it takes the target's value and quoting, mappings and lists too. */
static bool take(resolver *r, cak_yaml *n, const cak_yaml *from)
{
    int height, above = 0;
    r->copied += cak_yaml_measure(from, &height);
    for (const cak_yaml *p = n->parent; p; p = p->parent) above++;
    if (r->copied > CAK_YAML_MAX_NODES) return cak_error(r->d, CAK_E1004, n->pos, "references copy more than 10000 values");
    if (above + height > CAK_YAML_MAX_DEPTH)
        return cak_error(r->d, CAK_E1004, n->pos, "references make the nesting deeper than 32");
    cak_yaml *copy = cak_yaml_clone(r->a, from);
    copy->origin = n->origin; /* the place stays that of the value: its mistakes are reported there, once for all uses */
    copy->remark = "inserted here", copy->remark_pos = n->pos;
    cak_yaml_assign(n, copy);
    return true;
}

/* Text around references: the targets are inserted as text. */
static bool join(resolver *r, cak_yaml *n)
{
    cak_text_builder b = { .a = r->a };
    const char *text = n->text;
    for (const char *ref = strstr(text, "${"); ref; ref = strstr(text, "${")) {
        const char *end = strchr(ref, '}');
        if (!end) return fail(r, n, "'${' without '}'");
        const char *expr = cak_arena_print(r->a, "%.*s", (int)(end - ref - 2), ref + 2);
        const cak_yaml *t = target(r, n, expr);
        if (!t) return false;
        if (cak_diag_silent(r->d, t->pos)) cak_diag_silence(r->d, n->pos);
        if (t->kind != CAK_YAML_SCALAR)
            return fail(r, n, cak_arena_print(r->a, "'%s' is no single value and cannot stand inside a text", expr));
        cak_text_add(&b, "%.*s%s", (int)(ref - text), text, t->text);
        if (b.n > CAK_YAML_MAX_SCALAR) return cak_error(r->d, CAK_E1004, n->pos, "references make a text longer than 64 KiB");
        text = end + 1;
    }
    cak_text_add(&b, "%s", text);
    if (strstr(cak_text_done(&b), "${")) return fail(r, n, "the inserted text makes a new reference '${'");
    n->text = cak_text_done(&b);
    n->quoted = n->quoted || !cak_yaml_plain(n->text);
    return true;
}

static bool replace(resolver *r, cak_yaml *n)
{
    const char *end = strchr(n->text, '}');
    if (strncmp(n->text, "${", 2) != 0 || !end || end[1]) return join(r, n);
    const cak_yaml *t = target(r, n, cak_arena_print(r->a, "%.*s", (int)(end - n->text - 2), n->text + 2));
    return t && take(r, n, t);
}

static bool circular(resolver *r, const cak_yaml *n)
{
    int first = 0;
    while (r->open[first] != n) first++;
    cak_text_builder b = { .a = r->a };
    for (int i = first; i < r->depth; i++) cak_text_add(&b, "%s -> ", name_of(r, r->open[i]));
    fail(r, n, cak_arena_print(r->a, "circular references: %s%s", cak_text_done(&b), name_of(r, n)));
    for (int i = first + 1; i < r->depth; i++) cak_note(r->d, r->open[i]->pos, "'%s' is here", name_of(r, r->open[i]));
    return false;
}

static bool resolve_scalar(resolver *r, cak_yaml *n)
{
    if (!strstr(n->text, "${")) return true;
    for (int i = 0; i < r->depth; i++)
        if (r->open[i] == n) return circular(r, n);
    if (r->depth == MAX_CHAIN) return fail(r, n, "a chain of more than 64 references");
    r->open[r->depth++] = n;
    bool ok = replace(r, n);
    r->depth--;
    if (ok) return true;
    n->text = "", n->quoted = true; /* reported: neither references to it nor its type are reported again */
    cak_diag_silence(r->d, n->pos);
    return false;
}

static bool resolve(resolver *r, cak_yaml *n)
{
    if (n->kind == CAK_YAML_SCALAR) return resolve_scalar(r, n);
    bool ok = true;
    cak_yaml_each (c, n) ok &= resolve(r, c);
    return ok;
}

void cak_interpolate(cak_arena *a, cak_diag *d, cak_yaml *root)
{
    resolver r = { .a = a, .d = d, .root = root };
    resolve(&r, root);
}
