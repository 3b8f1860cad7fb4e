/* Event files for TensorBoard. Numbers of fields are those of event.proto, summary.proto and plugin_data.proto. */
#include "experiments/tensorboard.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "experiments/event.h"
#include "graph/io.h"
#include "graph/number.h"

enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5, EVENT_SESSION_LOG = 7 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_NUMBER = 2, VALUE_TENSOR = 8, VALUE_METADATA = 9 };
enum { METADATA_PLUGIN = 1, PLUGIN_NAME = 1, PLUGIN_CONTENT = 2 };
enum { HPARAMS_START = 3, START_HPARAM = 1, START_TIME = 5, MAP_KEY = 1, MAP_VALUE = 2 };
enum { JSON_NUMBER = 2, JSON_TEXT = 3, JSON_BOOL = 4 };
enum { SESSION_STATUS = 1, STATUS_START = 1 };

enum { WORTH_A_WRITE = 64 << 10 };

#define FILE_NAME "events.out.tfevents."

struct cak_tensorboard {
    cak_arena *a;
    cak_diag *d, *own; /* own: errors, which are warnings of the run */
    const char *path;
    int fd;
    cak_event_bytes out;
};

/* ---- events ---- */

static int begin(cak_tensorboard *t, double time, uint64_t step)
{
    int at = cak_event_begin(&t->out);
    cak_field_double(&t->out, EVENT_TIME, time);
    if (step) cak_field_int(&t->out, EVENT_STEP, step);
    return at;
}

static void put_version(cak_tensorboard *t, double time)
{
    int event = begin(t, time, 0);
    cak_field_text(&t->out, EVENT_VERSION, "brain.Event:2");
    cak_event_end(&t->out, event);
}

/* Everything at this step and after it was not: what was recorded at the step of the checkpoint stays. */
static void put_restart(cak_tensorboard *t, double time, uint64_t step)
{
    int event = begin(t, time, step + 1), session = cak_message_begin(&t->out, EVENT_SESSION_LOG);
    cak_field_int(&t->out, SESSION_STATUS, STATUS_START);
    cak_message_end(&t->out, session);
    cak_event_end(&t->out, event);
}

static const char *tag_of(cak_arena *a, const char *folder, const char *name)
{
    char *tag = cak_arena_print(a, "%s%s", folder, name);
    for (char *dot = tag; (dot = strchr(dot, '.'));) *dot = '/';
    return tag;
}

/* ---- hyperparameters ---- */

static int begin_hparam(cak_event_bytes *b, const char *key, int *value)
{
    int entry = cak_message_begin(b, START_HPARAM);
    cak_field_text(b, MAP_KEY, key);
    *value = cak_message_begin(b, MAP_VALUE);
    return entry;
}

static void end_hparam(cak_event_bytes *b, int entry, int value)
{
    cak_message_end(b, value);
    cak_message_end(b, entry);
}

/* Of the type that its text looks like. */
static void put_hparam(cak_event_bytes *b, const char *key, const char *text)
{
    double number;
    int value, entry = begin_hparam(b, key, &value);
    bool yes = !strcmp(text, "true");
    if (yes || !strcmp(text, "false")) cak_field_int(b, JSON_BOOL, yes);
    else if (cak_number_real(text, &number) == CAK_NUMBER_OK && isfinite(number)) cak_field_double(b, JSON_NUMBER, number);
    else cak_field_text(b, JSON_TEXT, text);
    end_hparam(b, entry, value);
}

/* "+a.b=c": a.b is c; "~a.b" has no value. The section `log` changes nothing that is learned. */
static void put_override(cak_event_bytes *b, cak_arena *a, const char *text)
{
    const char *key = text + strspn(text, "+"), *equals = strchr(key, '=');
    if (!strncmp(key, "log.", 4)) return;
    if (equals) put_hparam(b, cak_arena_print(a, "%.*s", (int)(equals - key), key), equals + 1);
    else put_hparam(b, key, "");
}

