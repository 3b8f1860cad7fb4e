/* What a run was made with: program, libraries, compiler, host. */
#include "experiments/provenance.h"

#include <fftw3.h>
#include <gsl/gsl_version.h>
#include <sndfile.h>
#include <soxr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>
#include <yaml.h>

#include "graph/real.h"

const char *cak_utc(int64_t t, char buf[32])
{
    time_t time = (time_t)t;
    struct tm tm;
    gmtime_r(&time, &tm);
    strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return buf;
}

int64_t cak_utc_seconds(const char *utc)
{
    struct tm tm = { 0 };
    return utc && strptime(utc, "%Y-%m-%dT%H:%M:%SZ", &tm) ? timegm(&tm) : 0;
}

static json_t *libraries(void)
{
    unsigned xxh = XXH_versionNumber();
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "fftw", fftw_version, "gsl", gsl_version, "sndfile",
                     sf_version_string(), "soxr", soxr_version(), "yaml", yaml_get_version_string(), "jansson",
                     jansson_version_str(), "xxhash", json_sprintf("%u.%u.%u", xxh / 10000, xxh / 100 % 100, xxh % 100));
}

json_t *cak_provenance_program(void)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:o}", "version", CAK_VERSION, "precision", CAK_REAL_NAME, "compiler",
#ifdef __clang__
                             "clang " __clang_version__,
#else
                             "gcc " __VERSION__,
#endif
                             "libs", libraries());
#ifdef CAK_GIT
    json_object_set_new(json, "git", json_string(CAK_GIT));
#endif
    return json;
}

/* The processor's name as Linux tells it; "unknown" elsewhere. */
static const char *cpu_model(char buf[128])
{
    snprintf(buf, 128, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "re"); /* no regular file: its length is unknown before it is read */
    char line[512];
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "model name : %127[^\n]", buf) == 1) break;
    }
    if (f) fclose(f);
    return buf;
}

static json_t *slurm(void)
{
    static const char *const keys[][2] = { { "job_id", "SLURM_JOB_ID" },
                                           { "array_job_id", "SLURM_ARRAY_JOB_ID" },
                                           { "array_task_id", "SLURM_ARRAY_TASK_ID" } };
    json_t *json = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = getenv(keys[i][1]);
        if (value) json_object_set_new(json, keys[i][0], json_string(value));
    }
    return json;
}

json_t *cak_provenance_host(int threads)
{
    struct utsname u;
    char cpu[128];
    uname(&u);
    double ram = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE) / (1 << 30);
    json_t *json = json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:o}", "name", u.nodename, "arch", u.machine, "cpu", cpu_model(cpu),
                             "cores", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "threads", (json_int_t)threads, "ram_gib",
                             (double)(int64_t)(ram * 10 + 0.5) / 10, "kernel", json_sprintf("%s %s", u.sysname, u.release));
    json_t *job = slurm();
    if (json_object_size(job)) json_object_set(json, "slurm", job);
    json_decref(job);
    return json;
}
