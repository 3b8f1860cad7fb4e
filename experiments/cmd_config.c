/* cak config, cak check, cak graph: what a configuration means, without reading data. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiments/command.h"
#include "experiments/prepare.h"
#include "experiments/sweep.h"
#include "graph/text.h"

static const char positional[] = "CONFIG [key=value ...]";
#define REFERENCE_OPTION                                               \
    {                                                                  \
        "reference", NULL, "same as engine.reference=true", &reference \
    }

int cak_cmd_config(int argc, char **argv)
{
    int code, n = cak_options(argc, argv, NULL, positional,
                              "Print the configuration after composition, overrides and interpolation.", &code);
    if (n < 0) return code;
    if (n < 1) return cak_usage("config", "CONFIG is missing");
    cak_diag *d = cak_diag_open();
    cak_config *c = cak_command_config(d, n, argv, NULL);
    if (c && !cak_diag_errors(d)) printf("%s", cak_config_text(c));
    if (c) cak_config_close(c);
    return cak_command_end(d, CAK_EXIT_OK);
}

cak_experiment *cak_command_experiment(cak_diag *d, cak_config *c, bool plan)
{
    cak_loader_info loader = { 0 };
    cak_experiment *x = cak_experiment_open(c);
    if (x->data && cak_data_describe(x->arena, d, x->data, x->base_dir, &loader))
        (plan ? cak_experiment_build : cak_experiment_graphs)(x, &loader);
    else cak_experiment_check(x, &loader);
    return x;
}

/* `cak check` and `cak graph`: the experiment of a configuration, with the short forms they share. */
static cak_experiment *open_experiment(cak_diag *d, int n, char **arg, bool reference, cak_config **c)
{
    const cak_short_form forms[] = { { "engine.reference", reference ? "true" : NULL }, { 0 } };
    *c = cak_command_config(d, n, arg, forms);
    return *c ? cak_command_experiment(d, *c, true) : NULL;
}

static double mib(size_t bytes) { return (double)bytes / (1 << 20); }

/* What is not as usual: nothing, "engine: reference" or "engine: without fusion, layout". */
static void print_engine(FILE *f, const cak_engine_attr *e)
{
    const char *const off[] = { e->slices ? NULL : "slices", e->fusion ? NULL : "fusion", e->layout ? NULL : "layout",
                                e->algebra ? NULL : "algebra" };
    const char *before = "engine: without ", *end = "";
    for (size_t i = 0; i < sizeof off / sizeof *off && !e->reference; i++) {
        if (!off[i]) continue;
        fprintf(f, "%s%s", before, off[i]);
        before = ", ", end = "\n";
    }
    fprintf(f, "%s", e->reference ? "engine: reference\n" : end);
}

/* One line per phase: updates, memory; `cak graph --show program` and plan.txt have the details. Training prints the same lines. */
void cak_print_plan(FILE *f, const cak_experiment *x)
{
    char shape[CAK_SHAPE_TEXT];
    for (int i = 0; i < x->loader.n_ports; i++)
        fprintf(f, "%s: %lld x %s\n", x->port_name[i], (long long)x->batch[0], cak_shape_text(&x->loader.port[i].shape, shape));
    int64_t total = 0;
    for (int i = 0; i < x->n_params; i++) total += x->param[i].n;
    fprintf(f, "%lld parameters in %d tensors\n", (long long)total, x->n_params);
    print_engine(f, &x->engine);
    for (int i = 0; i < x->n_phases; i++) {
        const cak_phase *p = &x->phase[i];
        cak_plan_info info = cak_program_info(p->step[0].program);
        int64_t moved = 0;
        for (int k = 0; k < p->n_params; k++) moved += x->param[p->param[k]].n;
        fprintf(f, "phase %s: %lld x a batch, moves %lld parameters; %.1f MiB for activations (%.1f without planning)\n", p->name,
                (long long)p->repeat, (long long)moved, mib(info.slab), mib(info.sum));
    }
    size_t fixed = 3 * (size_t)total * sizeof(real); /* parameters, and at most two second moments of each */
    bool streams = cak_experiment_streams(x);
    fprintf(f, "planned memory: %.1f MiB for tensors of a step, %.1f MiB for %sparameters and optimisers\n", mib(x->slab_bytes),
            mib(fixed + (streams ? 0 : cak_experiment_batch_bytes(x))), streams ? "" : "the batch, ");
}

int cak_cmd_check(int argc, char **argv)
{
    const char *quiet = NULL, *reference = NULL;
    const cak_option options[] = { { "quiet", NULL, "print errors only", &quiet }, REFERENCE_OPTION, { 0 } };
    int code, n = cak_options(
                  argc, argv, options, positional,
                  "Check a configuration: syntax, keys, names, shapes, gradients. Of a sweep file, every point is checked.\n"
                  "Reads no data, writes nothing.",
                  &code);
    if (n < 0) return code;
    if (n < 1) return cak_usage("check", "CONFIG is missing");
    cak_diag *d = cak_diag_open();
    if (n == 1 && !reference && cak_sweep_is(argv[1])) {
        cak_check_sweep(d, argv[1], quiet != NULL);
        return cak_command_end(d, CAK_EXIT_OK);
    }
    cak_config *c;
    cak_experiment *x = open_experiment(d, n, argv, reference != NULL, &c);
    if (x && !cak_diag_errors(d) && !quiet) {
        printf("%s: ok\n", argv[1]);
        cak_print_plan(stdout, x);
    }
    cak_experiment_close(x);
    if (c) cak_config_close(c);
    return cak_command_end(d, CAK_EXIT_OK);
}

