/* Configurations: files and overrides -> one resolved tree, its text and its digest. */
#include "graph/config.h"

#include "graph/compose.h"
#include "graph/text.h"

static cak_yaml *resolved(cak_composer *c, const char *path, const char *const *overrides, int n)
{
    cak_override_read(c, overrides, n);
    cak_yaml *root = cak_compose(c, path);
    if (!root) return NULL;
    cak_override_apply(c, root);
    cak_pos at = { .file = path };
    if (!root->n) return cak_error(c->d, CAK_E1001, at, "empty configuration"), NULL;
    if (!cak_check_size(c->d, root, at)) return NULL;
    cak_interpolate(c->a, c->d, root);
    return cak_check_size(c->d, root, at) ? root : NULL;
}

cak_config *cak_config_load(cak_diag *d, const char *path, const char *const *overrides, int n)
{
    cak_composer c = { .a = cak_arena_open("configuration"), .d = d };
    cak_yaml *root = resolved(&c, path, overrides, n);
    if (!root) {
        cak_arena_close(c.a);
        return NULL;
    }
    const char **files = cak_arena_alloc(c.a, (size_t)c.n_files * sizeof *files);
    for (int i = 0; i < c.n_files; i++) files[i] = c.file[i].path;
    cak_config *config = cak_arena_alloc(c.a, sizeof *config);
    *config = (cak_config){ root, c.a, d, cak_arena_text(c.a, path), files, c.n_files };
    return config;
}

void cak_config_close(cak_config *c)
{
    if (c) cak_arena_close(c->arena); /* c lives in it */
}

const char *cak_config_text(cak_config *c) { return cak_yaml_print(c->arena, c->root); }

/* Runs that only write more or less about themselves are the same runs: one may go on from the checkpoint of the other. */
static const char *text_without_log(cak_config *c)
{
    cak_yaml *root = cak_yaml_clone(c->arena, c->root), *log = cak_yaml_get(root, "log");
    if (log) cak_yaml_remove(log);
    return cak_yaml_print(c->arena, root);
}

void cak_config_digest(cak_config *c, char hex[33]) { cak_text_digest(text_without_log(c), hex); }
