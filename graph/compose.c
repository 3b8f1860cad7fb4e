/* Composition: a file, the files that its `defaults` name, and theirs, merged into one tree. */
#include "graph/compose.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "graph/io.h"
#include "graph/text.h"

enum { MAX_CHAIN = 32, MAX_FILES = 256 };

typedef struct link { /* the files that are being composed, innermost first */
    const char *path, *real;
    cak_pos named; /* the `defaults` entry that names the file */
    const struct link *up;
    int depth;
} link;

static cak_yaml *compose_file(cak_composer *c, const char *path, cak_pos named, const link *up);

void cak_compose_merge(cak_arena *a, cak_yaml *dst, const cak_yaml *src, const char *remark)
{
    cak_yaml_each (s, src) {
        cak_yaml *old = cak_yaml_get(dst, s->key);
        if (old && old->kind == CAK_YAML_MAP && s->kind == CAK_YAML_MAP) {
            cak_compose_merge(a, old, s, remark);
            continue;
        }
        cak_yaml *copy = cak_yaml_clone(a, s);
        if (!old) {
            cak_yaml_append(dst, copy);
            continue;
        }
        copy->remark = remark, copy->remark_pos = old->pos;
        cak_yaml_assign(old, copy);
        old->key_pos = s->key_pos;
    }
}

bool cak_check_size(cak_diag *d, const cak_yaml *root, cak_pos at)
{
    int height, count = cak_yaml_measure(root, &height);
    if (count > CAK_YAML_MAX_NODES) return cak_error(d, CAK_E1004, at, "the composed configuration has more than 10000 values");
    if (height > CAK_YAML_MAX_DEPTH) return cak_error(d, CAK_E1004, at, "the composed configuration is nested deeper than 32");
    return true;
}

/* ---- files by name ---- */

static bool has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);
    return n > k && !strcmp(name + n - k, suffix);
}

static const char *directory(cak_arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? cak_arena_print(a, "%.*s", (int)(slash - path + 1), path) : "";
}

/* dir/name with the extension that exists; NULL when no such file exists. */
static const char *find_file(cak_arena *a, const char *dir, const char *name)
{
    const char *prefix = name[0] == '/' ? "" : dir;
    static const char *const suffix[] = { ".yaml", ".yml" };
    for (int i = 0; i < 2; i++) {
        const char *path = cak_arena_print(a, "%s%s%s", prefix, name, has_suffix(name, suffix[i]) ? "" : suffix[i]);
        if (cak_io_exists(path)) return cak_io_short(a, path);
    }
    return NULL;
}

static int by_name(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }

/* Names of the configurations in a directory, sorted, without extension; -1 when there is no directory. */
static int list_options(cak_arena *a, const char *dir, const char ***names)
{
    DIR *handle = opendir(dir[0] ? dir : ".");
    if (!handle) return -1;
    int n = 0, cap = 0, unique = 0;
    const char **list = NULL;
    for (const struct dirent *e = readdir(handle); e; e = readdir(handle)) {
        const char *dot = has_suffix(e->d_name, ".yaml") || has_suffix(e->d_name, ".yml") ? strrchr(e->d_name, '.') : NULL;
        if (!dot) continue;
        list = cak_arena_grow(a, list, &cap, n + 1, sizeof *list);
        list[n++] = cak_arena_print(a, "%.*s", (int)(dot - e->d_name), e->d_name);
    }
    closedir(handle);
    if (n) qsort(list, (size_t)n, sizeof *list, by_name);
    for (int i = 0; i < n; i++)
        if (!unique || strcmp(list[i], list[unique - 1]) != 0) list[unique++] = list[i];
    *names = list;
    return unique;
}

/* Report an option that has no file, with those that have one. */
static void no_option(cak_composer *c, const char *group, const char *name, const char *dir, cak_pos at)
{
    const char **options = NULL, *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    const char *path = cak_io_short(c->a, name[0] == '/' ? name : cak_arena_print(c->a, "%s%s", dir, name));
    const char *where = directory(c->a, path);
    int n = list_options(c->a, where, &options);
    cak_text_builder b = { .a = c->a };
    if (group[0]) cak_text_add(&b, "the group '%s' has no option '%s'", group, name);
    else cak_text_add(&b, "there is no file '%s.yaml'", path);
    const char *near = n > 0 ? cak_suggest(base, options, n) : NULL;
    if (near) cak_text_add(&b, "; did you mean '%s'?", near);
    cak_error(c->d, CAK_E1101, at, "%s", cak_text_done(&b));
    if (n < 0) {
        cak_note(c->d, CAK_NOWHERE, "there is no directory '%s'", where);
        return;
    }
    cak_text_builder list = { .a = c->a };
    for (int i = 0; i < n; i++) cak_text_add(&list, "%s%s", i ? ", " : "", options[i]);
    cak_note(c->d, CAK_NOWHERE, "available in %s: %s", where[0] ? where : "./", n ? cak_text_done(&list) : "nothing");
}

/* ---- `defaults` ---- */

static bool is_self(const cak_yaml *entry) { return entry->kind == CAK_YAML_SCALAR && !strcmp(entry->text, "_self_"); }

