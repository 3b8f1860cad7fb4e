/* stft in graphs: derivatives, which reach its adjoint; errors; sample rows. Values: tests/kernels/test_stft_both.c. */
#include <string.h>

#include "graph/graph.h"
#include "nodes/prim/stft.h"
#include "tests/support/graph_test.h"

START_TEST(test_gradients)
{
    static const char *const yaml[] = {
        "nodes: {y: {type: stft, inputs: [x], n_fft: 8, hop: 3}}",
        "nodes: {y: {type: stft, inputs: [x], n_fft: 8, hop: 4, win: 6, pad_mode: reflect, window: hamming}}",
        "nodes: {y: {type: stft, inputs: [x], n_fft: 7, hop: 2, center: false, weighted: true}}",
    };
    for (int i = 0; i < 3; i++) {
        graph_case c = { .yaml = yaml[i], .out = "mul(y, y)", .seed = i };
        c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2, 19), .lo = -1, .hi = 1 };
        gradcheck(&c);
    }
}
END_TEST

static void expect(const char *yaml, cak_shape x, const char *message)
{
    graph_case c = { .yaml = yaml, .out = "y" };
    c.in[0] = (graph_input){ .name = "x", .shape = x };
    const char *errors = graph_errors(&c);
    ck_assert_msg(strstr(errors, message) != NULL, "expected '%s' in '%s'", message, errors);
}

START_TEST(test_errors)
{
    const char *plain = "nodes: {y: {type: stft, inputs: [x], n_fft: 8}}";
    expect(plain, CAK_SHAPE(20), "stft needs x [B,N], got [20]");
    expect("nodes: {y: {type: stft, inputs: [x], n_fft: 8, win: 9}}", CAK_SHAPE(1, 20),
           "the window (9 samples) is longer than n_fft 8");
    expect("nodes: {y: {type: stft, inputs: [x], n_fft: 8, pad_mode: reflect}}", CAK_SHAPE(1, 4),
           "reflection needs more than n_fft/2 = 4 samples, got 4");
    expect("nodes: {y: {type: stft, inputs: [x], n_fft: 8, center: false}}", CAK_SHAPE(1, 7),
           "7 samples are too few for a frame of 8");
    const char *adjoint = "nodes: {y: {type: stft_adjoint, inputs: [x], n_fft: 8, hop: 4, length: 20}}";
    expect(adjoint, CAK_SHAPE(1, 2, 4, 6), "expected a spectrum [B,2,5,T], got [1,2,4,6]");
    expect(adjoint, CAK_SHAPE(1, 2, 5, 7), "20 samples make 6 frames, the spectrum has 7");
    expect("nodes: {y: {type: stft, inputs: [x], n_fft: 2097152}}", CAK_SHAPE(1, 7), "n_fft");
}
END_TEST

START_TEST(test_rows)
{
    cak_diag *d = cak_diag_open();
    cak_graph *g = cak_graph_open(d);
    cak_shape x = CAK_SHAPE(3, 40);
    cak_stft_attr a = { .n_fft = 8, .hop = 4, .center = true, .length = 40 };
    cak_ref y = cak_stft(g, cak_input(g, "x", &x, true), &a), back = cak_stft_adjoint(g, y, &a);
    ck_assert_int_eq(cak_graph_value(g, y)->rows, CAK_ROWS_SAMPLE);
    ck_assert_int_eq(cak_graph_value(g, back)->rows, CAK_ROWS_SAMPLE);
    ck_assert_int_eq(cak_graph_value(g, cak_window_square_sum(g, &a))->rows, CAK_ROWS_SHARED);
    cak_graph_close(g);
    cak_diag_close(d);
}
END_TEST

SUITE(stft, test_gradients, test_errors, test_rows)
