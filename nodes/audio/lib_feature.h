/* Measurements of a clip that can serve as its control value; each is mapped to [0, 1]. */
#ifndef CAK_LIB_FEATURE_H
#define CAK_LIB_FEATURE_H

#include <stdint.h>

#include "graph/real.h"

/* rms: level, -60 dB .. 0 dB. centroid: mean frequency weighted by magnitude, 0 .. rate/2. flatness: geometric over arithmetic mean of
** the power spectrum. zero_crossing_rate: sign changes per pair of neighbours. Spectral ones: mean over frames of 2048 samples, hop 512,
** periodic Hann window, weighted by the energy of the frame. Silence measures 0. */
typedef enum cak_feature {
    CAK_FEATURE_RMS,
    CAK_FEATURE_CENTROID,
    CAK_FEATURE_FLATNESS,
    CAK_FEATURE_ZCR,
    CAK_FEATURES
} cak_feature;
extern const char *const cak_feature_choices[]; /* "rms", "centroid", "flatness", "zero_crossing_rate", "none", NULL */

void cak_feature_measure(const real *x, int64_t n, double out[CAK_FEATURES]);

#endif
