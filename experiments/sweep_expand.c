/* From parameters to points: a grid, random draws or a Sobol sequence; ids; points that came out twice. */
#include <gsl/gsl_qrng.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "experiments/sweep_parts.h"
#include "graph/par.h"
#include "graph/rng.h"
#include "graph/text.h"

enum { SOBOL_KEYS = 40 }; /* dimensions of GSL's sequence */

/* ---- ids ---- */

static int compare_text(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }

bool cak_key_identifies(const char *key)
{
    key += strspn(key, "+");
    return strncmp(key, "log", 3) != 0 || (key[3] != '.' && key[3] != '\0');
}

void cak_point_identify(const cak_sweep *s, cak_point *p)
{
    cak_arena *a = cak_arena_open("id of a point");
    cak_text_builder all = { .a = a };
    const char **line = cak_point_overrides(a, s, p);
    int n = 0;
    for (int i = 0; i < s->n_keys; i++)
        if (cak_key_identifies(s->key[i])) line[n++] = line[i];
    qsort(line, (size_t)n, sizeof *line, compare_text);
    for (int i = 0; i < n; i++) cak_text_add(&all, "%s\n", line[i]);
    const char *text = cak_text_done(&all);
    snprintf(p->id, sizeof p->id, "%016llx", (unsigned long long)XXH3_64bits(text, strlen(text)));
    cak_arena_close(a);
}

const char **cak_point_overrides(cak_arena *a, const cak_sweep *s, const cak_point *p)
{
    const char **line = cak_arena_alloc(a, ((size_t)s->n_keys + 1) * sizeof *line);
    for (int i = 0; i < s->n_keys; i++) line[i] = cak_arena_print(a, "%s=%s", s->key[i], p->value[i]);
    return line;
}

/* ---- walking through lists ---- */

typedef struct walk { /* parameters whose values are taken in turn, the first one slowest */
    const cak_sweep_param *param;
    int *which, n;
    int64_t count;
} walk;

static bool is_pair(const cak_sweep *s, const char *key)
{
    for (int i = 0; i < s->n_pair_by; i++)
        if (!strcmp(s->pair_by[i], key)) return true;
    return false;
}

static int key_index(const cak_sweep *s, const char *key)
{
    int i = 0;
    while (strcmp(s->key[i], key)) i++;
    return i;
}

/* The keys of pair_by, and all others after them. */
static walk make_walk(const cak_sweep *s, const cak_sweep_param *param, bool others)
{
    walk w = { .param = param, .which = cak_arena_alloc(s->arena, ((size_t)s->n_keys + 1) * sizeof(int)), .count = 1 };
    for (int i = 0; i < s->n_pair_by; i++) w.which[w.n++] = key_index(s, s->pair_by[i]);
    for (int i = 0; i < s->n_keys && others; i++)
        if (!is_pair(s, s->key[i])) w.which[w.n++] = i;
    for (int i = 0; i < w.n; i++) /* saturates: a grid may have more points than an int64_t can hold */
        if (__builtin_mul_overflow(w.count, (int64_t)param[w.which[i]].n, &w.count)) w.count = INT64_MAX;
    return w;
}

static void walk_to(const walk *w, int64_t number, const char **value)
{
    for (int i = w->n - 1; i >= 0; i--) {
        const cak_sweep_param *p = &w->param[w->which[i]];
        value[w->which[i]] = p->value[number % p->n];
        number /= p->n;
    }
}

static void make_points(cak_sweep *s, int64_t n)
{
    s->point = cak_arena_alloc(s->arena, (size_t)n * sizeof *s->point);
    s->n_points = (int)n;
    for (int i = 0; i < s->n_points; i++)
        s->point[i].value = cak_arena_alloc(s->arena, ((size_t)s->n_keys + 1) * sizeof *s->point[i].value);
}

static bool expand_grid(cak_diag *d, cak_sweep *s, cak_sweep_param *param, int64_t run_cap, cak_pos at)
{
    bool ok = true;
    for (int i = 0; i < s->n_keys; i++) ok = cak_param_enumerate(s->arena, d, &param[i]) && ok;
    if (!ok) return false;
    walk w = make_walk(s, param, true);
    int64_t n = run_cap ? cak_min64(run_cap, w.count) : w.count;
    if (n > CAK_SWEEP_MAX_POINTS)
        return cak_error(d, CAK_E1202, at, "the grid has %s%lld points, a sweep at most %d; take fewer values, or set run_cap",
                         w.count == INT64_MAX ? "more than " : "", (long long)w.count, CAK_SWEEP_MAX_POINTS);
    make_points(s, n);
    for (int i = 0; i < s->n_points; i++) walk_to(&w, i, s->point[i].value);
    return true;
}

/* ---- draws ---- */

typedef struct drawing {
    cak_sweep *s;
    const cak_sweep_param *param;
    int *dim, n_dims; /* parameters that are drawn, in the order of the file */
    gsl_qrng *sobol;  /* NULL: random */
} drawing;

