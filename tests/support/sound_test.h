/* Sound files and data stages for tests. */
#ifndef TESTS_SOUND_TEST_H
#define TESTS_SOUND_TEST_H

#include <sndfile.h>

#include "graph/stage.h"
#include "tests/support/suite.h"

typedef struct sound_spec {
    const char *name; /* file name, relative to dir */
    int format;       /* of libsndfile; 0: WAV with 16 bits */
    int rate;         /* 0: 44100 */
    int channels;     /* 0: 1 */
    double seconds;
    double hz;    /* of the sine in channel 0; channel c has c + 1 times the frequency; 0: 440 */
    double level; /* its amplitude; 0: 0.25; negative: silence */
} sound_spec;

/* Write one file; returns its path (static memory, good until the next call but seven). */
const char *write_sound(const char *dir, const sound_spec *s);
/* Write mono float samples as 32-bit float WAV. */
const char *write_samples(const char *dir, const char *name, int rate, const float *x, int n);
const char *write_bytes(const char *dir, const char *name, const void *data, size_t n);
/* Keep the first `part` (0..1) of a file. */
void cut_file(const char *path, double part);

/* Attributes of a stage from YAML flow text "{seconds: 1}". Fails the test when they are not good. */
const void *stage_attr(cak_arena *a, cak_diag *d, const cak_node *node, const char *yaml);

/* A load_audio source over the files of a directory. */
typedef struct opened_sounds {
    cak_arena *a;
    cak_diag *d;
    cak_source_info info;
    void *src;
} opened_sounds;

extern const cak_node cak_node_load_audio;
opened_sounds open_sounds(const char *dir, const char *yaml); /* src is NULL when it cannot be opened */
void close_sounds(opened_sounds *o);
void expect_sounds(const opened_sounds *o);                                     /* it is open, without an error */
void expect_no_sounds(const opened_sounds *o, cak_code code, const char *text); /* exactly one error, with this code and text */
real *read_clip(opened_sounds *o, int i);

#endif
