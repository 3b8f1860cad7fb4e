/* Reading of `parameters:`: keys, values, distributions, with every mistake at its place. */
#include <math.h>
#include <string.h>

#include "experiments/sweep_distribution.h"
#include "experiments/sweep_parts.h"
#include "graph/number.h"
#include "graph/text.h"

typedef struct reading {
    cak_arena *a;
    cak_diag *d;
    cak_sweep_param *param;
    int n, cap;
    bool ok;
} reading;

static const char *const known[] = {
    "values", "value", "probabilities", "range", "distribution", "min", "max", "mu", "sigma", "q", "a", "b", NULL
};

/* ---- lists of values ---- */

static bool same_value(const cak_yaml *x, const cak_yaml *y, const char *x_text, const char *y_text)
{
    double u, v;
    if (!strcmp(x_text, y_text)) return true;
    bool plain = x->kind == CAK_YAML_SCALAR && y->kind == CAK_YAML_SCALAR && !x->quoted && !y->quoted;
    return plain && cak_number_real(x->text, &u) == CAK_NUMBER_OK && cak_number_real(y->text, &v) == CAK_NUMBER_OK && u == v;
}

static void check_repeated(reading *r, const cak_sweep_param *p, const cak_yaml *list)
{
    const cak_yaml *x = list->child;
    for (int i = 0; x; i++, x = x->next) {
        const cak_yaml *y = list->child;
        for (int k = 0; k < i; k++, y = y->next) {
            if (!same_value(x, y, p->value[i], p->value[k])) continue;
            r->ok = cak_error(r->d, CAK_E1202, x->pos, "'%s' has the value %s twice", p->key, p->value[i]);
            cak_note(r->d, y->pos, "first given here");
            break;
        }
    }
}

static void read_values(reading *r, cak_sweep_param *p, cak_yaml *list)
{
    if (list->kind != CAK_YAML_LIST) {
        r->ok =
            cak_error(r->d, CAK_E1201, list->pos, "`values` of '%s' must be a list; a single one is written {value: X}", p->key);
        return;
    }
    if (!list->n) r->ok = cak_error(r->d, CAK_E1202, list->pos, "'%s' has no values", p->key);
    p->value = cak_arena_alloc(r->a, ((size_t)list->n + 1) * sizeof *p->value);
    cak_yaml_each (c, list) p->value[p->n++] = cak_sweep_value(r->a, c);
    check_repeated(r, p, list);
}

static void read_probabilities(reading *r, cak_sweep_param *p, const cak_yaml *list)
{
    double sum = 0;
    if (list->kind != CAK_YAML_LIST || list->n != p->n) {
        r->ok = cak_error(r->d, CAK_E1201, list->pos, "`probabilities` of '%s' must be a list of %d numbers, one for each value",
                          p->key, p->n);
        return;
    }
    p->probability = cak_arena_alloc(r->a, ((size_t)list->n + 1) * sizeof *p->probability);
    int i = 0;
    bool read = true;
    cak_yaml_each (c, list) {
        bool number = cak_config_num(r->d, c, &p->probability[i]);
        if (number && p->probability[i] < 0)
            number = cak_error(r->d, CAK_E1202, c->pos, "a probability is not negative, got %s", c->text);
        read = number && read;
        sum += p->probability[i++];
    }
    if (read && fabs(sum - 1) > 1e-6)
        read = cak_error(r->d, CAK_E1202, list->pos, "the probabilities of '%s' add up to %.9g, not to 1", p->key, sum);
    r->ok = read && r->ok;
}

