/* Results as a table for people and as JSON for Google Benchmark's compare.py. */
#include "bench/bench.h"

#include <inttypes.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "experiments/provenance.h"
#include "nodes/kernels/gemm.h"

/* ---- table ---- */

void bench_print_head(void)
{
    printf(
        "share: executed operations / peak beside the repetition, median.  best: shortest repetition / highest peak.\n"
        "eff: operations of direct convolution or of PyTorch's gradients / peak.  A '?' marks a peak that did not hold still.\n\n"
        "%-40s %2s %11s %6s %11s  %6s %6s %6s %6s  %8s %6s %6s %7s\n",
        "case", "T", "median", "MAD", "min", "share", "best", "eff", "GB/s", "error", "faults", "allocs", "MiB");
}

/* Seconds with a fitting unit. */
static const char *duration(double s, char buf[32])
{
    static const struct unit {
        double from, per;
        const char *name;
    } units[] = { { 1, 1, "s" }, { 1e-3, 1e3, "ms" }, { 1e-6, 1e6, "us" }, { 0, 1e9, "ns" } };
    const struct unit *u = units;
    while (s < u->from) u++;
    snprintf(buf, 32, "%.3f %s", s * u->per, u->name);
    return buf;
}

/* A number in its column, or nothing where there is none. */
static void column(bool there, const char *fmt, int width, double value)
{
    printf("%s", there ? "" : " ");
    if (there) printf(fmt, width, value);
    else printf("%*s", width, "");
    if (there) printf(" ");
}

/* A line each, or for each group. */
static void print_counters(const bench_run *r)
{
    for (int i = 0; i < r->n_counters; i++) {
        const bench_counter *c = &r->counter[i];
        bool goes_on = i > 0 && c->group[0] && !strcmp(c->group, c[-1].group);
        if (i > 0 && !goes_on) printf("\n");
        if (c->group[0]) printf(goes_on ? "  " : "%42s%12s: ", "", c->group);
        else printf("%42s", "");
        printf(c->group[0] ? "%s %.4g" : "%s = %g", c->name, c->value);
    }
    if (r->n_counters) printf("\n");
}

void bench_print(const bench_result *r)
{
    char median[32], min[32];
    const bench_run *run = &r->run;
    bool rate = run->executed > 0;
    printf("%-40s %2d %11s %5.1f%% %11s ", r->name, r->threads, duration(r->median, median), 100 * r->mad / r->median,
           duration(r->min, min));
    column(rate, "%*.3f", 6, r->share_median);
    column(rate, "%*.3f", 6, r->best);
    column(rate, "%*.3f", 6, rate ? r->share_median * run->effective / run->executed : 0);
    column(run->bytes > 0, "%*.1f", 6, run->bytes / r->median * 1e-9);
    column(run->error >= 0, "%*.1e", 8, run->error);
    printf("%6.0f %6.2f %7.1f%s%s\n", r->faults_median, r->allocs, r->rss / (1 << 20), r->valid || !rate ? "" : " ?",
           run->failed ? "  FAILED" : "");
    print_counters(run);
    fflush(stdout);
}

/* ---- JSON ---- */

/* First line of a file that the system shows, "" where it does not. */
static const char *first_line(const char *path, char buf[256])
{
    buf[0] = 0;
    FILE *f = fopen(path, "re");
    if (f && !fgets(buf, 256, f)) buf[0] = 0;
    if (f) fclose(f);
    buf[strcspn(buf, "\n")] = 0;
    return buf;
}

/* Time that the host gave to others, in ticks since the machine started. */
static double stolen(void)
{
    char line[256];
    double steal = 0;
    sscanf(first_line("/proc/stat", line), "cpu %*f %*f %*f %*f %*f %*f %*f %lf", &steal);
    return steal;
}

static json_t *affinity(void)
{
    cpu_set_t set;
    json_t *list = json_array();
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (int i = 0; i < CPU_SETSIZE; i++)
            if (CPU_ISSET(i, &set)) json_array_append_new(list, json_integer(i));
    return list;
}

static const struct setting { /* of the system, as the system shows them */
    const char *name, *path;
} settings[] = {
    { "governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor" },
    { "huge_pages", "/sys/kernel/mm/transparent_hugepage/enabled" },
    { "cpu_max", "/sys/fs/cgroup/cpu.max" },
};

