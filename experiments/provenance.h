/* What a run was made with: program, libraries, compiler, host. Goes into run.json and into `cak doctor`. */
#ifndef EXPERIMENTS_PROVENANCE_H
#define EXPERIMENTS_PROVENANCE_H

#include <jansson.h>

json_t *cak_provenance_program(void);         /* {"version", "git", "precision", "compiler", "libs": {...}} */
json_t *cak_provenance_host(int threads);     /* {"name", "cpu", "cores", "threads", "kernel", "ram_gib", "slurm": {...}} */
const char *cak_utc(int64_t t, char buf[32]); /* "2026-11-24T01:19:41Z" */
int64_t cak_utc_seconds(const char *utc);     /* and back; 0 for NULL and what is no such time */

#endif
