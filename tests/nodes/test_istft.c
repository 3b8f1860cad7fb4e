/* istft undoes stft; its default length; derivatives; errors. */
#include <math.h>
#include <string.h>

#include "tests/support/graph_test.h"

static double worst_difference(const real *a, const real *b, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    return worst;
}

START_TEST(test_round_trip)
{
    static const char *const yaml[] = {
        "nodes: {s: {type: stft, inputs: [x], n_fft: 64, hop: 16}, y: {type: istft, inputs: [s], n_fft: 64, hop: 16, length: "
        "500}}",
        "nodes: {s: {type: stft, inputs: [x], n_fft: 64, hop: 16, win: 50, window: hamming, pad_mode: reflect},"
        " y: {type: istft, inputs: [s], n_fft: 64, hop: 16, win: 50, window: hamming, length: 500}}",
        "nodes: {s: {type: stft, inputs: [x], n_fft: 25, hop: 5, center: false, window: boxcar},"
        " y: {type: istft, inputs: [s], n_fft: 25, hop: 5, center: false, window: boxcar, length: 500}}",
    };
    for (int i = 0; i < 3; i++) {
        graph_case c = { .yaml = yaml[i] };
        c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2, 500), .lo = -1, .hi = 1 };
        c.out = "y";
        const real *y = graph_eval(&c, NULL);
        c.out = "x";
        ck_assert_double_le(worst_difference(y, graph_eval(&c, NULL), 1000), 1e-12);
    }
}
END_TEST

/* Where no window reaches, the result is 0, not 0 / 0: without padding the Hann window is 0 at its first sample. */
START_TEST(test_no_window)
{
    graph_case c = { .yaml = "nodes: {s: {type: stft, inputs: [x], n_fft: 8, hop: 8, center: false},"
                             " y: {type: istft, inputs: [s], n_fft: 8, hop: 8, center: false}}",
                     .out = "y" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(1, 16), .lo = 1, .hi = 2 };
    const real *y = graph_eval(&c, NULL);
    ck_assert(fabs((double)y[0]) < 1e-12 && fabs((double)y[8]) < 1e-12);
    ck_assert(isfinite(y[0]) && (double)y[1] > 0.9);
}
END_TEST

START_TEST(test_default_length)
{
    graph_case c = { .yaml = "nodes: {y: {type: istft, inputs: [x], n_fft: 8, hop: 4}}", .out = "y" };
    cak_shape shape;
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2, 2, 5, 7), .lo = -1, .hi = 1 };
    graph_eval(&c, &shape);
    ck_assert(cak_shape_equal(&shape, &CAK_SHAPE(2, 24)));
    c.yaml = "nodes: {y: {type: istft, inputs: [x], n_fft: 9, hop: 4}}"; /* an odd frame is padded by 4 on each side */
    graph_eval(&c, &shape);
    ck_assert(cak_shape_equal(&shape, &CAK_SHAPE(2, 25)));
    c.yaml = "nodes: {y: {type: istft, inputs: [x], n_fft: 9, hop: 4, center: false}}";
    graph_eval(&c, &shape);
    ck_assert(cak_shape_equal(&shape, &CAK_SHAPE(2, 33)));
}
END_TEST

START_TEST(test_gradients)
{
    graph_case c = { .yaml = "nodes: {y: {type: istft, inputs: [x], n_fft: 8, hop: 3}}", .out = "mul(y, y)" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2, 2, 5, 4), .lo = -1, .hi = 1 };
    gradcheck(&c);
}
END_TEST

START_TEST(test_errors)
{
    graph_case c = { .yaml = "nodes: {y: {type: istft, inputs: [x], n_fft: 8, hop: 4, length: 50}}", .out = "y" };
    c.in[0] = (graph_input){ .name = "x", .shape = CAK_SHAPE(2, 2, 5, 7) };
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "50 samples make 13 frames, the spectrum has 7"));
    c.in[0].shape = CAK_SHAPE(2, 5, 7);
    ck_assert_ptr_nonnull(strstr(graph_errors(&c), "istft needs a spectrum [B,2,F,T], got [2,5,7]"));
}
END_TEST

SUITE(istft, test_round_trip, test_no_window, test_default_length, test_gradients, test_errors)
