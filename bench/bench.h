/* The frame of the benchmarks: a case is something that can be run again and again, next to the speed of plain multiply-adds. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/arena.h"
#include "graph/real.h"

enum { BENCH_MAX_REPS = 1000, BENCH_MAX_COUNTERS = 32, BENCH_MAX_THREADS = 8 };

typedef struct bench_options {
    const char *filter, *json;
    const char *config, *tensors, *gradients; /* of step cases */
    const char *cak;                          /* program that start-up cases start */
    int reps;
    double min_time; /* seconds that a repetition lasts at least */
    int thread[BENCH_MAX_THREADS], n_threads;
} bench_options;

typedef struct bench_counter { /* a number of a case that is no time: "slab_mib" */
    char group[16], name[32];  /* counters of a group stand on one line; in JSON GROUP.NAME */
    double value;
} bench_counter;

typedef struct bench_run { /* one case while it is measured */
    const bench_options *o;
    cak_arena *arena; /* closed after the case */
    void *state;
    double executed;  /* floating-point operations of one run, as executed; 0: no rate is shown */
    double effective; /* of the textbook method for the same result: direct convolution, PyTorch's gradients */
    double bytes;     /* that must be moved at least; 0: no rate is shown */
    double manual;    /* a case may time its runs itself: seconds of the run that just ended; 0: the frame's clock counts */
    double error;     /* relative to double; negative: not checked */
    double tolerance;
    uint64_t hash; /* of the output bits */
    bool failed;
    bench_counter counter[BENCH_MAX_COUNTERS];
    int n_counters;
} bench_run;

typedef struct bench_case {
    const char *name;
    bool (*open)(bench_run *r, const void *arg); /* false after a message on stderr */
    void (*run)(bench_run *r);
    void (*check)(bench_run *r); /* after the first run: hash the output, compare it with double */
    void (*close)(bench_run *r); /* after a failed open too; NULL: nothing to do */
    const void *arg;
    bool alone; /* runs in one thread, whatever the number of threads */
} bench_case;

typedef struct bench_list {
    cak_arena *arena;
    const bench_options *o;
    bench_case *item;
    int n, cap;
    bool failed; /* a table could not be made, as stderr says */
} bench_list;

void bench_add(bench_list *l, const bench_case *c);

/* The tables of cases, one function a file. */
void bench_add_kernels(bench_list *l);
void bench_add_micro(bench_list *l);
void bench_add_convolutions(bench_list *l);
void bench_add_chains(bench_list *l);
void bench_add_steps(bench_list *l);
void bench_add_balance(bench_list *l);
void bench_add_startup(bench_list *l);

/* ---- for cases ---- */
void bench_count(bench_run *r, const char *name, double value);
void bench_count_in(bench_run *r, const char *group, const char *name, double value);
void bench_hash(bench_run *r, const void *data, size_t bytes); /* several calls: of all in this order */
real *bench_numbers(int64_t n, uint64_t seed);                 /* evenly in [-1, 1); cak_slab_free() it */
uint64_t bench_mix(uint64_t i);                                /* scattered bits of a counter */

typedef struct bench_error { /* relative L2 distance, summed up */
    double difference, norm;
} bench_error;
static inline void bench_compare(bench_error *e, double have, double want)
{
    e->difference += (have - want) * (have - want);
    e->norm += want * want;
}
void bench_judge(bench_run *r, const bench_error *e, double tolerance);

/* ---- measuring ---- */
double bench_now(void);
double bench_peak(double seconds);  /* multiply-adds in registers, all threads: operations per second */
double bench_triad(double seconds); /* a = b + s c on arrays that no cache holds: bytes per second, without write-allocate */
double bench_clock_hz(void);        /* of the processor, from a chain of dependent additions */
void bench_reset_peak_rss(void);    /* where the system can */
double bench_peak_rss(void);        /* bytes */
long bench_minor_faults(void);
double bench_cpu_time(void);

typedef struct bench_result {
    const char *name;
    int threads, reps;
    int64_t iterations; /* runs of a repetition */
    double busy[BENCH_MAX_REPS];
    double time[BENCH_MAX_REPS], cpu[BENCH_MAX_REPS], faults[BENCH_MAX_REPS]; /* of one run */
    double peak[BENCH_MAX_REPS + 1];                                          /* around the repetitions */
    double share[BENCH_MAX_REPS];                                             /* executed rate / mean of the adjacent peaks */
    double median, mad, min, p95, cpu_median, faults_median;
    double share_median, best; /* best: rate of the shortest repetition / largest peak */
    double allocs, rss, triad;
    bool valid; /* the peak held still around most repetitions */
    bench_run run;
} bench_result;

bool bench_measure(bench_result *out, const bench_case *c, const bench_options *o, int threads);

void bench_print_head(void);
void bench_print(const bench_result *r);
/* JSON that Google Benchmark's compare.py reads. False after a message on stderr. */
bool bench_write_json(const char *path, const bench_result *const *r, int n, double peak_before, double peak_after);

#endif