/* [from, below] or [from, below, step]; whole numbers stay whole numbers. */
static void read_range(reading *r, cak_sweep_param *p, const cak_yaml *list)
{
    double v[3] = { 0, 0, 1 };
    bool read = list->kind == CAK_YAML_LIST && (list->n == 2 || list->n == 3);
    if (!read) cak_error(r->d, CAK_E1201, list->pos, "`range` of '%s' is written [from, below] or [from, below, step]", p->key);
    int i = 0;
    for (const cak_yaml *c = read ? list->child : NULL; c; c = c->next) read = cak_config_num(r->d, c, &v[i++]) && read;
    if (read && v[2] == 0) read = cak_error(r->d, CAK_E1202, list->pos, "the step of '%s' is 0", p->key);
    double count = read ? ceil((v[1] - v[0]) / v[2] - 1e-9) : 0;
    if (read && count < 1)
        read = cak_error(r->d, CAK_E1202, list->pos, "the range of '%s' is empty: the end is not part of it", p->key);
    if (read && count > CAK_SWEEP_MAX_POINTS)
        read = cak_error(r->d, CAK_E1202, list->pos, "'%s' has %.0f values, a sweep at most %d points", p->key, count,
                         CAK_SWEEP_MAX_POINTS);
    r->ok = read && r->ok;
    if (!read) return;
    p->n = (int)count;
    p->value = cak_arena_alloc(r->a, (size_t)p->n * sizeof *p->value);
    for (i = 0; i < p->n; i++) p->value[i] = cak_arena_print(r->a, "%.15g", v[0] + i * v[2] + 0.0);
}

/* ---- numbers of a distribution ---- */

typedef struct number_key {
    const char *name;
    size_t offset;
    unsigned need;
    bool positive, required;
    double def;
} number_key;
#define NUMBER(key, bit, above_0, must, otherwise)                            \
    {                                                                         \
#key, offsetof(cak_sweep_param, key), bit, above_0, must, (otherwise) \
    }
static const number_key numbers[] = {
    NUMBER(min, CAK_DIST_LIMITS, false, true, 0), NUMBER(max, CAK_DIST_LIMITS, false, true, 0),
    NUMBER(mu, CAK_DIST_NORMAL, false, false, 0), NUMBER(sigma, CAK_DIST_NORMAL, true, false, 1),
    NUMBER(q, CAK_DIST_Q, true, false, 1),        NUMBER(a, CAK_DIST_BETA, true, true, 0),
    NUMBER(b, CAK_DIST_BETA, true, true, 0),
};

static bool read_number(reading *r, cak_sweep_param *p, cak_yaml *map, const number_key *k)
{
    double *out = (double *)((char *)p + k->offset);
    const cak_yaml *n = cak_yaml_get(map, k->name);
    *out = k->def;
    bool needed = p->dist->needs & k->need;
    if (!n) return !needed || !k->required || cak_error(r->d, CAK_E1204, p->at, "%s needs the key '%s'", p->dist->name, k->name);
    if (!needed)
        return cak_error(r->d, CAK_E1203, n->key_pos, "'%s' means nothing for '%s' (%s)", k->name, p->key, p->dist->name);
    int64_t whole;
    if (p->dist->needs & CAK_DIST_WHOLE) {
        if (!cak_config_int(r->d, n, &whole)) return false;
        if (whole > (1LL << 53) || whole < -(1LL << 53))
            return cak_error(r->d, CAK_E1202, n->pos, "limits of integers lie within +-2^53, got %s", n->text);
        *out = (double)whole;
        return true;
    }
    if (!cak_config_num(r->d, n, out)) return false;
    return !k->positive || *out > 0 ||
           cak_error(r->d, CAK_E1202, n->pos, "%s of %s must be above 0, got %s", k->name, p->dist->name, n->text);
}

static void read_numbers(reading *r, cak_sweep_param *p, cak_yaml *map)
{
    bool ok = true;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) ok = read_number(r, p, map, &numbers[i]) && ok;
    const cak_yaml *min = cak_yaml_get(map, "min");
    if (ok && (p->dist->needs & CAK_DIST_LIMITS)) {
        if (p->min > p->max)
            ok = cak_error(r->d, CAK_E1202, min->pos, "min of '%s' is above max (%.9g > %.9g)", p->key, p->min, p->max);
        else if ((p->dist->needs & CAK_DIST_POSITIVE) && p->min <= 0)
            ok = cak_error(r->d, CAK_E1202, min->pos, "%s needs min > 0, got %.9g", p->dist->name, p->min);
    }
    r->ok = ok && r->ok;
}