/* One set of values: which values are drawn does not depend on how many sets there are, nor, for random draws, on the other parameters. */
static bool draw(cak_diag *d, drawing *w, int trial, const char **value)
{
    double u[SOBOL_KEYS];
    if (w->sobol) gsl_qrng_get(w->sobol, u);
    for (int k = 0; k < w->n_dims; k++) {
        const cak_sweep_param *p = &w->param[w->dim[k]];
        double at = w->sobol ? u[k] : cak_rng_uniform(w->s->seed, cak_rng_stream(p->key), (uint64_t)trial, 0);
        value[w->dim[k]] = cak_param_draw(w->s->arena, p, at > 0 ? at : 0x1p-54);
        if (!value[w->dim[k]])
            return cak_error(d, CAK_E1202, p->at, "draw %d of '%s' is not a finite number; narrow its distribution", trial,
                             p->key);
    }
    return true;
}

static void choose_drawn(drawing *w)
{
    w->dim = cak_arena_alloc(w->s->arena, ((size_t)w->s->n_keys + 1) * sizeof *w->dim);
    for (int i = 0; i < w->s->n_keys; i++)
        if (!is_pair(w->s, w->s->key[i]) && !cak_param_constant(&w->param[i])) w->dim[w->n_dims++] = i;
}

/* Every draw is made once for each combination of the values of pair_by. */
static bool draw_points(cak_diag *d, drawing *w, int draws, const walk *pairs)
{
    cak_sweep *s = w->s;
    make_points(s, pairs->count * draws);
    for (int t = 0; t < draws; t++) {
        const char **value = s->point[t].value;
        for (int i = 0; i < s->n_keys; i++)
            if (cak_param_constant(&w->param[i])) value[i] = w->param[i].value[0];
        if (!draw(d, w, t, value)) return false;
        for (int64_t c = 0; c < pairs->count; c++) {
            const char **copy = s->point[c * draws + t].value;
            if (copy != value) memcpy(copy, value, (size_t)s->n_keys * sizeof *copy);
            walk_to(pairs, c, copy);
        }
    }
    return true;
}

static bool check_pairs(cak_diag *d, const cak_sweep *s, const cak_sweep_param *param)
{
    bool ok = true;
    for (int i = 0; i < s->n_pair_by; i++) {
        const cak_sweep_param *p = &param[key_index(s, s->pair_by[i])];
        if (!cak_param_listed(p) || p->probability)
            ok = cak_error(d, CAK_E1202, p->at,
                           "'%s' is in `pair_by`: every draw is made with each of its values, so it needs "
                           "`values` or `range`",
                           p->key);
    }
    return ok;
}

static bool expand_draws(cak_diag *d, cak_sweep *s, const cak_sweep_param *param, int64_t run_cap, cak_pos at)
{
    const char *method = s->method == CAK_SWEEP_SOBOL ? "sobol" : "random";
    if (!run_cap) return cak_error(d, CAK_E1204, at, "method: %s needs `run_cap`, the number of points", method);
    if (!check_pairs(d, s, param)) return false;
    walk pairs = make_walk(s, param, false);
    if (pairs.count > run_cap)
        return cak_error(d, CAK_E1202, at, "run_cap %lld is less than one draw for each of the %lld combinations of `pair_by`",
                         (long long)run_cap, (long long)pairs.count);
    drawing w = { .s = s, .param = param };
    choose_drawn(&w);
    if (s->method == CAK_SWEEP_SOBOL && w.n_dims > SOBOL_KEYS)
        return cak_error(d, CAK_E1202, at, "a Sobol sequence has at most %d dimensions, this sweep has %d; take method: random",
                         SOBOL_KEYS, w.n_dims);
    if (s->method == CAK_SWEEP_SOBOL && w.n_dims) w.sobol = gsl_qrng_alloc(gsl_qrng_sobol, (unsigned)w.n_dims);
    bool ok = draw_points(d, &w, (int)(run_cap / pairs.count), &pairs);
    if (w.sobol) gsl_qrng_free(w.sobol);
    return ok;
}

/* ---- points that came out twice ---- */

static int by_id(const void *x, const void *y)
{
    const cak_point *p = *(cak_point *const *)x, *q = *(cak_point *const *)y;
    int order = strcmp(p->id, q->id);
    return order ? order : (p > q) - (p < q);
}

/* The first of equal points stays. */
static void drop_repeated(cak_diag *d, cak_sweep *s, cak_pos at)
{
    int n = s->n_points, kept = 0;
    cak_point **sorted = cak_arena_alloc(s->arena, (size_t)n * sizeof *sorted);
    bool *drop = cak_arena_alloc(s->arena, (size_t)n * sizeof *drop);
    for (int i = 0; i < n; i++) sorted[i] = &s->point[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_id);
    for (int i = 1; i < n; i++) drop[sorted[i] - s->point] = !strcmp(sorted[i]->id, sorted[i - 1]->id);
    for (int i = 0; i < n; i++)
        if (!drop[i]) s->point[kept++] = s->point[i];
    s->n_points = kept;
    if (kept < n) cak_warn(d, at, "%d of %d draws came out like an earlier one; each point is run once", n - kept, n);
}

bool cak_sweep_expand(cak_diag *d, cak_sweep *s, cak_sweep_param *param, int64_t run_cap, cak_pos at)
{
    bool grid = s->method == CAK_SWEEP_GRID;
    if (!(grid ? expand_grid(d, s, param, run_cap, at) : expand_draws(d, s, param, run_cap, at))) return false;
    for (int i = 0; i < s->n_points; i++) cak_point_identify(s, &s->point[i]);
    drop_repeated(d, s, at);
    return true;
}
