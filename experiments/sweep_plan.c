/* The plan of a sweep on disk: made, extended, read back. */
#include <jansson.h>
#include <string.h>

#include "experiments/sweep_check.h"
#include "experiments/sweep_dir.h"
#include "experiments/sweep_parts.h"
#include "graph/io.h"
#include "graph/text.h"

enum { MAX_PLAN = 256 << 20 };

static const char *in_dir(cak_arena *a, const char *dir, const char *name) { return cak_arena_print(a, "%s/%s", dir, name); }

/* ---- reading ---- */

typedef struct plan { /* lines of plan.jsonl as they are */
    json_t **line;
    int n, cap;
} plan;

static void close_plan(plan *p)
{
    for (int i = 0; i < p->n; i++) json_decref(p->line[i]);
}

static const char *line_text(const json_t *line, const char *key) { return json_string_value(json_object_get(line, key)); }

static bool read_line(cak_arena *a, cak_diag *d, plan *p, const char *path, const char *text, size_t n)
{
    json_error_t e;
    json_t *line = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    if (!line) return cak_error(d, CAK_E4002, (cak_pos){ path, p->n + 1, e.column > 0 ? e.column : 1, 1 }, "%s", e.text);
    p->line = cak_arena_grow(a, p->line, &p->cap, p->n + 1, sizeof *p->line);
    p->line[p->n++] = line;
    const char *id = line_text(line, "id");
    bool whole = id && strlen(id) == CAK_POINT_ID - 1 && line_text(line, "config_hash") &&
                 json_is_object(json_object_get(line, "overrides"));
    return whole || cak_error(d, CAK_E4002, (cak_pos){ path, p->n, 1, 1 }, "a field of the point is missing or wrong");
}

/* No file is a plan without lines. */
static bool read_plan(cak_arena *a, cak_diag *d, const char *dir, plan *p)
{
    size_t size;
    const char *path = in_dir(a, dir, "plan.jsonl");
    if (!cak_io_exists(path)) return true;
    const char *text = cak_io_read_all(a, d, CAK_E4002, path, MAX_PLAN, &size);
    for (const char *end = text ? text + size : NULL; text && text < end;) {
        size_t n = strcspn(text, "\n");
        if (!read_line(a, d, p, path, text, n)) return false;
        text += n + (text[n] == '\n');
    }
    return text != NULL;
}

/* ---- writing ---- */

static void add_line(cak_text_builder *b, json_t *line)
{
    size_t n = json_dumpb(line, NULL, 0, JSON_COMPACT);
    char *text = cak_arena_alloc(b->a, n + 1);
    json_dumpb(line, text, n, JSON_COMPACT);
    cak_text_add(b, "%s\n", text);
}

static json_t *point_json(const cak_sweep *s, const cak_point *p, const char *hash)
{
    json_t *overrides = json_object();
    for (int i = 0; i < s->n_keys; i++) json_object_set_new(overrides, s->key[i], json_string(p->value[i]));
    json_t *line = json_pack("{s:s, s:s, s:o}", "id", p->id, "config_hash", hash, "overrides", overrides);
    CAK_CHECK(line);
    return line;
}

/* A point that the file has no more is kept when something of it exists. */
static bool has_trace(cak_arena *a, const char *dir, const char *id)
{
    return cak_io_exists(cak_arena_print(a, "%s/runs/%s", dir, id)) ||
           cak_io_exists(cak_arena_print(a, "%s/attempts/%s.jsonl", dir, id));
}

/* What a new plan does to the one that is there. */
typedef struct change {
    int kept, changed, first_changed; /* points in both plans; those that mean something else now */
    int dropped, lost;                /* old points that the file has no more: all, and those of which something exists */
} change;

static change compare(cak_arena *a, const char *dir, const cak_sweep *s, const char *const *config_hash, const plan *old)
{
    change c = { 0 };
    json_t *hash = json_object();
    for (int i = 0; i < s->n_points; i++) json_object_set_new(hash, s->point[i].id, json_integer(i));
    for (int i = old->n - 1; i >= 0; i--) {
        const char *id = line_text(old->line[i], "id");
        const json_t *now = json_object_get(hash, id);
        int point = (int)json_integer_value(now);
        bool differs = now && strcmp(config_hash[point], line_text(old->line[i], "config_hash"));
        c.kept += now != NULL;
        c.changed += differs;
        if (differs) c.first_changed = point;
        if (now || json_is_true(json_object_get(old->line[i], "dropped"))) continue;
        c.dropped++;
        c.lost += has_trace(a, dir, id);
    }
    json_decref(hash);
    return c;
}

