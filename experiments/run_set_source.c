/* What a resolved configuration does not hold any more, from the files that it was composed of: hp, and the options of `defaults`.
**
** config.src/ has the file that was asked for first, then the others in the order in which they were merged. Where they contradict each
** other, and the first one does not decide (its own keys come last, `_self_` at the end), a value stays unknown. */
#include <string.h>

#include "experiments/run_set.h"
#include "graph/io.h"
#include "graph/yaml.h"

typedef struct source {
    cak_run_set *s;
    cak_member *r;
    const cak_yaml **file; /* the first one is what was asked for */
    int n;
} source;

static void read_files(source *x, cak_diag *d)
{
    const char *dir = cak_arena_print(x->s->arena, "%s/config.src", x->r->info->dir);
    int n = 0;
    const cak_io_entry *entry = cak_io_exists(dir) ? cak_io_list(x->s->arena, d, dir, &n) : NULL;
    x->file = cak_arena_alloc(x->s->arena, ((size_t)n + 1) * sizeof *x->file);
    for (int i = 0; entry && i < n; i++) {
        const char *path = cak_arena_print(x->s->arena, "%s/%s", dir, entry[i].name);
        const cak_yaml *root = entry[i].kind == CAK_IO_FILE ? cak_yaml_load(x->s->arena, d, path) : NULL;
        if (root) x->file[x->n++] = root;
    }
}

/* Do the file's own keys come after those of the files that it names? */
static bool decides(const cak_yaml *file)
{
    const cak_yaml *last = cak_yaml_get(file, "defaults");
    for (last = last ? last->child : NULL; last && last->next;) last = last->next;
    return !last || (last->kind == CAK_YAML_SCALAR && strcmp(last->text, "_self_") == 0);
}

/* The value that the files give to hp.NAME; NULL: unknown. */
static const char *constant(const source *x, const char *name)
{
    const char *found = NULL;
    for (int i = 0; i < x->n; i++) {
        const cak_yaml *hp = cak_yaml_get(x->file[i], "hp"), *v = hp && hp->kind == CAK_YAML_MAP ? cak_yaml_get(hp, name) : NULL;
        if (!v) continue;
        if (v->kind != CAK_YAML_SCALAR || strstr(v->text, "${")) return NULL;
        if (i == 0 && decides(x->file[0])) return v->text;
        if (found && strcmp(found, v->text) != 0) return NULL;
        found = v->text;
    }
    return found;
}

static void put_constants(source *x)
{
    for (int i = 0; i < x->n; i++) {
        const cak_yaml *hp = cak_yaml_get(x->file[i], "hp");
        if (!hp || hp->kind != CAK_YAML_MAP) continue;
        cak_yaml_each (c, hp) {
            const char *text = constant(x, c->key);
            if (text) cak_run_set_put(x->s, x->r, cak_arena_print(x->s->arena, "hp.%s", c->key), text)->source = true;
        }
    }
}

/* "defaults: [ - model: cak ]" */
static void put_options(source *x)
{
    const cak_yaml *defaults = cak_yaml_get(x->file[0], "defaults");
    if (!defaults || defaults->kind != CAK_YAML_LIST) return;
    cak_yaml_each (entry, defaults) {
        const cak_yaml *option = entry->kind == CAK_YAML_MAP ? entry->child : NULL;
        if (option && option->kind == CAK_YAML_SCALAR) cak_run_set_put(x->s, x->r, option->key, option->text)->source = true;
    }
}

void cak_run_set_sources(cak_run_set *s, cak_member *r)
{
    source x = { .s = s, .r = r };
    cak_diag *quiet = cak_diag_open(); /* what cannot be read is not known */
    read_files(&x, quiet);
    if (x.n) put_constants(&x);
    if (x.n) put_options(&x);
    cak_diag_close(quiet);
}
