/* Level, brightness, noisiness of a clip. */
#include "nodes/audio/lib_feature.h"

#include <math.h>

#include "graph/arena.h"
#include "nodes/kernels/fft.h"

enum { FRAME = 2048, HOP = 512, BINS = FRAME / 2 + 1 };

const char *const cak_feature_choices[] = { "rms", "centroid", "flatness", "zero_crossing_rate", "none", NULL };

static double level(const real *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    double db = 10 * log10(sum / (double)n + 1e-30);
    return fmin(1, fmax(0, (db + 60) / 60));
}

static double crossings(const real *x, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 1; i < n; i++) count += (x[i] < 0) != (x[i - 1] < 0);
    return n > 1 ? (double)count / (double)(n - 1) : 0;
}

/* ---- spectral ---- */

typedef struct spectrum {
    const cak_fft *fft;
    double *frame, *window, *bin; /* [FRAME], [FRAME], [BINS] pairs */
} spectrum;
enum { SPECTRUM_DOUBLES = 2 * FRAME + 2 * BINS };

static spectrum open_spectrum(void)
{
    double *buf = cak_slab_alloc(SPECTRUM_DOUBLES * sizeof *buf, "spectrum");
    spectrum s = { cak_fft_get(FRAME), buf, buf + FRAME, buf + 2 * FRAME };
    for (int i = 0; i < FRAME; i++) s.window[i] = 0.5 - 0.5 * cos(2 * M_PI * (double)i / FRAME);
    return s;
}

/* Energy, centroid and flatness of the frame that starts at `from`; zeros after the end. */
static double measure_frame(const spectrum *s, const real *x, int64_t n, int64_t from, double *centroid, double *flatness)
{
    double mag_sum = 0, moment = 0, power_sum = 0, log_sum = 0;
    for (int64_t i = 0; i < FRAME; i++) s->frame[i] = from + i < n ? s->window[i] * (double)x[from + i] : 0;
    cak_fft_forward(s->fft, s->frame, s->bin);
    for (int k = 0; k < BINS; k++) {
        double re = s->bin[2 * k], im = s->bin[2 * k + 1], power = re * re + im * im, mag = sqrt(power);
        mag_sum += mag, moment += mag * k, power_sum += power, log_sum += log(power + 1e-20);
    }
    *centroid = mag_sum > 0 ? moment / mag_sum / (BINS - 1) : 0;
    *flatness = power_sum > 0 ? fmin(1, exp(log_sum / BINS) / (power_sum / BINS)) : 0;
    return power_sum;
}

void cak_feature_measure(const real *x, int64_t n, double out[CAK_FEATURES])
{
    spectrum s = open_spectrum();
    double energy = 0, centroid = 0, flatness = 0;
    for (int64_t from = 0; from == 0 || from + FRAME <= n; from += HOP) {
        double c, f, e = measure_frame(&s, x, n, from, &c, &f);
        energy += e, centroid += e * c, flatness += e * f;
    }
    cak_slab_free(s.frame, SPECTRUM_DOUBLES * sizeof *s.frame);
    out[CAK_FEATURE_RMS] = level(x, n);
    out[CAK_FEATURE_CENTROID] = energy > 0 ? centroid / energy : 0;
    out[CAK_FEATURE_FLATNESS] = energy > 0 ? flatness / energy : 0;
    out[CAK_FEATURE_ZCR] = crossings(x, n);
}
