/* Run directories: creation, lock, state machine, run.json. */
#include "experiments/rundir.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "experiments/provenance.h"
#include "graph/config.h"
#include "graph/io.h"

enum { SCHEMA = 1, MAX_JSON = 4 << 20, MAX_DEPTH = 8 };

static const char *const state_name[CAK_RUN_STATES] = { "created", "running",     "finished", "diverged",
                                                        "failed",  "interrupted", "crashed" };
const char *cak_run_state_name(cak_run_state state) { return state_name[state]; }

#define BIT(state) (1u << CAK_RUN_##state)
#define ENDED (BIT(FINISHED) | BIT(DIVERGED) | BIT(FAILED) | BIT(INTERRUPTED))
static const unsigned next_states[CAK_RUN_STATES] = {
    [CAK_RUN_CREATED] = BIT(RUNNING) | BIT(FAILED) | BIT(INTERRUPTED),
    [CAK_RUN_RUNNING] = BIT(RUNNING) | ENDED, /* running again: resumed after a crash */
    [CAK_RUN_FINISHED] = BIT(RUNNING),
    [CAK_RUN_DIVERGED] = BIT(RUNNING),
    [CAK_RUN_FAILED] = BIT(RUNNING),
    [CAK_RUN_INTERRUPTED] = BIT(RUNNING),
};

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

const char *cak_run_path(const cak_run *run, const char *name) { return cak_arena_print(run->arena, "%s/%s", run->dir, name); }

static bool save_json(cak_diag *d, cak_run *run)
{
    const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(15), n = json_dumpb(run->doc, NULL, 0, flags);
    char *text = cak_arena_alloc(run->arena, n);
    json_dumpb(run->doc, text, n, flags);
    cak_io_part part[] = { { text, n }, { "\n", 1 } };
    return cak_io_replace(d, cak_run_path(run, "run.json"), part, 2);
}

/* Names from outside need not be UTF-8, run.json must be. */
static json_t *text_json(const char *text)
{
    json_t *json = text ? json_string(text) : json_null();
    return json ? json : json_string("(not UTF-8)");
}

/* ---- state ---- */

static bool set_state(cak_diag *d, cak_run *run, cak_run_state state)
{
    CAK_CHECK(next_states[run->state] & (1u << state));
    char now[32];
    cak_utc(time(NULL), now);
    json_object_set_new(run->doc, "state", json_string(state_name[state]));
    json_array_append_new(json_object_get(run->doc, "history"), json_pack("[s,s]", state_name[state], now));
    json_t *times = json_object_get(run->doc, "time");
    json_object_set_new(times, state == CAK_RUN_RUNNING ? "started" : "ended", json_string(now));
    run->state = state;
    return save_json(d, run);
}

bool cak_run_start(cak_diag *d, cak_run *run)
{
    static const char *const of_an_end[] = { "exit_code", "diverged" };
    for (size_t i = 0; i < sizeof of_an_end / sizeof *of_an_end; i++) json_object_del(run->doc, of_an_end[i]);
    json_object_del(json_object_get(run->doc, "time"), "ended");
    json_object_set_new(run->doc, "pid", json_integer(getpid()));
    run->wall = seconds(CLOCK_MONOTONIC);
    run->cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    return set_state(d, run, CAK_RUN_RUNNING);
}

static json_t *number_json(double v)
{
    return isfinite(v) ? json_real(v) : json_string(isnan(v) ? "nan" : v > 0 ? "+inf" : "-inf");
}

static json_t *diverged_json(const cak_run_diverged *v)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "step", (json_int_t)v->step, "epoch", (json_int_t)v->epoch, "phase",
                     text_json(v->phase), "term", text_json(v->term), "value", number_json(v->value), "node", text_json(v->node),
                     "origin", text_json(v->origin));
}

/* Seconds of all parts of a run that was resumed add up. */
static void add_seconds(json_t *times, const char *key, double more)
{
    double total = json_number_value(json_object_get(times, key)) + more;
    json_object_set_new(times, key, json_real(round(total * 1e3) / 1e3));
}

bool cak_run_finish(cak_diag *d, cak_run *run, const cak_run_end *end)
{
    CAK_CHECK(ENDED & (1u << end->state));
    if (run->state == CAK_RUN_RUNNING) {
        json_t *times = json_object_get(run->doc, "time");
        add_seconds(times, "wall_s", seconds(CLOCK_MONOTONIC) - run->wall);
        add_seconds(times, "cpu_s", seconds(CLOCK_PROCESS_CPUTIME_ID) - run->cpu);
    }
    json_object_set_new(run->doc, "exit_code", json_integer(end->exit_code));
    if (end->diverged) json_object_set_new(run->doc, "diverged", diverged_json(end->diverged));
    return set_state(d, run, end->state);
}

/* ---- fields ---- */

