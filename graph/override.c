/* Overrides from the command line: a.b=c sets, +a.b=c adds, ++a.b=c does either, ~a.b removes, group=option selects. */
#include <stddef.h>
#include <string.h>

#include "graph/compose.h"
#include "graph/utf8.h"
#include "graph/yaml_parse.h"

typedef struct cak_override_op {
    const char *prefix;
    bool adds, replaces, removes;
} cak_override_op;

static const cak_override_op ops[] = { /* longest prefix first */
                                       { "++", true, true, false },
                                       { "+", true, false, false },
                                       { "~", false, false, true },
                                       { "", false, true, false }
};

static const char *const overrides_value = "overrides the value given here";

static int characters(const char *s, size_t n)
{
    int count = 0;
    for (size_t i = 0; i < n; i++) count += (s[i] & 0xc0) != 0x80;
    return count;
}

/* ---- reading ---- */

/* The text with everything before the value blanked, so that places in the value count from the start of the override. */
static cak_yaml *read_value(cak_composer *c, const char *file, const char *text, size_t start)
{
    int blanks = characters(text, start);
    const char *value = text + start, *shown = cak_arena_print(c->a, "%*s%s", blanks, "", value);
    cak_pos at = { file, 1, blanks + 1, characters(value, strlen(value)) };
    size_t space = strspn(value, " ");
    if (!value[space] || value[space] == '#') {
        at.len = 1;
        return cak_error(c->d, CAK_E1104, at, "the value is missing; write null or \"\" if that is meant"), NULL;
    }
    cak_yaml *n = cak_yaml_parse_shown(c->a, c->d, file, shown, strlen(shown), text);
    if (!n || n->kind == CAK_YAML_SCALAR || strchr("[{", value[space])) return n;
    return cak_error(c->d, CAK_E1104, at,
                     "the value reads as a block of YAML; quote a text, write lists as [a, b] and mappings as {a: b}"),
           NULL;
}

static bool check_path(cak_composer *c, const cak_override *o)
{
    const char *p = o->path;
    if (strchr(p, ' ')) return cak_error(c->d, CAK_E1104, o->path_pos, "an override has no spaces before the '='");
    if (!p[0] || p[0] == '.' || p[strlen(p) - 1] == '.' || strstr(p, ".."))
        return cak_error(c->d, CAK_E1104, o->path_pos, "the path '%s' has an empty part", p);
    return true;
}

static void set_origin(cak_yaml *n, const char *origin)
{
    n->origin = origin;
    cak_yaml_each (child, n) set_origin(child, origin);
}

static bool read_override(cak_composer *c, cak_override *o, int number, const char *text)
{
    const char *file = cak_arena_print(c->a, "<override %d>", number);
    cak_diag_source(c->d, file, text);
    o->text = cak_arena_text(c->a, text);
    size_t n = strlen(text), bad = cak_utf8_check(text, n), control = strcspn(text, "\t\r\n");
    if (control < bad) bad = control;
    if (bad < n)
        return cak_error(c->d, CAK_E1104, (cak_pos){ file, 1, characters(text, bad) + 1, 1 },
                         "byte 0x%02x is not allowed in an override%s", (unsigned char)text[bad],
                         text[bad] == '\r' ? " (a script with Windows line ends?)" : "");
    o->op = ops;
    while (strncmp(text, o->op->prefix, strlen(o->op->prefix)) != 0) o->op++;
    size_t skip = strlen(o->op->prefix), len = strcspn(text + skip, "=");
    o->path = cak_arena_print(c->a, "%.*s", (int)len, text + skip);
    o->path_pos = (cak_pos){ file, 1, (int32_t)skip + 1, characters(o->path, len) };
    bool has_value = text[skip + len] == '=';
    if (!check_path(c, o)) return false;
    if (o->op->removes)
        return !has_value || cak_error(c->d, CAK_E1104, o->path_pos, "'%s': a removal has no value; write ~%s", text, o->path);
    if (!has_value) return cak_error(c->d, CAK_E1104, o->path_pos, "'%s': an override is written name=value", text);
    o->value = read_value(c, file, o->text, skip + len + 1);
    if (o->value) set_origin(o->value, cak_arena_print(c->a, "override %d: %s", number, text));
    return o->value != NULL;
}