/* exp(1e-5) to exp(1e-3) is hardly meant. */
void cak_param_warn(cak_diag *d, const cak_sweep_param *p)
{
    if (!(p->dist->needs & CAK_DIST_EXPONENT) || p->min <= 0 || p->max >= 1) return;
    double from = p->dist->quantile(p, 0), to = p->dist->quantile(p, 1);
    cak_warn(d, p->at, "limits of %s are exponents: '%s' lies between %.4g and %.4g; for %.4g to %.4g take %s_values",
             p->dist->name, p->key, fmin(from, to), fmax(from, to), p->min, p->max, p->dist->name);
}

/* ---- which distribution ---- */

static const cak_distribution *by_name(const char *name)
{
    const cak_distribution *dist = cak_distributions;
    while (dist->name && strcmp(dist->name, name)) dist++;
    return dist->name ? dist : NULL;
}

static bool integer(const cak_yaml *n)
{
    int64_t v;
    return n && n->kind == CAK_YAML_SCALAR && !n->quoted && cak_number_int(n->text, &v) == CAK_NUMBER_OK;
}

/* W&B's rule for a parameter that names none. */
static const char *inferred(const cak_yaml *map)
{
    if (cak_yaml_get(map, "value")) return "constant";
    if (cak_yaml_get(map, "values") || cak_yaml_get(map, "range")) return "categorical";
    if (integer(cak_yaml_get(map, "min")) && integer(cak_yaml_get(map, "max"))) return "int_uniform";
    return cak_yaml_get(map, "min") || cak_yaml_get(map, "max") ? "uniform" : NULL;
}

static bool unknown_distribution(reading *r, const cak_yaml *n)
{
    const char *names[32];
    int count = 0;
    cak_text_builder list = { .a = r->a };
    for (const cak_distribution *dist = cak_distributions; dist->name; dist++) {
        names[count++] = dist->name;
        cak_text_add(&list, "%s%s", count > 1 ? ", " : "", dist->name);
    }
    const char *near = n->kind == CAK_YAML_SCALAR ? cak_suggest(n->text, names, count) : NULL;
    cak_error(r->d, CAK_E1202, n->pos, "unknown distribution%s%s%s", near ? "; did you mean '" : "", near ? near : "",
              near ? "'?" : "");
    cak_note(r->d, CAK_NOWHERE, "known: %s", cak_text_done(&list));
    return false;
}

static bool choose_distribution(reading *r, cak_sweep_param *p, const cak_yaml *map)
{
    const cak_yaml *n = cak_yaml_get(map, "distribution");
    const char *name = n ? n->kind == CAK_YAML_SCALAR ? n->text : "" : inferred(map);
    if (!name) return cak_error(r->d, CAK_E1204, p->at, "'%s' needs `values`, `value`, `range`, or `min` and `max`", p->key);
    p->dist = by_name(name);
    return p->dist || unknown_distribution(r, n);
}

/* One of the keys that list values must be there, and no other. */
static bool check_source(reading *r, const cak_sweep_param *p, const cak_yaml *map)
{
    static const struct {
        const char *key;
        unsigned need;
    } source[] = { { "value", CAK_DIST_VALUE }, { "values", CAK_DIST_VALUES }, { "range", CAK_DIST_VALUES } };
    bool ok = true;
    int found = 0;
    for (size_t i = 0; i < sizeof source / sizeof *source; i++) {
        const cak_yaml *n = cak_yaml_get(map, source[i].key);
        if (!n) continue;
        if (p->dist->needs & source[i].need) found++;
        else
            ok = cak_error(r->d, CAK_E1203, n->key_pos, "'%s' means nothing for '%s' (%s)", source[i].key, p->key, p->dist->name);
        if (found > 1) ok = cak_error(r->d, CAK_E1203, n->key_pos, "'%s' has both `values` and `range`", p->key);
    }
    if (cak_param_listed(p) && !found && ok)
        ok = cak_error(r->d, CAK_E1204, p->at, "%s needs the key '%s'", p->dist->name,
                       p->dist->needs & CAK_DIST_VALUE ? "value" : "values");
    const cak_yaml *odds = cak_yaml_get(map, "probabilities");
    if (odds && !(p->dist->needs & CAK_DIST_VALUES))
        ok = cak_error(r->d, CAK_E1203, odds->key_pos, "'probabilities' means nothing for '%s' (%s)", p->key, p->dist->name);
    return ok;
}

