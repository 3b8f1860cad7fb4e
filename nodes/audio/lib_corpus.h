/* The usable sound files of a corpus: found, hashed, checked once. */
#ifndef CAK_LIB_CORPUS_H
#define CAK_LIB_CORPUS_H

#include "nodes/audio/lib_files.h"
#include "nodes/audio/lib_sound.h"

typedef struct cak_track { /* a file that passed */
    const char *path, *name;
    cak_scan scan;
    int64_t length; /* samples at the wanted rate */
} cak_track;

typedef struct cak_corpus_options {
    const char *path;
    int rate;
    int64_t min_samples;
    double max_seconds;
    int max_files; /* the first ones in sorted order; 0: all */
    bool skip;     /* leave bad files out instead of failing */
} cak_corpus_options;

typedef struct cak_corpus {
    cak_track *track;
    int n;
    const char **skipped; /* "name: reason" */
    int n_skipped;
} cak_corpus;

/* False after recording an error: E2001, or one error per bad file. */
bool cak_corpus_open(cak_arena *a, cak_diag *d, cak_pos at, const cak_corpus_options *o, cak_corpus *c);

/* Directory where verdicts about file contents are kept, so that a file is decoded for checking once in its life; NULL (the start): none.
** To be set before any corpus is opened. */
void cak_corpus_memory(const char *dir);

#endif