void cak_run_put_text(cak_run *run, const char *key, const char *value)
{
    json_object_set_new(run->doc, key, json_string(value));
}
void cak_run_put_json(cak_run *run, const char *key, json_t *value) { json_object_set_new(run->doc, key, value); }
void cak_run_put_int(cak_run *run, const char *key, int64_t value) { json_object_set_new(run->doc, key, json_integer(value)); }
const char *cak_run_text(const cak_run *run, const char *key) { return json_string_value(json_object_get(run->doc, key)); }

/* ---- files ---- */

/* Make the folders of `name` below the run directory, each a real directory. */
static bool make_folders(cak_diag *d, cak_run *run, const char *name)
{
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        const char *folder = cak_arena_print(run->arena, "%s/%.*s", run->dir, (int)(slash - name), name);
        if (!cak_io_no_link(d, folder) || cak_io_mkdir(d, folder) == CAK_IO_FAILED) return false;
    }
    return true;
}

static bool stays_inside(const char *name)
{
    if (*name == '/' || *name == '\0') return false;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) return false;
    }
    return true;
}

bool cak_run_write(cak_diag *d, cak_run *run, const char *name, const char *text)
{
    if (!stays_inside(name)) return cak_error(d, CAK_E4001, CAK_NOWHERE, "%s is not below the run directory", name);
    cak_io_part part = { text, strlen(text) };
    return make_folders(d, run, name) && cak_io_replace(d, cak_run_path(run, name), &part, 1);
}

/* ---- creation ---- */

static cak_run *new_run(const char *dir)
{
    cak_arena *a = cak_arena_open("run directory");
    cak_run *run = cak_arena_alloc(a, sizeof *run);
    *run = (cak_run){ .arena = a, .lock = -1 };
    char *copy = cak_arena_text(a, dir);
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/') copy[--n] = '\0'; /* "link/" would be followed */
    run->dir = copy;
    return run;
}

void cak_run_close(cak_run *run)
{
    if (!run) return;
    cak_io_close(run->lock);
    json_decref(run->doc);
    cak_arena_close(run->arena);
}

static const char *make_id(cak_run *run, const cak_run_spec *spec, time_t now)
{
    struct tm tm;
    char stamp[32];
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &tm);
    return cak_arena_print(run->arena, "%s-s%" PRIu64 "-%.6s", stamp, spec->seed, spec->config_digest);
}

/* root/name/id, with -2, -3 ... when a run of the same second has taken it. */
static bool make_dir(cak_diag *d, cak_run *run, const cak_run_spec *spec, const char *id)
{
    const char *parent = cak_arena_print(run->arena, "%s/%s", spec->root, spec->name);
    if (!cak_io_mkdirs(d, parent)) return false;
    cak_io_made made = CAK_IO_TAKEN;
    for (int k = 1; made == CAK_IO_TAKEN; k++) {
        run->id = k == 1 ? id : cak_arena_print(run->arena, "%s-%d", id, k);
        run->dir = cak_arena_print(run->arena, "%s/%s", parent, run->id);
        made = cak_io_mkdir(d, run->dir);
    }
    return made == CAK_IO_MADE;
}

/* Nothing but a lock that a starting process may have left. Asked before the lock is taken, so that a folder of somebody else stays as it
** is, and again with the lock, when the answer holds until the run is made. */
static bool is_empty(cak_diag *d, cak_run *run)
{
    int n, holder;
    const char *lock = cak_run_path(run, "run.lock");
    const cak_io_entry *list = cak_io_list(run->arena, d, run->dir, &n);
    if (!list) return false;
    if (n == 0 || (n == 1 && !strcmp(list[0].name, "run.lock"))) return true;
    if (run->lock < 0 && cak_io_locked(lock, &holder))
        return cak_error(d, CAK_E4004, CAK_NOWHERE, "%s is in use by process %d", run->dir, holder);
    return cak_error(d, CAK_E5001, CAK_NOWHERE, "%s is not empty; resume the run in it or choose another directory", run->dir);
}

static bool adopt_dir(cak_diag *d, cak_run *run, const char *id)
{
    run->id = id;
    if (!cak_io_no_link(d, run->dir)) return false;
    if (!cak_io_exists(run->dir)) return cak_io_mkdirs(d, run->dir);
    return is_empty(d, run);
}

static void fill_json(cak_run *run, const cak_run_spec *spec, time_t now)
{
    char text[32], cwd[4096];
    cak_utc(now, text);
    json_t *argv = json_array();
    for (int i = 0; i < spec->argc; i++) json_array_append_new(argv, text_json(spec->argv[i]));
    run->doc = json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:{s:s}, s:s, s:I, s:o, s:o, s:[[s,s]], s:o}", "schema", SCHEMA, "id",
                         run->id, "name", spec->name, "state", state_name[CAK_RUN_CREATED], "argv", argv, "cwd",
                         text_json(getcwd(cwd, sizeof cwd)), "time", "created", text, "config_hash", spec->config_digest, "seed",
                         (json_int_t)spec->seed, "program", cak_provenance_program(), "host", cak_provenance_host(spec->threads),
                         "history", state_name[CAK_RUN_CREATED], text, "parent", text_json(spec->parent));
    CAK_CHECK(run->doc);
}

