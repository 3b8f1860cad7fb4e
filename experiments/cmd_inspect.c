/* `cak inspect`: the tensors of a safetensors file. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiments/command.h"
#include "experiments/visible.h"
#include "graph/safetensors.h"

typedef struct summary { /* of the finite elements */
    double min, max, mean;
    int64_t n, finite;
    bool known; /* the elements can be read */
} summary;

static summary summarise(const cak_tensor *t)
{
    summary s = { .min = (double)INFINITY, .max = -(double)INFINITY, .n = cak_shape_size(&t->shape), .known = true };
    double v, sum = 0;
    for (int64_t i = 0; i < s.n && s.known; i++) {
        s.known = cak_tensor_at(t, i, &v);
        if (!s.known || !isfinite(v)) continue;
        s.min = fmin(s.min, v);
        s.max = fmax(s.max, v);
        sum += v;
        s.finite++;
    }
    s.mean = s.finite ? sum / (double)s.finite : 0;
    return s;
}

static void print_tensor(const cak_tensor *t, int width)
{
    char shape[CAK_SHAPE_TEXT];
    summary s = summarise(t);
    printf("%-*s  %-7s  %-20s", width, t->name, t->dtype, cak_shape_text(&t->shape, shape));
    if (s.finite) printf("  %12.6g  %12.6g  %12.6g", s.min, s.max, s.mean);
    else printf("  %12s  %12s  %12s", "-", "-", "-");
    if (s.known) printf("  %9" PRId64 "\n", s.n - s.finite);
    else printf("  %9s\n", "-");
}

static void print_table(cak_arena *a, const cak_tensors *t)
{
    int width = 6;
    int64_t elements = 0;
    for (int i = 0; i < t->n; i++) {
        if ((int)strlen(t->tensor[i].name) > width) width = (int)strlen(t->tensor[i].name);
        elements += cak_shape_size(&t->tensor[i].shape);
    }
    printf("%-*s  %-7s  %-20s  %12s  %12s  %12s  %9s\n", width, "TENSOR", "DTYPE", "SHAPE", "MIN", "MAX", "MEAN", "NONFINITE");
    for (int i = 0; i < t->n; i++) print_tensor(&t->tensor[i], width);
    printf("%d tensors, %" PRId64 " elements\n", t->n, elements);
    if (t->n_meta) puts("\nmetadata");
    for (int i = 0; i < t->n_meta; i++) printf("  %-32s  %s\n", cak_visible(a, t->meta[i].key), cak_visible(a, t->meta[i].value));
}

static json_t *tensor_json(const cak_tensor *t)
{
    summary s = summarise(t);
    json_t *shape = json_array();
    for (int i = 0; i < t->shape.rank; i++) json_array_append_new(shape, json_integer(t->shape.dim[i]));
    json_t *json = json_pack("{s:s, s:s, s:o}", "name", t->name, "dtype", t->dtype, "shape", shape);
    if (s.known) json_object_set_new(json, "nonfinite", json_integer(s.n - s.finite));
    if (s.finite) {
        json_object_set_new(json, "min", json_real(s.min));
        json_object_set_new(json, "max", json_real(s.max));
        json_object_set_new(json, "mean", json_real(s.mean));
    }
    return json;
}

static void print_json(const cak_tensors *t)
{
    json_t *tensors = json_array(), *meta = json_object();
    for (int i = 0; i < t->n; i++) json_array_append_new(tensors, tensor_json(&t->tensor[i]));
    for (int i = 0; i < t->n_meta; i++) json_object_set_new(meta, t->meta[i].key, json_string(t->meta[i].value));
    json_t *json = json_pack("{s:o, s:o}", "tensors", tensors, "metadata", meta);
    json_dumpf(json, stdout, JSON_INDENT(2));
    puts("");
    json_decref(json);
}

int cak_cmd_inspect(int argc, char **argv)
{
    const char *json = NULL;
    int code = CAK_EXIT_OK;
    const cak_option options[] = { { "json", NULL, "print JSON", &json }, { 0 } };
    int n = cak_options(
        argc, argv, options, "FILE",
        "List the tensors of a safetensors file: type, shape, range and mean of the finite elements, number of others;\n"
        "and its metadata. Files written by cak are checked against their checksum.",
        &code);
    if (n < 0) return code;
    if (n != 1) return cak_usage(argv[0], "one file is needed");
    cak_diag *d = cak_diag_open();
    cak_arena *a = cak_arena_open("safetensors file");
    const cak_tensors *t = cak_tensors_load(a, d, argv[1]);
    if (t && json) print_json(t);
    else if (t) print_table(a, t);
    cak_arena_close(a);
    return cak_command_end(d, code);
}
