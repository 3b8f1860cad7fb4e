/* Adam against its formula, step by step in long double, and its corner cases. */
#include <math.h>

#include "experiments/optim.h"
#include "graph/config.h"
#include "tests/support/suite.h"

#ifdef CAK_DOUBLE
#define TOL 1e-13
#else
#define TOL 2e-6
#endif

static cak_adam open_adam(cak_arena *a, real **value, int64_t *size, double lr, double b1, double b2)
{
    cak_adam o = { 0 };
    cak_attr_defaults(a, cak_adam_rows, &o.attr);
    o.attr.lr = lr;
    o.attr.betas.v[0] = b1;
    o.attr.betas.v[1] = b2;
    cak_adam_open(a, &o, 1, value, size);
    return o;
}

static void against_formula(double b1, double b2)
{
    cak_arena *a = cak_arena_open("test");
    real x[3] = { 1, -2, 3 }, g[3], *value[] = { x };
    int64_t size[] = { 3 };
    cak_adam o = open_adam(a, value, size, 1e-2, b1, b2);
    long double p[3] = { 1, -2, 3 }, m[3] = { 0 }, v[3] = { 0 };
    for (int t = 1; t <= 50; t++) {
        for (int i = 0; i < 3; i++) g[i] = (real)sin(1.3 * t + i);
        cak_adam_update(&o, (const real *const[]){ g });
        for (int i = 0; i < 3; i++) {
            m[i] = b1 * m[i] + (1 - b1) * (long double)g[i];
            v[i] = b2 * v[i] + (1 - b2) * (long double)g[i] * (long double)g[i];
            p[i] -= 1e-2L * (m[i] / (1 - powl(b1, t))) / (sqrtl(v[i] / (1 - powl(b2, t))) + 1e-8L);
            ck_close((double)x[i], (double)p[i], TOL);
        }
    }
    ck_assert_uint_eq(o.step, 50);
    cak_arena_close(a);
}

START_TEST(formula) { against_formula(0.9, 0.999); }
END_TEST

START_TEST(without_first_moment) { against_formula(0, 0.9); }
END_TEST

/* The first step moves every parameter by the learning rate, whatever the size of its gradient; no first moment is stored at beta1 = 0. */
START_TEST(first_step)
{
    cak_arena *a = cak_arena_open("test");
    real x[2] = { 0, 0 }, g[2] = { (real)1e-3, (real)-50 }, *value[] = { x };
    int64_t size[] = { 2 };
    cak_adam o = open_adam(a, value, size, 1e-4, 0, 0.9);
    ck_assert_ptr_null(o.m[0]);
    cak_adam_update(&o, (const real *const[]){ g });
    ck_close((double)x[0], -1e-4, 2e-5);
    ck_close((double)x[1], 1e-4, 1e-6);
    cak_arena_close(a);
}
END_TEST

/* A parameter without gradient stays, and so does its state. */
START_TEST(no_gradient)
{
    cak_arena *a = cak_arena_open("test");
    real x[1] = { 5 }, *value[] = { x };
    int64_t size[] = { 1 };
    cak_adam o = open_adam(a, value, size, 1e-4, 0, 0.9);
    cak_adam_update(&o, (const real *const[]){ NULL });
    ck_assert(x[0] == 5 && o.v[0][0] == 0);
    cak_arena_close(a);
}
END_TEST

SUITE(optim, formula, without_first_moment, first_step, no_gradient)
