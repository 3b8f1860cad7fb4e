/* cak config, cak check, cak graph: what a configuration means, without reading data. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiments/command.h"
#include "experiments/prepare.h"
#include "graph/text.h"

static const char positional[] = "CONFIG [key=value ...]";

int cak_cmd_config(int argc, char **argv)
{
    int code, n = cak_options(argc, argv, NULL, positional,
                              "Print the configuration after composition, overrides and interpolation.", &code);
    if (n < 0) return code;
    if (n < 1) return cak_usage("config", "CONFIG is missing");
    cak_diag *d = cak_diag_open();
    cak_config *c = cak_command_config(d, n, argv);
    if (c && !cak_diag_errors(d)) printf("%s", cak_config_text(c));
    if (c) cak_config_close(c);
    return cak_command_end(d, CAK_EXIT_OK);
}

cak_experiment *cak_command_experiment(cak_diag *d, cak_config *c)
{
    cak_loader_info loader = { 0 };
    cak_experiment *x = cak_experiment_open(c);
    if (x->data && cak_data_describe(x->arena, d, x->data, x->base_dir, &loader)) cak_experiment_build(x, &loader);
    else cak_experiment_check(x, &loader);
    return x;
}

static double mib(size_t bytes) { return (double)bytes / (1 << 20); }

/* One line per phase: size of the graph, memory. The same lines start a training log. */
void cak_print_plan(FILE *f, const cak_experiment *x)
{
    char shape[CAK_SHAPE_TEXT];
    for (int i = 0; i < x->loader.n_ports; i++)
        fprintf(f, "%s: %lld x %s\n", x->port_name[i], (long long)x->batch[0], cak_shape_text(&x->loader.port[i].shape, shape));
    int64_t total = 0;
    for (int i = 0; i < x->n_params; i++) total += x->param[i].n;
    fprintf(f, "%lld parameters in %d tensors\n", (long long)total, x->n_params);
    for (int i = 0; i < x->n_phases; i++) {
        const cak_phase *p = &x->phase[i];
        cak_plan_info info = cak_program_info(p->step[0].program);
        int64_t moved = 0;
        for (int k = 0; k < p->n_params; k++) moved += x->param[p->param[k]].n;
        fprintf(f,
                "phase %s: %lld x, moves %lld parameters, %d values, %d kernels, slab %.1f MiB (all tensors %.1f MiB, lower "
                "bound %.1f), scratch %.1f MiB, %s order\n",
                p->name, (long long)p->repeat, (long long)moved, info.values, info.kernels, mib(info.slab), mib(info.sum),
                mib(info.peak), mib(info.scratch), info.order);
    }
    size_t fixed = 3 * (size_t)total * sizeof(real); /* parameters, and at most two second moments of each */
    for (int i = 0; i < x->loader.n_ports; i++)
        fixed += (size_t)(x->batch[0] * cak_shape_size(&x->loader.port[i].shape)) * sizeof(real);
    fprintf(f, "planned memory: %.1f MiB for tensors of a step, %.1f MiB for the batch, parameters and optimisers\n",
            mib(x->slab_bytes), mib(fixed));
}

int cak_cmd_check(int argc, char **argv)
{
    const char *quiet = NULL;
    const cak_option options[] = { { "quiet", NULL, "print errors only", &quiet }, { 0 } };
    int code,
        n = cak_options(argc, argv, options, positional,
                        "Check a configuration: syntax, keys, names, shapes, gradients. Reads no data, writes nothing.", &code);
    if (n < 0) return code;
    if (n < 1) return cak_usage("check", "CONFIG is missing");
    cak_diag *d = cak_diag_open();
    cak_config *c = cak_command_config(d, n, argv);
    cak_experiment *x = c ? cak_command_experiment(d, c) : NULL;
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
    return cak_error(d, CAK_E4001, CAK_NOWHERE,
                     WIFEXITED(status) && WEXITSTATUS(status) == 127 ? "svg needs the program 'dot' (package graphviz)"
                                                                     : "'dot' failed");
}

static bool print_graph(cak_diag *d, cak_experiment *x, const char *format, const char *phase)
{
    const cak_phase *p = NULL;
    const char *names[32];
    for (int i = 0; i < x->n_phases; i++) {
        if (i < 32) names[i] = x->phase[i].name;
        if (!phase || !strcmp(phase, x->phase[i].name)) p = p ? p : &x->phase[i];
    }
    if (!p) {
        const char *near = cak_suggest(phase, names, x->n_phases < 32 ? x->n_phases : 32);
        return cak_error(d, CAK_E5001, CAK_NOWHERE, "there is no phase '%s'%s%s%s", phase, near ? "; did you mean '" : "",
                         near ? near : "", near ? "'?" : "");
    }
    const cak_step *s = &p->step[0];
    if (!strcmp(format, "text")) {
        printf("%s\n%s", cak_dump_text(x->arena, s->graph, s->out, s->out_name, s->n_out),
               cak_program_text(x->arena, s->program));
        return true;
    }
    const char *dot = cak_dump_dot(x->arena, s->graph, s->out, s->out_name, s->n_out,
                                   cak_arena_print(x->arena, "%s, phase %s", x->name, p->name));
    if (!strcmp(format, "svg")) return print_svg(d, dot);
    printf("%s", dot);
    return true;
}

int cak_cmd_graph(int argc, char **argv)
{
    const char *format = "text", *phase = NULL;
    const cak_option options[] = { { "format", "text|dot|svg", "how to show it (text: graph and memory plan)", &format },
                                   { "phase", "NAME", "phase to show; the first one by default", &phase },
                                   { 0 } };
    int code, n = cak_options(argc, argv, options, positional,
                              "Show the graph of a training phase: forward, backward, all gradients.", &code);
    if (n < 0) return code;
    if (n < 1) return cak_usage("graph", "CONFIG is missing");
    if (strcmp(format, "text") && strcmp(format, "dot") && strcmp(format, "svg"))
        return cak_usage("graph", "unknown format '%s'; known: text, dot, svg", format);
    cak_diag *d = cak_diag_open();
    cak_config *c = cak_command_config(d, n, argv);
    cak_experiment *x = c ? cak_command_experiment(d, c) : NULL;
    if (x && !cak_diag_errors(d)) print_graph(d, x, format, phase);
    cak_experiment_close(x);
    if (c) cak_config_close(c);
    return cak_command_end(d, CAK_EXIT_OK);
}