/* Points that are in both plans must mean the same in both, and a plan is not replaced by one that has nothing to do with it. */
static bool compatible(cak_arena *a, cak_diag *d, const char *dir, const cak_sweep *s, const change *c)
{
    if (c->changed) {
        cak_error(d, CAK_E5002, CAK_NOWHERE, "%s: the configuration of point %s is another one than when the plan was made", dir,
                  cak_point_text(a, s, &s->point[c->first_changed]));
        if (c->changed > 1) cak_note(d, CAK_NOWHERE, "and that of %d more point%s", c->changed - 1, c->changed > 2 ? "s" : "");
        cak_note(d, (cak_pos){ .file = s->base },
                 "this file, or one that it names, was edited, or the program composes it differently");
        cak_note(d, CAK_NOWHERE, "nothing was changed; undo the edit, or give the new sweep another name or --sweep-dir");
        return false;
    }
    if (!c->kept && c->lost) {
        cak_error(d, CAK_E5002, CAK_NOWHERE, "%s holds %d point%s that %s run, and none of them is in this file", dir, c->lost,
                  c->lost == 1 ? "" : "s", c->lost == 1 ? "was" : "were");
        cak_note(d, CAK_NOWHERE,
                 "another sweep of the same name, or every point has a new key: give it another name or --sweep-dir");
        return false;
    }
    if (c->dropped)
        cak_warn(d, (cak_pos){ .file = s->path }, "%d point%s of the plan: not in the file any more; run, and kept in %s: %d",
                 c->dropped, c->dropped == 1 ? "" : "s", dir, c->lost);
    return true;
}

static const char *plan_text(cak_arena *a, const char *dir, const cak_sweep *s, const char *const *config_hash, const plan *old)
{
    cak_text_builder b = { .a = a };
    json_t *now = json_object();
    for (int i = 0; i < s->n_points; i++) {
        json_t *line = point_json(s, &s->point[i], config_hash[i]);
        add_line(&b, line);
        json_decref(line);
        json_object_set_new(now, s->point[i].id, json_true());
    }
    for (int i = 0; i < old->n; i++) {
        const char *id = line_text(old->line[i], "id");
        if (json_object_get(now, id) || !has_trace(a, dir, id)) continue;
        json_object_set_new(old->line[i], "dropped", json_true());
        add_line(&b, old->line[i]);
    }
    json_decref(now);
    return cak_text_done(&b);
}

static bool replace_text(cak_diag *d, const char *path, const char *text)
{
    cak_io_part part = { text, strlen(text) };
    return cak_io_replace(d, path, &part, 1);
}

/* The plan comes last: a directory with a plan is whole. */
static bool write_dir(cak_arena *a, cak_diag *d, const char *dir, const cak_sweep *s, const char *const *config_hash)
{
    plan old = { 0 };
    bool ok = read_plan(a, d, dir, &old);
    change c = ok ? compare(a, dir, s, config_hash, &old) : (change){ 0 };
    ok = ok && compatible(a, d, dir, s, &c) && replace_text(d, in_dir(a, dir, "sweep.yaml"), s->text) &&
         replace_text(d, in_dir(a, dir, "plan.jsonl"), plan_text(a, dir, s, config_hash, &old));
    close_plan(&old);
    return ok;
}

/* A directory that was made for a plan which could not be written. */
static void remove_new(cak_arena *a, const char *dir)
{
    static const char *const names[] = { "plan.jsonl", "sweep.yaml", "sweep.lock" };
    cak_diag *quiet = cak_diag_open();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) cak_io_remove(quiet, in_dir(a, dir, names[i]));
    cak_io_remove_dir(quiet, dir);
    cak_diag_close(quiet);
}