/* ---- parameters ---- */

static cak_sweep_param *new_param(reading *r, const char *key, cak_pos at)
{
    r->param = cak_arena_grow(r->a, r->param, &r->cap, r->n + 1, sizeof *r->param);
    for (int i = 0; i < r->n; i++) {
        if (strcmp(r->param[i].key, key)) continue;
        r->ok = cak_error(r->d, CAK_E1005, at, "'%s' is given twice", key);
        cak_note(r->d, r->param[i].at, "first given here");
    }
    if (strpbrk(key, "=~ ") || !key[strspn(key, "+")] || strspn(key, "+") > 2)
        r->ok = cak_error(r->d, CAK_E1205, at,
                          "'%s' is no key of a configuration; it is written like hp.lr, or +hp.lr to add one", key);
    cak_sweep_param *p = &r->param[r->n++];
    *p = (cak_sweep_param){ .key = key, .at = at, .dist = cak_distributions };
    return p;
}

static void read_param(reading *r, const char *key, cak_yaml *n)
{
    cak_sweep_param *p = new_param(r, key, n->key_pos);
    if (n->kind == CAK_YAML_LIST) { /* hp.lr: [1e-4, 1e-3] */
        p->dist = by_name("categorical");
        read_values(r, p, n);
        return;
    }
    if (n->kind != CAK_YAML_MAP) {
        r->ok =
            cak_error(r->d, CAK_E1201, n->pos, "'%s' must be a mapping such as {values: [1, 2]}; a fixed value is {value: %s}",
                      key, cak_sweep_value(r->a, n));
        return;
    }
    cak_yaml_each (c, n)
        for (int i = 0; known[i]; i++) c->used = c->used || !strcmp(c->key, known[i]);
    bool all_known = cak_config_unused(r->d, n, cak_arena_print(r->a, "parameter '%s'", key), known);
    if (!all_known || !choose_distribution(r, p, n) || !check_source(r, p, n)) {
        r->ok = false;
        return;
    }
    read_numbers(r, p, n);
    cak_yaml *value = cak_yaml_get(n, "value"), *values = cak_yaml_get(n, "values"), *range = cak_yaml_get(n, "range");
    if (value) {
        p->value = cak_arena_alloc(r->a, sizeof *p->value);
        p->value[p->n++] = cak_sweep_value(r->a, value);
    }
    if (values) read_values(r, p, values);
    if (range) read_range(r, p, range);
    cak_yaml *odds = cak_yaml_get(n, "probabilities");
    if (odds) read_probabilities(r, p, odds);
    else if (!strcmp(p->dist->name, "categorical_w_probabilities"))
        r->ok = cak_error(r->d, CAK_E1204, p->at, "%s needs the key 'probabilities'", p->dist->name);
}

/* W&B writes hp.lr as  hp: {parameters: {lr: ...}}. */
static void read_block(reading *r, cak_yaml *map, const char *prefix)
{
    map->used = true;
    if (map->kind != CAK_YAML_MAP || !map->n) {
        r->ok = cak_error(r->d, map->kind == CAK_YAML_MAP ? CAK_E1204 : CAK_E1201, map->key_pos,
                          "`parameters` must be a mapping of keys, such as hp.lr: {values: [1e-4, 1e-3]}");
        return;
    }
    cak_yaml_each (n, map) {
        n->used = true;
        const char *key = *prefix ? cak_arena_print(r->a, "%s.%s", prefix, n->key) : n->key;
        cak_yaml *inner = cak_yaml_get(n, "parameters");
        if (!inner) {
            read_param(r, key, n);
            continue;
        }
        if (n->n > 1) r->ok = cak_error(r->d, CAK_E1203, n->key_pos, "'%s' has `parameters` and other keys", key);
        read_block(r, inner, key);
    }
}

bool cak_sweep_params(cak_arena *a, cak_diag *d, cak_yaml *map, cak_sweep_param **out, int *n)
{
    reading r = { .a = a, .d = d, .ok = true };
    read_block(&r, map, "");
    *out = r.param;
    *n = r.n;
    return r.ok;
}