/* ---- graph ---- */

/* Graphviz turns dot into svg; the text goes through a pipe. */
static bool print_svg(cak_diag *d, const char *dot)
{
    int fd[2], status = -1;
    fflush(stdout);
    if (pipe(fd) != 0) return cak_error(d, CAK_E4001, CAK_NOWHERE, "no pipe to 'dot'");
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL); /* 'dot' ends silently when nobody reads the picture */
        dup2(fd[0], 0);
        close(fd[0]);
        close(fd[1]);
        execlp("dot", "dot", "-Tsvg", (char *)NULL);
        _exit(127);
    }
    close(fd[0]);
    for (size_t left = strlen(dot); pid > 0 && left;) {
        ssize_t n = write(fd[1], dot, left);
        if (n <= 0) break;
        dot += n, left -= (size_t)n;
    }
    close(fd[1]);
    if (pid > 0) waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE) return true; /* see finish() in main.c */
    return cak_error(d, CAK_E4001, CAK_NOWHERE,
                     WIFEXITED(status) && WEXITSTATUS(status) == 127 ? "svg needs the program 'dot' (package graphviz)"
                                                                     : "'dot' failed");
}

/* What of a phase is shown. */
typedef struct view {
    const char *name;
    bool before, graph, program; /* the graph before the passes or after them; the program */
} view;
static const view views[] = {
    { "before", true, true, false },
    { "after", false, true, false },
    { "program", false, false, true },
    { "all", false, true, true }, /* of what runs */
    { 0 },
};

typedef struct graph_options {
    const char *format, *phase;
    const view *view;
} graph_options;

static const view *find_view(const char *name)
{
    const view *v = views;
    while (v->name && strcmp(v->name, name)) v++;
    return v->name ? v : NULL;
}

static void print_text(cak_experiment *x, const cak_step *s, const cak_graph *g, const cak_ref *out, const view *v)
{
    if (v->graph) printf("%s", cak_dump_text(x->arena, g, out, s->out_name, s->n_out));
    if (v->graph && v->program) printf("\n");
    if (v->program) printf("%s%s", cak_program_legend, cak_program_text(x->arena, s->program));
}

static bool print_step(cak_diag *d, cak_experiment *x, const cak_phase *p, const graph_options *o)
{
    const cak_step *s = &p->step[0];
    bool before = o->view->before, ok = true;
    cak_graph *built = before ? cak_pass_dce(s->built, s->built_out, s->n_out) : NULL; /* without what other phases need */
    const cak_graph *g = before ? built : s->graph;
    const cak_ref *out = before ? s->built_out : s->out;
    const char *title = cak_arena_print(x->arena, "%s, phase %s", x->name, p->name);
    if (!strcmp(o->format, "text")) print_text(x, s, g, out, o->view);
    else {
        const char *dot = cak_dump_dot(x->arena, g, out, s->out_name, s->n_out, title);
        if (!strcmp(o->format, "svg")) ok = print_svg(d, dot);
        else printf("%s", dot);
    }
    cak_graph_close(built);
    return ok;
}

static bool print_graph(cak_diag *d, cak_experiment *x, const graph_options *o)
{
    const cak_phase *p = NULL;
    const char *names[32];
    for (int i = 0; i < x->n_phases; i++) {
        if (i < 32) names[i] = x->phase[i].name;
        if (!o->phase || !strcmp(o->phase, x->phase[i].name)) p = p ? p : &x->phase[i];
    }
    if (p) return print_step(d, x, p, o);
    const char *near = cak_suggest(o->phase, names, x->n_phases < 32 ? x->n_phases : 32);
    return cak_error(d, CAK_E5001, CAK_NOWHERE, "there is no phase '%s'%s%s%s", o->phase, near ? "; did you mean '" : "",
                     near ? near : "", near ? "'?" : "");
}

int cak_cmd_graph(int argc, char **argv)
{
    graph_options o = { .format = "text" };
    const char *show = "all", *reference = NULL;
    const cak_option options[] = {
        { "format", "text|dot|svg", "how to show it", &o.format },
        { "phase", "NAME", "phase to show; the first one by default", &o.phase },
        { "show", "VIEW",
          "before|after: the graph before, after the passes; program: slices, units, buffers; all: after, program", &show },
        REFERENCE_OPTION,
        { 0 },
    };
    int code, n = cak_options(argc, argv, options, positional,
                              "Show a training phase: the graph with all gradients, and the program that runs it (as text only).",
                              &code);
    if (n < 0) return code;
    if (n < 1) return cak_usage("graph", "CONFIG is missing");
    if (strcmp(o.format, "text") && strcmp(o.format, "dot") && strcmp(o.format, "svg"))
        return cak_usage("graph", "unknown format '%s'; known: text, dot, svg", o.format);
    o.view = find_view(show);
    if (!o.view) return cak_usage("graph", "unknown view '%s'; known: before, after, program, all", show);
    if (!o.view->graph && strcmp(o.format, "text")) return cak_usage("graph", "a program is shown as text, not as %s", o.format);
    cak_diag *d = cak_diag_open();
    cak_config *c;
    cak_experiment *x = open_experiment(d, n, argv, reference != NULL, &c);
    if (x && !cak_diag_errors(d)) print_graph(d, x, &o);
    cak_experiment_close(x);
    if (c) cak_config_close(c);
    return cak_command_end(d, CAK_EXIT_OK);
}
