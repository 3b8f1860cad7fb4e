/* Clocks, the peak of multiply-adds, memory bandwidth, and one case measured. */
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <xxhash.h>

#include "graph/par.h"
#include "nodes/kernels/gemm.h"

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

long bench_minor_faults(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_minflt;
}

double bench_peak_rss(void)
{
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lf", &kib) == 1) break;
    if (f) fclose(f);
    return kib * 1024;
}

void bench_reset_peak_rss(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "we");
    if (!f) return;
    fputs("5", f);
    fclose(f);
}

/* ---- peak, bandwidth, clock ---- */

/* Independent multiply-adds in registers, enough of them to hide their latency; the empty asm keeps them apart. */
enum { CHAINS = 12 };
#define PEAK(name, bytes, features)                                                                                             \
    typedef real name##_vec __attribute__((vector_size(bytes)));                                                                \
    __attribute__((target(features), optimize("O3", "fp-contract=fast"), noinline)) static double name##_chains(real x,         \
                                                                                                                int64_t rounds) \
    {                                                                                                                           \
        name##_vec a[CHAINS] = { 0 }, b = { x, x }, c = { 1 };                                                                  \
        _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) __asm__("" : "+x"(a[i]));                                     \
        for (int64_t r = 0; r < rounds; r++) _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) a[i] = a[i] * b + c;     \
        for (int i = 1; i < CHAINS; i++) a[0] += a[i];                                                                          \
        return (double)a[0][0] + (double)a[0][1];                                                                               \
    }
PEAK(generic, 16, "sse2")
PEAK(avx2, 32, "avx2,fma")
PEAK(avx512, 64, "avx512f,fma")

static const struct peak {
    const char *isa;
    double (*chains)(real x, int64_t rounds);
    int bytes;
} peaks[] = { { "generic", generic_chains, 16 }, { "avx2", avx2_chains, 32 }, { "avx512", avx512_chains, 64 } };

/* The clock of shares. One thread is measured in its own time: when a neighbour took the processor, nothing was slower. With several
** threads the wall clock counts, because waiting for each other is a cost. */
static double busy_now(void) { return cak_threads() == 1 ? bench_cpu_time() : bench_now(); }

static double peak_rounds(const struct peak *p, int64_t rounds)
{
    int threads = cak_threads();
    volatile double sink[256];
    double start = busy_now();
    CAK_PARALLEL_FOR (t, threads, (int64_t)CAK_SMALL) sink[t % 256] = p->chains((real)0.5, rounds);
    (void)sink[0];
    return busy_now() - start;
}

double bench_peak(double seconds)
{
    static double per_second; /* rounds */
    const struct peak *p = peaks;
    while (strcmp(p->isa, cak_isa_get()->name) != 0) p++;
    if (per_second <= 0) {
        peak_rounds(p, 1000000); /* the clock rises */
        per_second = 1e6 / peak_rounds(p, 1000000);
    }
    int64_t rounds = (int64_t)(seconds * per_second) + 1;
    double took = peak_rounds(p, rounds);
    return 2.0 * CHAINS * (double)rounds * (p->bytes / (int)sizeof(real)) * cak_threads() / took;
}

double bench_clock_hz(void)
{
    enum { ADDS = 4000000 };
    double best = INFINITY;
    for (int k = 0; k < 5; k++) {
        uint64_t x = 1;
        double start = bench_now();
        for (int i = 0; i < ADDS; i++) __asm__ volatile("add $1, %0" : "+r"(x)); /* one cycle each */
        best = fmin(best, bench_now() - start);
    }
    return ADDS / best;
}

double bench_triad(double seconds)
{
    enum { N = 1 << 24 };
    size_t bytes = N * sizeof(real);
    real *a = cak_slab_alloc(bytes, "triad"), *b = bench_numbers(N, 1), *c = bench_numbers(N, 2);
    double best = INFINITY, end = bench_now() + seconds;
    do {
        double start = bench_now();
        CAK_PARALLEL_FOR (k, cak_blocks(N), (int64_t)N)
            for (int64_t i = k * CAK_BLOCK; i < (k + 1) * CAK_BLOCK; i++) a[i] = b[i] + (real)3 * c[i];
        __asm__ volatile("" : : "r"(a) : "memory");
        best = fmin(best, bench_now() - start);
    } while (bench_now() < end);
    cak_slab_free(a, bytes);
    cak_slab_free(b, bytes);
    cak_slab_free(c, bytes);
    return 3 * (double)bytes / best;
}

/* ---- what cases use ---- */

void bench_count(bench_run *r, const char *name, double value) { bench_count_in(r, "", name, value); }

void bench_count_in(bench_run *r, const char *group, const char *name, double value)
{
    if (r->n_counters == BENCH_MAX_COUNTERS) return;
    bench_counter *c = &r->counter[r->n_counters++];
    snprintf(c->group, sizeof c->group, "%s", group);
    snprintf(c->name, sizeof c->name, "%s", name);
    c->value = value;
}

void bench_hash(bench_run *r, const void *data, size_t bytes) { r->hash = XXH3_64bits_withSeed(data, bytes, r->hash); }