static void put_hparams(cak_tensorboard *t, const cak_tensorboard_session *s)
{
    static const char no_numbers[] = { 8, 1, 18, 2, 18, 0 }; /* a tensor: floats, of shape [0] */
    cak_event_bytes *b = &t->out;
    int event = begin(t, s->time, 0), summary = cak_message_begin(b, EVENT_SUMMARY), value = cak_message_begin(b, SUMMARY_VALUE);
    cak_field_text(b, VALUE_TAG, "_hparams_/session_start_info");
    cak_field_bytes(b, VALUE_TENSOR, no_numbers, sizeof no_numbers);
    int metadata = cak_message_begin(b, VALUE_METADATA), plugin = cak_message_begin(b, METADATA_PLUGIN);
    cak_field_text(b, PLUGIN_NAME, "hparams");
    int content = cak_message_begin(b, PLUGIN_CONTENT), start = cak_message_begin(b, HPARAMS_START);
    for (int i = 0; i < s->n_overrides; i++) put_override(b, t->a, s->override[i]);
    put_hparam(b, "name", s->name); /* of two entries the last one counts */
    put_hparam(b, "seed", cak_arena_print(t->a, "%" PRIu64, s->seed));
    cak_field_double(b, START_TIME, s->time);
    const int open[] = { start, content, plugin, metadata, value, summary };
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) cak_message_end(b, open[i]);
    cak_event_end(b, event);
}

/* ---- the file ---- */

/* Host names may hold anything; file names should not. */
static const char *host_name(cak_arena *a)
{
    struct utsname u;
    uname(&u);
    char *name = cak_arena_text(a, u.nodename);
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '.') *c = '-';
    return name;
}

/* TensorBoard reads files in the order of their names, so a new one comes after those that are there, whatever the clock says. */
static bool name_file(cak_tensorboard *t, const char *folder, double time)
{
    int n, count = 0;
    int64_t last = (int64_t)time - 1, at;
    const cak_io_entry *entry = cak_io_list(t->a, t->own, folder, &n);
    for (int i = 0; i < n && entry; i++)
        if (sscanf(entry[i].name, FILE_NAME "%10" SCNd64, &at) == 1) {
            count++;
            if (at > last) last = at;
        }
    t->path = cak_arena_print(t->a, "%s/" FILE_NAME "%010" PRId64 ".%s.%ld.%d", folder, last + 1, host_name(t->a), (long)getpid(),
                              count);
    return entry != NULL;
}

static bool open_file(cak_tensorboard *t, const char *dir, double time)
{
    const char *folder = cak_arena_print(t->a, "%s/tb", dir);
    if (!cak_io_no_link(t->own, folder) || cak_io_mkdir(t->own, folder) == CAK_IO_FAILED || !name_file(t, folder, time))
        return false;
    t->fd = cak_io_open_append(t->own, t->path);
    return t->fd >= 0;
}

static void give_up(cak_tensorboard *t)
{
    cak_warn(t->d, CAK_NOWHERE, "nothing more is written for TensorBoard: %s", cak_diag_message(t->own, 0));
    cak_io_close(t->fd);
    t->fd = -1;
}

void cak_tensorboard_flush(cak_tensorboard *t)
{
    if (!t || t->fd < 0) return;
    if (t->out.n && !cak_io_append(t->own, t->fd, t->path, t->out.p, (size_t)t->out.n)) give_up(t);
    t->out.n = 0;
}

cak_tensorboard *cak_tensorboard_open(cak_diag *d, const char *dir, const cak_tensorboard_session *s)
{
    cak_arena *a = cak_arena_open("TensorBoard");
    cak_tensorboard *t = cak_arena_alloc(a, sizeof *t);
    *t = (cak_tensorboard){ .a = a, .d = d, .own = cak_diag_open(), .fd = -1, .out = { .a = a } };
    if (open_file(t, dir, s->time)) {
        put_version(t, s->time);
        if (s->resumed) put_restart(t, s->time, s->step);
        put_hparams(t, s);
        cak_tensorboard_flush(t);
    } else {
        give_up(t);
    }
    if (t->fd >= 0) return t;
    cak_tensorboard_close(t);
    return NULL;
}

void cak_tensorboard_close(cak_tensorboard *t)
{
    if (!t) return;
    cak_tensorboard_flush(t);
    cak_io_close(t->fd);
    cak_diag_close(t->own);
    cak_arena_close(t->a);
}

void cak_tensorboard_scalars(cak_tensorboard *t, double time, uint64_t step, const char *folder, cak_fields f,
                             const double *value)
{
    if (!t || t->fd < 0) return;
    cak_event_bytes *b = &t->out;
    cak_arena *a = cak_arena_open("tags");
    int event = begin(t, time, step), summary = cak_message_begin(b, EVENT_SUMMARY);
    for (int i = 0; i < f.n; i++) {
        int at = cak_message_begin(b, SUMMARY_VALUE);
        cak_field_text(b, VALUE_TAG, tag_of(a, folder, f.field[i].name));
        cak_field_float(b, VALUE_NUMBER, (float)value[i]);
        cak_message_end(b, at);
    }
    cak_message_end(b, summary);
    cak_event_end(b, event);
    cak_arena_close(a);
    if (b->n > WORTH_A_WRITE) cak_tensorboard_flush(t);
}