/* A directory of somebody else is left alone. */
static bool usable(cak_arena *a, cak_diag *d, const char *dir)
{
    int n;
    const cak_io_entry *list = cak_io_list(a, d, dir, &n);
    if (!list) return false;
    bool ours = n == 0;
    for (int i = 0; i < n; i++) ours = ours || !strcmp(list[i].name, "sweep.lock") || !strcmp(list[i].name, "sweep.yaml");
    return ours ||
           cak_error(d, CAK_E5003, CAK_NOWHERE, "%s is no sweep directory, and not empty; choose another with --sweep-dir", dir);
}

cak_sweep_dir *cak_sweep_dir_make(cak_diag *d, const char *dir, cak_sweep *s, const char *const *config_hash)
{
    cak_arena *a = cak_arena_open("making a sweep directory");
    bool is_new = !cak_io_exists(dir), ok = is_new ? cak_io_mkdirs(d, dir) : cak_io_no_link(d, dir) && usable(a, d, dir);
    int lock = ok ? cak_io_lock(d, in_dir(a, dir, "sweep.lock")) : -1;
    ok = lock >= 0 && write_dir(a, d, dir, s, config_hash);
    if (!ok && is_new && lock >= 0) remove_new(a, dir);
    cak_io_close(lock);
    cak_arena_close(a);
    return ok ? cak_sweep_dir_open(d, dir) : NULL;
}

/* ---- opening ---- */

static bool take_point(cak_sweep_dir *x, const json_t *line)
{
    cak_sweep *s = x->sweep;
    const json_t *overrides = json_object_get(line, "overrides");
    cak_point *p = &s->point[s->n_points];
    p->value = cak_arena_alloc(s->arena, ((size_t)s->n_keys + 1) * sizeof *p->value);
    for (int i = 0; i < s->n_keys; i++) {
        const char *text = json_string_value(json_object_get(overrides, s->key[i]));
        if (!text) return false;
        p->value[i] = cak_arena_text(s->arena, text);
    }
    cak_point_identify(s, p);
    x->config_hash[s->n_points++] = cak_arena_text(x->arena, line_text(line, "config_hash"));
    return (int)json_object_size(overrides) == s->n_keys && !strcmp(p->id, line_text(line, "id"));
}

static bool take_points(cak_diag *d, cak_sweep_dir *x, const plan *p)
{
    x->sweep->point = cak_arena_alloc(x->sweep->arena, ((size_t)p->n + 1) * sizeof *x->sweep->point);
    x->config_hash = cak_arena_alloc(x->arena, ((size_t)p->n + 1) * sizeof *x->config_hash);
    for (int i = 0; i < p->n; i++)
        if (!json_is_true(json_object_get(p->line[i], "dropped")) && !take_point(x, p->line[i]))
            return cak_error(d, CAK_E4002, (cak_pos){ in_dir(x->arena, x->dir, "plan.jsonl"), i + 1, 1, 1 },
                             "the point does not fit %s/sweep.yaml", x->dir);
    return true;
}

cak_sweep_dir *cak_sweep_dir_open(cak_diag *d, const char *dir)
{
    cak_arena *a = cak_arena_open("sweep directory");
    cak_sweep_dir *x = cak_arena_alloc(a, sizeof *x);
    char *name = cak_arena_text(a, dir);
    for (size_t n = strlen(name); n > 1 && name[n - 1] == '/';) name[--n] = '\0';
    *x = (cak_sweep_dir){ .arena = a, .dir = name };
    plan p = { 0 };
    bool ok = (cak_io_exists(in_dir(a, name, "plan.jsonl")) && cak_io_exists(in_dir(a, name, "sweep.yaml"))) ||
              cak_error(d, CAK_E5003, CAK_NOWHERE, "%s is no sweep directory: it has no plan", name);
    if (ok) x->sweep = cak_sweep_read(d, in_dir(a, name, "sweep.yaml"));
    ok = x->sweep && read_plan(a, d, name, &p) && take_points(d, x, &p);
    if (ok && !x->sweep->n_points)
        ok = cak_error(d, CAK_E4002, (cak_pos){ .file = in_dir(a, name, "plan.jsonl") },
                       "the plan has no points; `cak sweep` with the sweep file writes it again");
    close_plan(&p);
    if (ok) return x;
    cak_sweep_dir_close(x);
    return NULL;
}

void cak_sweep_dir_close(cak_sweep_dir *s)
{
    if (!s) return;
    cak_sweep_close(s->sweep);
    cak_arena_close(s->arena); /* s lives in it */
}
