/* Statistics of a corpus: the percentiles of its levels. */
#ifndef CAK_PREPARE_STATS_H
#define CAK_PREPARE_STATS_H

#include "experiments/prepare_section.h"

typedef struct cak_corpus_view { /* an open source */
    const cak_stage_ops *ops;
    void *src;
    const cak_source_info *info;
    cak_progress_mode progress;
} cak_corpus_view;

/* Percentiles of log(1 + alpha sqrt(m)) over all whole files, m the input of the `normalise` node. The result is remembered in `cache_dir`
** under a digest of everything that decides it. */
bool cak_stats_compute(const cak_section *s, const cak_corpus_view *v, const cak_yaml *node, const char *cache_dir,
                       cak_data_stats *out);

#endif