void cak_override_read(cak_composer *c, const char *const *texts, int n)
{
    c->override = cak_arena_alloc(c->a, (size_t)n * sizeof *c->override);
    c->n_overrides = n;
    for (int i = 0; i < n; i++) c->override[i].bad = !read_override(c, &c->override[i], i + 1, texts[i]);
}

const cak_override *cak_override_option(cak_composer *c, const char *group)
{
    const cak_override *selected = NULL;
    for (int i = 0; i < c->n_overrides; i++) {
        cak_override *o = &c->override[i];
        if (!o->value || o->value->kind != CAK_YAML_SCALAR || o->op->prefix[0] || strcmp(o->path, group) != 0) continue;
        o->selects = true;
        selected = o;
    }
    return selected;
}

/* ---- applying ---- */

/* Is "../model/cak" a file in a folder "model"? */
static bool in_folder(const char *path, const char *folder)
{
    const char *slash = strrchr(path, '/');
    size_t n = strlen(folder);
    if (!slash || (size_t)(slash - path) < n || strncmp(slash - n, folder, n) != 0) return false;
    return slash - n == path || slash[-(ptrdiff_t)n - 1] == '/';
}

/* "model=film", where `defaults` says "- ../model/cak": true after the error, which tells what could be selected from. */
static bool names_no_group(cak_composer *c, const cak_override *o)
{
    for (int i = 0; i < c->n_named && !o->op->prefix[0]; i++) {
        const char *file = c->named[i]->text;
        if (!in_folder(file, o->path)) continue;
        const char *option = strrchr(file, '/') + 1;
        cak_error(c->d, CAK_E1103, o->path_pos,
                  "'%s' is no key and no group: `defaults` names a file, '%s', where only `- %s: %s` could be selected from",
                  o->path, file, o->path, option);
        cak_note(c->d, c->named[i]->pos, "named here; a group is a directory beside the configuration, as %s/ would be", o->path);
        return true;
    }
    return false;
}

static void missing(cak_composer *c, const cak_override *o, const cak_yaml *root, size_t len)
{
    if (names_no_group(c, o)) return;
    const char *near = cak_path_suggest(c->a, root, o->path, c->group, c->n_groups);
    const char *meant = near ? cak_arena_print(c->a, "; did you mean '%s'?", near) : "";
    const char *add = o->op->replaces && !o->op->adds ? cak_arena_print(c->a, "; a new key is added with '+%s'", o->text) : "";
    cak_error(c->d, CAK_E1103, o->path_pos, "there is no key '%.*s'%s%s", (int)len, o->path, meant, near ? "" : add);
}

/* A new child for the last part of the path: a key of a map, or the next item of a list. */
static void add_child(cak_composer *c, const cak_override *o, cak_yaml *parent, const char *name)
{
    if (parent->kind == CAK_YAML_LIST && strcmp(name, cak_arena_print(c->a, "%d", parent->n)) != 0) {
        cak_error(c->d, CAK_E1103, o->path_pos, "the list has %d items; the next one to add is number %d", parent->n, parent->n);
        return;
    }
    o->value->key = parent->kind == CAK_YAML_MAP ? name : NULL;
    o->value->key_pos = o->path_pos;
    cak_yaml_append(parent, o->value);
}

static void replace(cak_composer *c, const cak_override *o, cak_yaml *child)
{
    if (child->kind == CAK_YAML_MAP && o->value->kind == CAK_YAML_MAP) {
        cak_compose_merge(c->a, child, o->value, overrides_value);
        return;
    }
    o->value->remark = overrides_value, o->value->remark_pos = child->pos;
    cak_yaml_assign(child, o->value);
    child->key_pos = o->path_pos;
}

