/* The script of a job array: options for sbatch, and a task that runs one agent. */
#include "experiments/slurm_script.h"

#include <inttypes.h>
#include <string.h>

#include "graph/text.h"

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,:/@%=^";

bool cak_slurm_path_ok(const char *path)
{
    for (const char *c = path; *c; c++)
        if (*c == '\\' || (unsigned char)*c < 0x20) return false;
    return true;
}

/* ---- quoting ---- */

/* it's -> 'it'\''s' */
static const char *shell_word(cak_arena *a, const char *text)
{
    cak_text_builder b = { .a = a };
    cak_text_add(&b, "'");
    for (const char *c = text; *c; c++) {
        if (*c == '\'') cak_text_add(&b, "'\\''");
        else cak_text_add(&b, "%c", *c);
    }
    cak_text_add(&b, "'");
    return cak_text_done(&b);
}

/* sbatch reads its lines by rules of its own: a backslash escapes, within both kinds of quotes, too. */
static const char *sbatch_word(cak_arena *a, const char *text)
{
    if (!text[strspn(text, plain)]) return text;
    cak_text_builder b = { .a = a };
    cak_text_add(&b, "\"");
    for (const char *c = text; *c; c++) cak_text_add(&b, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    cak_text_add(&b, "\"");
    return cak_text_done(&b);
}

/* In names of logs, % begins a pattern. */
static const char *log_name(cak_arena *a, const char *dir)
{
    cak_text_builder b = { .a = a };
    for (const char *c = dir; *c; c++) cak_text_add(&b, *c == '%' ? "%%%%" : "%c", *c);
    cak_text_add(&b, "/slurm/%%A_%%a.log");
    return cak_text_done(&b);
}

/* ---- options of sbatch ---- */

/* "no-requeue=x" is of the option "requeue". */
static bool is_of(const char *word, const char *key)
{
    size_t n = strcspn(word, "=");
    if (!strncmp(word, "no-", 3) && n > 3) word += 3, n -= 3;
    return strlen(key) == n && !strncmp(key, word, n);
}

/* What the user says goes before what is said here, but for numbers of tasks that have a meaning. */
static bool is_fixed(const cak_slurm_job *j, const char *key) { return j->by_index && !strcmp(key, "array"); }

static bool given(const cak_launcher *l, const char *key)
{
    for (int i = 0; i < l->n_sbatch; i++)
        if (is_of(l->sbatch[i] + 2, key)) return true; /* after the two dashes */
    return false;
}

static void add_options(cak_text_builder *b, const cak_sweep *s, const cak_slurm_job *j)
{
    cak_arena *a = b->a;
    const cak_launcher *l = &s->launcher;
    const char *array = j->limit ? cak_arena_print(a, "%s%%%" PRId64, j->array, j->limit) : j->array;
    const char *const options[][2] = {
        { "job-name", s->name },    { "array", array },        { "cpus-per-task", cak_arena_print(a, "%" PRId64, j->threads) },
        { "signal", "B:USR1@120" }, /* to the script, two minutes before the time is over */
        { "requeue", NULL },        { "open-mode", "append" }, { "output", log_name(a, j->dir) },
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const char *key = options[i][0], *value = options[i][1];
        if (given(l, key) && !is_fixed(j, key)) continue;
        cak_text_add(b, "#SBATCH --%s%s%s\n", key, value ? "=" : "", value ? sbatch_word(a, value) : "");
    }
    for (int i = 0; i < l->n_sbatch; i++)
        if (!is_of(l->sbatch[i] + 2, "array") || !is_fixed(j, "array"))
            cak_text_add(b, "#SBATCH %s\n", sbatch_word(a, l->sbatch[i]));
}

/* ---- commands ---- */

static const char pull[] = "# Each task runs the next point that nobody runs: which task runs which point does not matter.\n";
static const char fixed[] = "# The number of a task is that of its point in plan.jsonl, counted from 0.\n";

static const char task[] =
    "agent=$!\n"
    "\n"
    "# USR1 (the time is nearly over) and TERM (the task must go) are for the agent: it has its run write a checkpoint.\n"
    "# A trap ends `wait` early; the loop waits again, and the shell remembers how the agent has ended meanwhile.\n"
    "trap 'signalled=yes; kill -USR1 \"$agent\" 2>/dev/null' USR1\n"
    "trap 'signalled=yes; kill -TERM \"$agent\" 2>/dev/null' TERM\n"
    "signalled=yes\n"
    "while [ \"$signalled\" ]; do\n"
    "    signalled=\n"
    "    wait \"$agent\"\n"
    "    code=$?\n"
    "done\n"
    "\n"
    "# 75: stopped, with a checkpoint; 138 and 143: before it had begun. The task goes on later, on any node, with the next\n"
    "# open point, as a rule its own. A task that Slurm is ending (scancel, preemption) is no more RUNNING: it is left to "
    "Slurm.\n"
    "task=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID\n"
    "case $code in\n"
    "75 | 138 | 143)\n"
    "    [[ $(scontrol show job \"$task\") != *JobState=RUNNING* ]] || scontrol requeue \"$task\"\n"
    "    ;;\n"
    "esac\n"
    "exit \"$code\"\n";

static void add_agent(cak_text_builder *b, const cak_slurm_job *j)
{
    cak_text_add(b, "\n%s agent %s", shell_word(b->a, j->program), shell_word(b->a, j->dir));
    cak_text_add(b, "%s", j->by_index ? " --index \"$SLURM_ARRAY_TASK_ID\" --retry failed" : " --once");
    cak_text_add(b, " --threads \"$SLURM_CPUS_PER_TASK\" --progress plain");
    if (j->cache) cak_text_add(b, " --cache %s", shell_word(b->a, j->cache));
    cak_text_add(b, " &\n");
}

const char *cak_slurm_script(cak_arena *a, const cak_sweep *s, const cak_slurm_job *j)
{
    cak_text_builder b = { .a = a };
    cak_text_add(&b, "#!/bin/bash\n# Job array of the sweep %s, written by `cak sweep`.\n%s", s->name,
                 j->by_index ? fixed : pull);
    add_options(&b, s, j);
    add_agent(&b, j);
    cak_text_add(&b, "%s", task);
    return cak_text_done(&b);
}
