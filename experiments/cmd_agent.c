/* `cak agent`: run points of a sweep, one at a time; as many agents as there are machines share the work. */
#include <string.h>

#include "experiments/command.h"
#include "experiments/sweep_run.h"

typedef struct agent_words {
    const char *once, *index, *threads, *cache, *retry, *strict, *progress;
} agent_words;

static bool read_words(const agent_words *t, cak_sweep_options *o)
{
    *o = (cak_sweep_options){ .reach = CAK_SWEEP_FREE, .cache = t->cache, .strict_diverged = t->strict };
    if (t->once) o->reach = CAK_SWEEP_ONE;
    if (t->index) o->reach = CAK_SWEEP_AT;
    if (t->index && !cak_option_int("index", t->index, 0, INT32_MAX, &o->index)) return false;
    if (t->threads && !cak_option_int("threads", t->threads, 1, 1024, &o->threads)) return false;
    o->retry_failed = t->retry;
    if (t->retry && strcmp(t->retry, "failed") != 0)
        return cak_usage("agent", "--retry knows one word, failed; got '%s'", t->retry), false;
    if (t->progress && !cak_progress_parse(t->progress, &o->progress))
        return cak_usage("agent", "--progress needs auto, bar, plain or none, got '%s'", t->progress), false;
    return true;
}

int cak_cmd_agent(int argc, char **argv)
{
    agent_words t = { 0 };
    cak_sweep_options o;
    const cak_option options[] = {
        { "once", NULL,
          "run one point; its outcome is the exit code: 0 finished, diverged or stopped early, 75 interrupted, 10 else",
          &t.once },
        { "index", "N", "run the point on line N of plan.jsonl, counted from 0", &t.index },
        { "threads", "N", "threads of a run (default: what the sweep says, or all processors)", &t.threads },
        { "cache", "DIR", "where prepared data are kept", &t.cache },
        { "retry", "failed", "start failed points again, too", &t.retry },
        { "strict-diverged", NULL, "diverged points count as failed in the exit code", &t.strict },
        { "progress", "MODE", "auto, bar, plain or none", &t.progress },
        { 0 },
    };
    int code, n = cak_options(
                  argc, argv, options, "DIR",
                  "Run the points of a sweep that nobody runs yet, one at a time, until none is left. Any number of agents, on\n"
                  "any machines that see the directory, share the work.",
                  &code);
    if (n < 0) return code;
    if (n != 1) return cak_usage("agent", "one sweep directory is needed");
    if (!read_words(&t, &o)) return CAK_EXIT_USAGE;
    cak_diag *d = cak_diag_open();
    cak_sweep_dir *s = cak_sweep_dir_open(d, argv[1]);
    code = s ? cak_sweep_run(d, s, &o) : CAK_EXIT_OK;
    cak_sweep_dir_close(s);
    return cak_command_end(d, code);
}