static void apply_here(cak_composer *c, const cak_override *o, const cak_yaml *root, cak_yaml *parent, const char *name)
{
    cak_yaml *child = cak_yaml_step(parent, name, strlen(name));
    if (!child) {
        if (o->op->adds) add_child(c, o, parent, name);
        else missing(c, o, root, strlen(o->path));
    } else if (o->op->removes) {
        cak_yaml_remove(child);
    } else if (o->op->replaces) {
        replace(c, o, child);
    } else {
        cak_error(c->d, CAK_E1103, o->path_pos, "the key '%s' exists already; it is set with '%s'", o->path, o->text + 1);
        cak_note(c->d, child->pos, "given here");
    }
}

/* The child to go through on the way to the last part of the path; adding makes mappings on the way. */
static cak_yaml *enter(cak_composer *c, const cak_override *o, const cak_yaml *root, cak_yaml *parent, const char *name,
                       size_t len)
{
    cak_yaml *child = cak_yaml_step(parent, name, strlen(name));
    if (!child && o->op->adds && parent->kind == CAK_YAML_MAP) {
        child = cak_arena_alloc(c->a, sizeof *child);
        *child = (cak_yaml){
            .kind = CAK_YAML_MAP, .pos = o->path_pos, .key = name, .key_pos = o->path_pos, .origin = o->value->origin
        };
        cak_yaml_append(parent, child);
    }
    if (!child) return missing(c, o, root, len), NULL;
    if (o->op->adds && cak_yaml_null(child)) child->kind = CAK_YAML_MAP, child->text = NULL;
    if (child->kind != CAK_YAML_SCALAR) return child;
    cak_error(c->d, CAK_E1103, o->path_pos, "'%.*s' is a single value and has no keys", (int)len, o->path);
    cak_note(c->d, child->pos, "given here");
    return NULL;
}

static void apply(cak_composer *c, const cak_override *o, cak_yaml *root)
{
    cak_yaml *parent = root;
    for (const char *rest = o->path; parent;) {
        size_t len = strcspn(rest, ".");
        const char *name = cak_arena_print(c->a, "%.*s", (int)len, rest);
        if (!rest[len]) {
            apply_here(c, o, root, parent, name);
            return;
        }
        rest += len;
        parent = enter(c, o, root, parent, name, (size_t)(rest - o->path));
        rest++;
    }
}

void cak_override_apply(cak_composer *c, cak_yaml *root)
{
    for (int i = 0; i < c->n_overrides; i++)
        if (!c->override[i].selects && !c->override[i].bad) apply(c, &c->override[i], root);
}

/* ---- suggestions ---- */

/* A path anywhere in the tree whose last key is `key`. */
static const cak_yaml *find_key(const cak_yaml *n, const char *key)
{
    cak_yaml_each (c, n) {
        if (c->key && !strcmp(c->key, key)) return c;
        const cak_yaml *found = find_key(c, key);
        if (found) return found;
    }
    return NULL;
}

const char *cak_path_suggest(cak_arena *a, const cak_yaml *root, const char *path, const char *const *more, int n_more)
{
    const cak_yaml *parent = root;
    const char *rest = path;
    for (const cak_yaml *next = root; next;) { /* to the part that does not exist */
        parent = next;
        next = cak_yaml_step(parent, rest, strcspn(rest, "."));
        if (next) rest += strcspn(rest, ".") + (strchr(rest, '.') != NULL);
        if (next && !*rest) return NULL; /* the path exists */
    }
    int extra = parent == root ? n_more : 0, n = 0;
    const char **names = cak_arena_alloc(a, (size_t)(parent->n + extra) * sizeof *names);
    if (parent->kind == CAK_YAML_MAP)
        cak_yaml_each (c, parent) names[n++] = c->key;
    for (int i = 0; i < extra; i++) names[n++] = more[i];
    const char *tail = rest + strcspn(rest, "."), *word = cak_arena_print(a, "%.*s", (int)(tail - rest), rest);
    const char *near = cak_suggest(word, names, n);
    if (near) return cak_arena_print(a, "%.*s%s%s", (int)(rest - path), path, near, tail);
    const char *last = strrchr(path, '.') ? strrchr(path, '.') + 1 : path;
    const cak_yaml *elsewhere = find_key(root, last);
    char buf[1024];
    return elsewhere ? cak_arena_text(a, cak_yaml_name(elsewhere, buf, sizeof buf)) : NULL;
}
