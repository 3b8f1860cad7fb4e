/* Regulariser of the pattern: its three forms. */
#include <math.h>
#include <stdio.h>

#include "tests/support/graph_test.h"

static const char *const forms[] = { "abs_global", "signed", "per_example" };

static graph_case reg_case(const char *form, const double *p, char yaml[128])
{
    snprintf(yaml, 128, "nodes: {y: {type: pattern_reg, form: %s, eps: 1e-3, inputs: [p]}}", form);
    return (graph_case){ .yaml = yaml, .out = "y", .in = { { "p", CAK_SHAPE(2, 1, 2, 2), 0.1, 1, .data = p } } };
}

START_TEST(values)
{
    static const double p[] = { 1, -2, 3, 4, 0.5, 0.25, -0.125, 0.125 };
    double abs_mean = 11.0 / 8, m[] = { 1.5, 0.1875 }, a[] = { 2.5, 0.25 };
    for (int k = 0; k < 3; k++) {
        char yaml[128];
        graph_case c = reg_case(forms[k], p, yaml);
        double w = k == 0   ? -log(abs_mean + 1e-3)
                   : k == 1 ? -(log(m[0] + 1e-3) + log(m[1] + 1e-3)) / 2
                            : -(log(a[0] + 1e-3) + log(a[1] + 1e-3)) / 2;
        ck_close((double)graph_eval(&c, NULL)[0], w, 1e-14);
    }
}
END_TEST

/* The published form stays finite for an empty pattern, the printed one is not a number for a negative mean. */
START_TEST(edge_cases)
{
    static const double zero[8] = { 0 }, negative[] = { -1, -1, -1, -1, 1, 1, 1, 1 };
    char yaml[128];
    graph_case c = reg_case("abs_global", zero, yaml);
    ck_close((double)graph_eval(&c, NULL)[0], -log(1e-3), 1e-14);
    c = reg_case("signed", negative, yaml);
    ck_assert(isnan(graph_eval(&c, NULL)[0]));
    c = reg_case("abs_global", negative, yaml);
    ck_close((double)graph_eval(&c, NULL)[0], -log(1 + 1e-3), 1e-14);
}
END_TEST

START_TEST(derivatives)
{
    for (int k = 0; k < 3; k++) {
        char yaml[128];
        graph_case c = reg_case(forms[k], NULL, yaml);
        gradcheck(&c);
    }
}
END_TEST

SUITE(pattern_reg, values, edge_cases, derivatives)