uint64_t bench_mix(uint64_t i)
{
    uint64_t z = i * 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

real *bench_numbers(int64_t n, uint64_t seed)
{
    real *x = cak_slab_alloc((size_t)n * sizeof *x, "bench");
    for (int64_t i = 0; i < n; i++) x[i] = (real)((double)(bench_mix(seed << 40 | (uint64_t)i) >> 11) * 0x1p-52 - 1);
    return x;
}

void bench_judge(bench_run *r, const bench_error *e, double tolerance)
{
    r->error = sqrt(e->difference / fmax(e->norm, 1e-300));
    r->tolerance = tolerance;
    r->failed = r->failed || !(r->error <= tolerance);
}

/* ---- one case ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *x, int n, double q)
{
    static double sorted[BENCH_MAX_REPS];
    memcpy(sorted, x, (size_t)n * sizeof *x);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    double at = q * (n - 1);
    int i = (int)at, j = i + 1 < n ? i + 1 : i;
    return sorted[i] + (at - i) * (sorted[j] - sorted[i]);
}

enum { STILL_PERCENT = 5 }; /* the peak before and after a repetition may differ by so much */

/* Neighbours on the machine slow the peak down as much as the case: the share of a repetition counts when both peaks beside it agree. */
static void summarise(bench_result *r)
{
    int n = r->reps, still = 0;
    double away[BENCH_MAX_REPS], share[BENCH_MAX_REPS], most = 0, flops = r->run.executed;
    r->median = quantile(r->time, n, 0.5);
    r->min = quantile(r->time, n, 0);
    r->p95 = quantile(r->time, n, 0.95);
    r->cpu_median = quantile(r->cpu, n, 0.5);
    r->faults_median = quantile(r->faults, n, 0.5);
    for (int i = 0; i < n; i++) {
        double before = r->peak[i], after = r->peak[i + 1];
        away[i] = fabs(r->time[i] - r->median);
        r->share[i] = flops / r->busy[i] / ((before + after) / 2);
        if (fabs(before - after) * 100 <= STILL_PERCENT * fmax(before, after)) share[still++] = r->share[i];
    }
    for (int i = 0; i <= n; i++) most = fmax(most, r->peak[i]);
    r->mad = quantile(away, n, 0.5);
    r->valid = 2 * still >= n;
    r->share_median = still ? quantile(share, still, 0.5) : quantile(r->share, n, 0.5);
    r->best = flops / quantile(r->busy, n, 0) / most;
}

/* Runs of one repetition; returns the seconds of one, and in *busy those on the clock of shares. */
static double repeat(bench_run *run, const bench_case *c, int64_t iterations, double *busy)
{
    double manual = 0, start = bench_now(), start_busy = busy_now();
    for (int64_t i = 0; i < iterations; i++) {
        run->manual = 0;
        c->run(run);
        manual += run->manual;
    }
    double wall = bench_now() - start;
    *busy = (manual > 0 ? manual : busy_now() - start_busy) / (double)iterations;
    return (manual > 0 ? manual : wall) / (double)iterations;
}

/* Runs of a repetition, so many that it lasts min_time. The first run, whose time is `first`, fills caches and touches memory: where that
** can matter, another one tells how long a run takes. */
static int64_t choose_iterations(bench_run *run, const bench_case *c, double first, double min_time)
{
    enum { CLEARLY = 10 };
    double busy, once = first > CLEARLY * min_time ? first : repeat(run, c, 1, &busy);
    return once >= min_time ? 1 : (int64_t)(min_time / once) + 1;
}

static void measure_reps(bench_result *r, const bench_case *c, const bench_options *o, double first)
{
    bench_run *run = &r->run;
    r->iterations = choose_iterations(run, c, first, o->min_time);
    double burst = fmin(fmax(fmax(first, o->min_time) / 8, 0.002), 0.1);
    long allocs = cak_alloc_count();
    r->reps = o->reps;
    r->peak[0] = bench_peak(burst);
    for (int i = 0; i < r->reps; i++) {
        long faults = bench_minor_faults();
        double cpu = bench_cpu_time();
        r->time[i] = repeat(run, c, r->iterations, &r->busy[i]);
        r->cpu[i] = (bench_cpu_time() - cpu) / (double)r->iterations;
        r->faults[i] = (double)(bench_minor_faults() - faults) / (double)r->iterations;
        r->peak[i + 1] = bench_peak(burst);
    }
    r->allocs = (double)(cak_alloc_count() - allocs) / (double)(r->reps * r->iterations);
}

bool bench_measure(bench_result *r, const bench_case *c, const bench_options *o, int threads)
{
    r->name = c->name;
    r->threads = threads;
    r->run = (bench_run){ .o = o, .arena = cak_arena_open(c->name), .error = -1 };
    cak_threads_set(threads);
    bench_reset_peak_rss();
    bool ok = c->open(&r->run, c->arg);
    if (ok) {
        double busy, first = repeat(&r->run, c, 1, &busy);
        if (c->check) c->check(&r->run);
        measure_reps(r, c, o, first);
        r->rss = bench_peak_rss();
        summarise(r);
        if (r->run.bytes > 0) r->triad = bench_triad(0.05);
    }
    if (c->close) c->close(&r->run);
    cak_arena_close(r->run.arena);
    return ok && !r->run.failed;
}
