/* Golden diagnostics: every tests/bad/NAME.yaml must print exactly tests/bad/NAME.expect.
**
** Lines "#! a.b=c" at the start of a file are overrides. A file that loads is read further by the small table below. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph/config.h"
#include "tests/support/suite.h"

typedef struct hp {
    double lr;
    int64_t epochs;
    bool shuffle;
    int32_t optimizer;
    const char *name;
    cak_ints channels;
} hp;

static const char *const optimizers[] = { "adam", "rmsprop", "sgd", NULL };
static const char *const known[] = { "learning_rate", "epochs", "shuffle", "optimizer", "name", "channels", NULL };
static const cak_attr rows[] = {
    { .name = "learning_rate", .doc = "step size", .kind = CAK_NUM, .offset = offsetof(hp, lr), .max = 1, .required = true },
    { .name = "epochs", .kind = CAK_INT, .offset = offsetof(hp, epochs), .def = 100, .min = 1, .max = 1e6 },
    { .name = "shuffle", .kind = CAK_BOOL, .offset = offsetof(hp, shuffle), .def = 1 },
    { .name = "optimizer", .kind = CAK_ENUM, .offset = offsetof(hp, optimizer), .choices = optimizers },
    { .name = "name", .kind = CAK_TEXT, .offset = offsetof(hp, name) },
    { .name = "channels", .kind = CAK_INTS, .offset = offsetof(hp, channels), .def_text = "[8]", .min = 1, .max = 4096 },
    { .kind = CAK_END },
};

static char *slurp(cak_arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "no file %s", path);
    char *text = cak_arena_alloc(a, 1 << 20);
    text[fread(text, 1, (1 << 20) - 1, f)] = 0;
    fclose(f);
    return text;
}

enum { MAX_OVERRIDES = 8 };

static int overrides_of(char *text, const char *list[MAX_OVERRIDES])
{
    int n = 0;
    for (char *line = text; !strncmp(line, "#! ", 3); n++) {
        ck_assert_int_lt(n, MAX_OVERRIDES);
        list[n] = line + 3;
        line += strcspn(line, "\n");
        *line++ = 0;
    }
    return n;
}

/* Everything that loading and reading the file prints. */
static char *diagnostics(cak_arena *a, const char *path)
{
    cak_diag *d = cak_diag_open();
    const char *overrides[MAX_OVERRIDES];
    int n = overrides_of(slurp(a, path), overrides);
    cak_config *c = cak_config_load(d, path, overrides, n);
    cak_yaml *section = c ? cak_yaml_get(c->root, "hp") : NULL;
    hp out;
    if (section && cak_config_read(c->arena, d, section, rows, &out, "hp", NULL, NULL) && out.name)
        cak_config_name(d, out.name, cak_yaml_get(section, "name")->pos, "run", true);
    if (section) cak_config_unused(d, section, "hp", known);
    cak_config_close(c); /* before printing: diagnostics keep what they need */
    char *buf = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&buf, &size);
    cak_diag_print(d, f);
    fclose(f);
    char *text = cak_arena_text(a, buf);
    free(buf);
    cak_diag_close(d);
    return text;
}

static int yaml_only(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 5 && !strcmp(e->d_name + n - 5, ".yaml");
}

START_TEST(every_bad_file_prints_what_is_expected)
{
    ck_assert_int_eq(chdir(CAK_SOURCE_DIR), 0);
    struct dirent **list;
    int n = scandir("tests/bad", &list, yaml_only, alphasort), failed = 0;
    ck_assert_int_gt(n, 20);
    cak_arena *a = cak_arena_open("test");
    for (int i = 0; i < n; i++) {
        const char *path = cak_arena_print(a, "tests/bad/%s", list[i]->d_name);
        const char *expect = slurp(a, cak_arena_print(a, "%.*s.expect", (int)strlen(path) - 5, path)),
                   *got = diagnostics(a, path);
        free(list[i]);
        if (!strcmp(got, expect)) continue;
        failed++;
        fprintf(stderr, "%s prints\n%s--- expected\n%s", path, got, expect);
    }
    free(list);
    cak_arena_close(a);
    ck_assert_int_eq(failed, 0);
}
END_TEST

SUITE(bad, every_bad_file_prints_what_is_expected)
