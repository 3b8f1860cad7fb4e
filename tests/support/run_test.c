/* Made-up run directories, commands called with their output caught, diagnostics as text. */
#include "tests/support/run_test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph/io.h"
#include "graph/text.h"
#include "tests/support/suite.h"

void write_file(cak_arena *a, cak_diag *d, const char *path, const char *text)
{
    cak_io_part part = { text, strlen(text) };
    ck_assert(cak_io_mkdirs(d, cak_arena_print(a, "%.*s", (int)(strrchr(path, '/') - path), path)));
    ck_assert(cak_io_replace(d, path, &part, 1));
}

static const char *json_of(cak_arena *a, const made_run *r)
{
    static const struct {
        const char *state;
        int code;
    } codes[] = { { "finished", 0 }, { "diverged", 5 }, { "interrupted", 75 }, { "failed", 4 } };
    const char *state = r->state ? r->state : "finished";
    cak_text_builder b = { .a = a };
    cak_text_add(&b, "{\"schema\": 1, \"id\": \"id-%s\", \"name\": \"n\", \"state\": \"%s\", \"seed\": %" PRId64 ", ",
                 strrchr(r->dir, '/') + 1, state, r->seed);
    cak_text_add(&b, "\"time\": {\"created\": \"2026-11-24T01:15:02Z\"}, \"history\": [[\"created\", \"2026-11-24T01:15:02Z\"]]");
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(codes[i].state, state) == 0) cak_text_add(&b, ", \"exit_code\": %d", codes[i].code);
    cak_text_add(&b, ", \"data_hash\": \"d\", \"program\": {\"version\": \"1\", \"libs\": {\"fftw\": \"3\"}}");
    if (r->batches) cak_text_add(&b, ", \"streams\": {\"batches\": \"%s\", \"init\": {", r->batches);
    if (r->batches && r->init) cak_text_add(&b, "\"detector.weight\": \"%s\"", r->init);
    if (r->batches) cak_text_add(&b, "}}");
    if (strcmp(state, "diverged") == 0)
        cak_text_add(&b, ", \"diverged\": {\"step\": %" PRId64 ", \"epoch\": %" PRId64 ", \"term\": \"gp\"}", r->diverged,
                     r->diverged / 10);
    cak_text_add(&b, "}\n");
    return cak_text_done(&b);
}

static const char *metrics_of(cak_arena *a, const made_run *r)
{
    cak_text_builder b = { .a = a };
    for (int e = 0; e < r->epochs; e++) {
        cak_text_add(&b, "{\"t\":\"epoch\",\"epoch\":%d,\"step\":%d,\"wall\":1.5,", e, 10 * (e + 1));
        if (isnan(r->loss[e])) cak_text_add(&b, "\"loss\":null,\"nonfinite\":{\"loss\":\"nan\"}");
        else cak_text_add(&b, "\"loss\":%.17g", r->loss[e]);
        if (r->score) cak_text_add(&b, ",\"score\":%.17g", r->score[e]);
        cak_text_add(&b, ",\"loss.gp\":1}\n");
    }
    cak_text_add(&b, "{\"t\":\"step\",\"step\":%d,\"epoch\":%d}\n", (r->steps ? r->steps : 10 * r->epochs) - 1, r->epochs);
    return cak_text_done(&b);
}

void make_run(cak_arena *a, cak_diag *d, const made_run *r)
{
    cak_text_builder over = { .a = a };
    for (int i = 0; r->over && r->over[i]; i++) cak_text_add(&over, "%s\n", r->over[i]);
    write_file(a, d, cak_arena_print(a, "%s/run.json", r->dir), json_of(a, r));
    if (r->epochs || r->steps) write_file(a, d, cak_arena_print(a, "%s/metrics.jsonl", r->dir), metrics_of(a, r));
    write_file(a, d, cak_arena_print(a, "%s/overrides.txt", r->dir), cak_text_done(&over));
    if (!r->lr) return;
    const char *config =
        cak_arena_print(a,
                        "train: {epochs: 3, phases: {critic: {optimizer: {type: adam, lr: %s}}}}\n"
                        "version: 1\nname: n\nseed: %" PRId64 "\n"
                        "data: {clips: {type: synth, seed: %" PRId64 "}, x: {type: normalise, low: %" PRId64 ".5}}\n%s",
                        r->lr, r->seed, r->seed, r->seed, r->more ? r->more : "");
    write_file(a, d, cak_arena_print(a, "%s/config.yaml", r->dir), config);
}

/* ---- commands ---- */

/* Let descriptor `fd` write into a file; returns a copy of what it was. */
static int redirect(int fd, const char *path)
{
    int saved = dup(fd), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(to, fd);
    close(to);
    return saved;
}

static void restore(int fd, int saved)
{
    dup2(saved, fd);
    close(saved);
}

called call_command(cak_arena *a, cak_diag *d, command *c, const char *const *words)
{
    static const char *folder;
    if (!folder) folder = temp_dir();
    char *argv[32] = { 0 };
    int n = 0;
    for (; words[n]; n++) argv[n] = cak_arena_text(a, words[n]);
    const char *out = cak_arena_print(a, "%s/out", folder), *err = cak_arena_print(a, "%s/err", folder);
    fflush(stdout);
    int saved_out = redirect(1, out), saved_err = redirect(2, err);
    called r = { .code = c(n, argv) };
    fflush(stdout);
    fflush(stderr);
    restore(1, saved_out);
    restore(2, saved_err);
    r.out = cak_io_read_all(a, d, CAK_E4002, out, 0, NULL);
    r.err = cak_io_read_all(a, d, CAK_E4002, err, 0, NULL);
    return r;
}

const char *printed(cak_arena *a, const cak_diag *d)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    cak_diag_print(d, f);
    fclose(f);
    const char *copy = cak_arena_text(a, text);
    free(text);
    return copy;
}

void must_have(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "'%.2500s' lacks '%s'", text, part);
}
void must_lack(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) == NULL, "'%.2500s' has '%s'", text, part);
}