static bool create(cak_diag *d, cak_run *run, const cak_run_spec *spec)
{
    time_t now = time(NULL);
    run->name = cak_arena_text(run->arena, spec->name);
    const char *id = make_id(run, spec, now);
    if (!(spec->dir ? adopt_dir(d, run, id) : make_dir(d, run, spec, id))) return false;
    run->lock = cak_io_lock(d, cak_run_path(run, "run.lock"));
    if (run->lock < 0 || !is_empty(d, run)) return false;
    fill_json(run, spec, now);
    return save_json(d, run);
}

cak_run *cak_run_create(cak_diag *d, const cak_run_spec *spec)
{
    if (!cak_config_name(d, spec->name, CAK_NOWHERE, "run", true)) return NULL;
    cak_run *run = new_run(spec->dir ? spec->dir : "");
    if (create(d, run, spec)) return run;
    cak_run_close(run);
    return NULL;
}

/* ---- opening ---- */

/* Remove temporary files, refuse symbolic links, in every folder of the run. */
static bool tidy(cak_diag *d, cak_run *run, const char *dir, int depth)
{
    int n;
    const cak_io_entry *list = cak_io_list(run->arena, d, dir, &n);
    if (!list) return false;
    for (int i = 0; i < n; i++) {
        const char *path = cak_arena_print(run->arena, "%s/%s", dir, list[i].name);
        if (list[i].kind == CAK_IO_LINK) return cak_io_no_link(d, path);
        if (list[i].kind == CAK_IO_DIR && depth < MAX_DEPTH && !tidy(d, run, path, depth + 1)) return false;
    }
    return cak_io_remove_temporaries(d, dir);
}

static bool bad_json(cak_diag *d, const cak_run *run, const char *why)
{
    return cak_error(d, CAK_E4002, CAK_NOWHERE, "%s/run.json: %s", run->dir, why);
}

static bool find_state(cak_run *run)
{
    const char *name = cak_run_text(run, "state");
    for (int i = 0; name && i < CAK_RUN_CRASHED; i++)
        if (strcmp(name, state_name[i]) == 0) {
            run->state = (cak_run_state)i;
            return true;
        }
    return false;
}

static bool read_json(cak_diag *d, cak_run *run)
{
    size_t n;
    const char *path = cak_run_path(run, "run.json");
    const char *text = cak_io_no_link(d, path) ? cak_io_read_all(run->arena, d, CAK_E4002, path, MAX_JSON, &n) : NULL;
    if (!text) return false;
    json_error_t e;
    run->doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    if (!run->doc) return bad_json(d, run, e.text);
    if (json_integer_value(json_object_get(run->doc, "schema")) != SCHEMA)
        return bad_json(d, run, "not of a schema this program knows");
    run->id = cak_run_text(run, "id");
    run->name = cak_run_text(run, "name");
    bool whole = json_is_array(json_object_get(run->doc, "history")) && json_is_object(json_object_get(run->doc, "time"));
    if (!run->id || !run->name || !whole || !find_state(run)) return bad_json(d, run, "a field is missing or wrong");
    return true;
}

static bool is_run(cak_diag *d, const cak_run *run)
{
    if (!cak_io_no_link(d, run->dir)) return false;
    return cak_io_exists(cak_run_path(run, "run.json")) ||
           cak_error(d, CAK_E4011, CAK_NOWHERE, "%s is not a run directory: it has no run.json", run->dir);
}

static bool lock_and_tidy(cak_diag *d, cak_run *run)
{
    run->lock = cak_io_lock(d, cak_run_path(run, "run.lock"));
    return run->lock >= 0 && tidy(d, run, run->dir, 0);
}

cak_run *cak_run_open(cak_diag *d, const char *dir)
{
    cak_run *run = new_run(dir);
    if (is_run(d, run) && lock_and_tidy(d, run) && read_json(d, run)) return run;
    cak_run_close(run);
    return NULL;
}

cak_run *cak_run_peek(cak_diag *d, const char *dir)
{
    cak_run *run = new_run(dir);
    int holder;
    if (is_run(d, run) && read_json(d, run)) {
        if (run->state == CAK_RUN_RUNNING && !cak_io_locked(cak_run_path(run, "run.lock"), &holder)) run->state = CAK_RUN_CRASHED;
        return run;
    }
    cak_run_close(run);
    return NULL;
}