static json_t *context(double peak_before, double peak_after)
{
    char date[32], host[256] = "", line[256];
    double load[3] = { 0 };
    gethostname(host, sizeof host - 1);
    json_t *loads = json_array();
    if (getloadavg(load, 3) == 3)
        for (int i = 0; i < 3; i++) json_array_append_new(loads, json_real(load[i]));
    json_t *c = json_pack("{s:s, s:s, s:s, s:I, s:f, s:b, s:[], s:o, s:s}", "date", cak_utc((int64_t)time(NULL), date),
                          "host_name", host, "executable", "bench", "num_cpus", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN),
                          "mhz_per_cpu", bench_clock_hz() * 1e-6, "cpu_scaling_enabled", 0, "caches", "load_avg", loads,
                          "library_build_type", "release");
    json_object_set_new(c, "isa", json_string(cak_isa_get()->name));
    json_object_set_new(c, "peak_before", json_real(peak_before));
    json_object_set_new(c, "peak_after", json_real(peak_after));
    json_object_set_new(c, "steal_ticks", json_real(stolen()));
    json_object_set_new(c, "affinity", affinity());
    json_object_set_new(c, "flags", json_string(BENCH_FLAGS));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        json_object_set_new(c, settings[i].name, json_string(first_line(settings[i].path, line)));
    json_object_set_new(c, "program", cak_provenance_program());
    json_object_set_new(c, "host", cak_provenance_host(0));
    return c;
}

static json_t *entry(const bench_result *r, const char *kind, int index, double wall, double cpu)
{
    char name[256], full[300];
    bool aggregate = index < 0;
    snprintf(name, sizeof name, "%s/threads:%d", r->name, r->threads);
    snprintf(full, sizeof full, aggregate ? "%s_%s" : "%s", name, kind);
    json_t *e = json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:f, s:f, s:s}", "name", full, "run_name", name, "run_type",
                          aggregate ? "aggregate" : "iteration", "repetitions", r->reps, "threads", r->threads, "iterations",
                          (json_int_t)(aggregate ? r->reps : r->iterations), "real_time", wall * 1e9, "cpu_time", cpu * 1e9,
                          "time_unit", "ns");
    if (aggregate) json_object_set_new(e, "aggregate_name", json_string(kind));
    else json_object_set_new(e, "repetition_index", json_integer(index));
    return e;
}

/* Counters stand in the entry of the median. */
static void add_counters(json_t *e, const bench_result *r)
{
    const bench_run *run = &r->run;
    char hash[17], name[sizeof run->counter->group + sizeof run->counter->name];
    snprintf(hash, sizeof hash, "%016" PRIx64, run->hash);
    json_object_set_new(e, "output_hash", json_string(hash));
    json_object_set_new(e, "valid", json_boolean(r->valid));
    json_object_set_new(e, "minor_faults", json_real(r->faults_median));
    json_object_set_new(e, "allocations", json_real(r->allocs));
    json_object_set_new(e, "peak_rss", json_real(r->rss));
    if (run->error >= 0) json_object_set_new(e, "error", json_real(run->error));
    if (run->bytes > 0) {
        json_object_set_new(e, "bytes_per_second", json_real(run->bytes / r->median));
        json_object_set_new(e, "triad_share", json_real(run->bytes / r->median / r->triad));
    }
    if (run->executed > 0) {
        json_object_set_new(e, "flops", json_real(run->executed / r->median));
        json_object_set_new(e, "share", json_real(r->share_median));
        json_object_set_new(e, "share_best", json_real(r->best));
        json_object_set_new(e, "effective_flops", json_real(run->effective / r->median));
        json_object_set_new(e, "effective_share", json_real(r->share_median * run->effective / run->executed));
    }
    for (int i = 0; i < run->n_counters; i++) {
        const bench_counter *c = &run->counter[i];
        snprintf(name, sizeof name, "%s%s%s", c->group, c->group[0] ? "." : "", c->name);
        json_object_set_new(e, name, json_real(c->value));
    }
}

static void add_result(json_t *list, const bench_result *r)
{
    const struct aggregate {
        const char *name;
        double value;
    } all[] = { { "median", r->median }, { "mad", r->mad }, { "min", r->min }, { "p95", r->p95 } };
    for (int i = 0; i < r->reps; i++) json_array_append_new(list, entry(r, "", i, r->time[i], r->cpu[i]));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        json_t *e = entry(r, all[i].name, -1, all[i].value, i ? all[i].value : r->cpu_median);
        if (i == 0) add_counters(e, r);
        json_array_append_new(list, e);
    }
}

bool bench_write_json(const char *path, const bench_result *const *r, int n, double peak_before, double peak_after)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) add_result(list, r[i]);
    json_t *all = json_pack("{s:o, s:o}", "context", context(peak_before, peak_after), "benchmarks", list);
    bool ok = json_dump_file(all, path, JSON_INDENT(2)) == 0;
    if (!ok) fprintf(stderr, "bench: error: %s cannot be written\n", path);
    json_decref(all);
    return ok;
}