/* Is the shape of the list right? Entries are names, {group: option} and _self_, which must be there when there are others. */
static bool check_defaults(cak_composer *c, const cak_yaml *list)
{
    if (list->kind != CAK_YAML_LIST)
        return cak_error(c->d, CAK_E1102, list->key_pos, "`defaults` is a list: [model: cak, _self_]");
    const cak_yaml *self = NULL;
    int before = cak_diag_errors(c->d);
    cak_yaml_each (e, list) {
        const cak_yaml *name = e->kind == CAK_YAML_MAP && e->n == 1 ? e->child : e;
        if (name->kind != CAK_YAML_SCALAR || !name->text[0])
            cak_error(c->d, CAK_E1102, e->pos, "an entry of `defaults` is `group: option`, a file name or `_self_`");
        if (!is_self(e)) continue;
        if (self) {
            cak_error(c->d, CAK_E1102, e->pos, "`_self_` stands in `defaults` twice");
            cak_note(c->d, self->pos, "first here");
        }
        self = e;
    }
    if (list->n && !self)
        cak_error(c->d, CAK_E1102, list->key_pos,
                  "`defaults` does not say where this file itself goes; add `- _self_` (as last entry, so that this file wins)");
    return cak_diag_errors(c->d) == before;
}

static void remember_group(cak_composer *c, const char *group)
{
    c->group = cak_arena_grow(c->a, c->group, &c->groups_cap, c->n_groups + 1, sizeof *c->group);
    c->group[c->n_groups++] = group;
}

static void remember_file(cak_composer *c, const cak_yaml *entry)
{
    c->named = cak_arena_grow(c->a, c->named, &c->named_cap, c->n_named + 1, sizeof *c->named);
    c->named[c->n_named++] = entry;
}

/* Merge the file that one entry names into `out`. */
static bool merge_entry(cak_composer *c, cak_yaml *out, const cak_yaml *entry, const link *self)
{
    const char *dir = directory(c->a, self->path), *group = "";
    const cak_yaml *option = entry;
    if (entry->kind == CAK_YAML_MAP) {
        option = entry->child;
        group = option->key;
        remember_group(c, group);
        const cak_override *o = cak_override_option(c, group);
        if (o) option = o->value;
        dir = cak_arena_print(c->a, "%s%s/", dir, group);
    } else {
        remember_file(c, entry);
    }
    if (cak_yaml_null(option)) return true; /* `model: null` selects nothing */
    const char *path = find_file(c->a, dir, option->text);
    if (!path) {
        no_option(c, group, option->text, dir, option->pos);
        return false;
    }
    const cak_yaml *tree = compose_file(c, path, option->pos, self);
    if (!tree) return false;
    cak_compose_merge(c->a, out, tree, "replaces the value given here");
    return cak_check_size(c->d, out, option->pos);
}

static cak_yaml *merge_defaults(cak_composer *c, cak_yaml *root, cak_yaml *list, const link *self)
{
    if (!check_defaults(c, list)) return NULL;
    cak_yaml_remove(list);
    if (!list->n) return root;
    cak_yaml *out = cak_arena_alloc(c->a, sizeof *out);
    *out = (cak_yaml){ .kind = CAK_YAML_MAP, .pos = root->pos };
    bool ok = true;
    cak_yaml_each (e, list) {
        if (is_self(e)) cak_compose_merge(c->a, out, root, "replaces the value given here");
        else ok &= merge_entry(c, out, e, self);
    }
    return ok ? out : NULL;
}

/* ---- files ---- */

static bool check_chain(cak_composer *c, const link *self)
{
    const link *same = self->up;
    while (same && strcmp(same->real, self->real) != 0) same = same->up;
    if (!same && self->depth <= MAX_CHAIN) return true;
    if (!same) return cak_error(c->d, CAK_E1102, self->named, "`defaults` go deeper than 32 files");
    const char *chain = self->path;
    for (const link *l = self->up; l; l = l == same ? NULL : l->up) chain = cak_arena_print(c->a, "%s -> %s", l->path, chain);
    cak_error(c->d, CAK_E1102, self->named, "`defaults` are circular: %s", chain);
    for (const link *l = self->up; l != same; l = l->up) cak_note(c->d, l->named, "'%s' is named here", l->path);
    return false;
}

static cak_yaml *compose_file(cak_composer *c, const char *path, cak_pos named, const link *up)
{
    char real[PATH_MAX];
    link self = { path, cak_arena_text(c->a, realpath(path, real) ? real : path), named, up, up ? up->depth + 1 : 1 };
    if (!check_chain(c, &self)) return NULL;
    for (int i = 0; i < c->n_files; i++)
        if (!strcmp(c->file[i].real, self.real)) return c->file[i].tree;
    if (c->n_files == MAX_FILES) return cak_error(c->d, CAK_E1102, named, "more than 256 files in one configuration"), NULL;
    int me = c->n_files;
    c->file = cak_arena_grow(c->a, c->file, &c->files_cap, me + 1, sizeof *c->file);
    c->file[c->n_files++] = (cak_composed){ path, self.real, NULL };
    cak_yaml *root = cak_yaml_load(c->a, c->d, path);
    cak_yaml *list = cak_yaml_get(root, "defaults");
    cak_yaml *tree = list ? merge_defaults(c, root, list, &self) : root;
    return c->file[me].tree = tree; /* the array may have moved while the defaults were read */
}

cak_yaml *cak_compose(cak_composer *c, const char *path)
{
    return compose_file(c, cak_arena_text(c->a, path), CAK_NOWHERE, NULL);
}
