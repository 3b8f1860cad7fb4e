/* The command line: one function per verb, and what they share. stdout carries results, stderr diagnostics and progress. */
#ifndef CAK_COMMAND_H
#define CAK_COMMAND_H

#include "experiments/experiment.h"

typedef struct cak_command {
    const char *name, *usage, *doc;    /* usage: what follows the verb */
    int (*run)(int argc, char **argv); /* argv[0] is the verb; returns the exit code */
} cak_command;
extern const cak_command cak_commands[]; /* ends with a row without name */

int cak_cmd_check(int argc, char **argv);
int cak_cmd_config(int argc, char **argv);
int cak_cmd_nodes(int argc, char **argv);
int cak_cmd_graph(int argc, char **argv);
int cak_cmd_preprocess(int argc, char **argv);
int cak_cmd_train(int argc, char **argv);
int cak_cmd_resume(int argc, char **argv);
int cak_cmd_inspect(int argc, char **argv);
int cak_cmd_ls(int argc, char **argv);
int cak_cmd_show(int argc, char **argv);
int cak_cmd_compare(int argc, char **argv);
int cak_cmd_diff(int argc, char **argv);
int cak_cmd_agent(int argc, char **argv);
int cak_cmd_sweep(int argc, char **argv);
int cak_cmd_multirun(int argc, char **argv);                     /* `cak train -m` */
bool cak_is_multirun(int *argc, char **argv);                    /* takes -m out of the words */
void cak_check_sweep(cak_diag *d, const char *path, bool quiet); /* `cak check` on a sweep file */
int cak_cmd_sweep_status(int argc, char **argv);                 /* `cak sweep status` */

/* Options of a verb: "--name VALUE" or "--name" in any place; everything else is positional. */
typedef struct cak_option {
    const char *name, *value, *doc; /* value: what is called in help, NULL for a flag; doc NULL: not in help */
    const char **text;              /* set to the value, or to "" for a flag */
} cak_option;

/* Returns the number of positional arguments moved to the front of argv[1..], or -1 after --help or an error (exit code in *code). */
int cak_options(int argc, char **argv, const cak_option *options, const char *positional, const char *doc, int *code);
bool cak_option_int(const char *name, const char *text, int64_t min, int64_t max, int64_t *out); /* E5001 on stderr */

int cak_usage(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* message on stderr; returns 2 */

/* An option that is a short form of an override. */
typedef struct cak_short_form {
    const char *key, *value; /* value NULL: the option was not given */
} cak_short_form;

/* The overrides arg[2..n], and the short forms (which end with a row without key; NULL: none) after them; memory of `a`. */
const char **cak_command_overrides(cak_arena *a, int n, char **arg, const cak_short_form *forms, int *n_out);
/* Load a configuration; for a sweep file, which has none, one error. NULL: there is none; errors are recorded. */
cak_config *cak_command_load(cak_diag *d, const char *path, const char *const *override, int n);
/* Load the configuration arg[1] with these overrides. NULL: there is none; errors are recorded. */
cak_config *cak_command_config(cak_diag *d, int n, char **arg, const cak_short_form *forms);
/* Configuration -> experiment with graphs and plans, no data read: shapes come from the attributes of the data nodes. All mistakes are
** recorded; with any the experiment is good for closing only. Never NULL. */
cak_experiment *cak_command_experiment(cak_diag *d, cak_config *c, bool plan);
void cak_print_plan(FILE *f, const cak_experiment *x); /* shapes, parameters, memory: one line each */
/* Print diagnostics to stderr, close, and return the exit code. */
int cak_command_end(cak_diag *d, int code);

#endif
