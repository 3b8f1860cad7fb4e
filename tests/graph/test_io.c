/* Files: reading, atomic replacement, appending, locks, directories. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graph/io.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;
static const char *dir;

static void begin(void)
{
    a = cak_arena_open("test");
    d = cak_diag_open();
    dir = temp_dir();
}

static void end(void)
{
    cak_diag_close(d);
    cak_arena_close(a);
}

static const char *in(const char *name) { return cak_arena_print(a, "%s/%s", dir, name); }

static void write_text(const char *path, const char *text)
{
    cak_io_part part = { text, strlen(text) };
    ck_assert(cak_io_replace(d, path, &part, 1));
}

static const char *text_of(const char *path) { return cak_io_read_all(a, d, CAK_E4002, path, 0, NULL); }

static void expect(cak_code code, const char *part)
{
    ck_assert_int_ge(cak_diag_errors(d), 1);
    ck_assert_str_eq(cak_code_name(cak_diag_code(d, 0)), cak_code_name(code));
    ck_assert_msg(strstr(cak_diag_message(d, 0), part) != NULL, "'%s' lacks '%s'", cak_diag_message(d, 0), part);
    cak_diag_clear(d);
}

static int entries(void)
{
    int n;
    ck_assert_ptr_nonnull(cak_io_list(a, d, dir, &n));
    return n;
}

START_TEST(reads_whole_files)
{
    begin();
    size_t n;
    write_text(in("x"), "hello");
    const char *text = cak_io_read_all(a, d, CAK_E4002, in("x"), 5, &n);
    ck_assert_str_eq(text, "hello");
    ck_assert_uint_eq(n, 5);
    ck_assert_ptr_null(cak_io_read_all(a, d, CAK_E1001, in("x"), 4, &n));
    expect(CAK_E1001, "more than the limit of 4");
    end();
}
END_TEST

START_TEST(refuses_what_is_no_regular_file)
{
    begin();
    ck_assert_ptr_null(cak_io_read_all(a, d, CAK_E1001, in("absent"), 0, NULL));
    expect(CAK_E1001, "No such file");
    ck_assert_ptr_null(cak_io_read_all(a, d, CAK_E4002, dir, 0, NULL));
    expect(CAK_E4002, "not a regular file");
    ck_assert_ptr_null(cak_io_read_all(a, d, CAK_E4002, "/dev/zero", 0, NULL));
    expect(CAK_E4002, "not a regular file");
    ck_assert_int_eq(mkfifo(in("fifo"), 0600), 0);
    ck_assert_ptr_null(cak_io_read_all(a, d, CAK_E4002, in("fifo"), 0, NULL)); /* and does not hang */
    expect(CAK_E4002, "not a regular file");
    end();
}
END_TEST

START_TEST(reading_past_the_end_is_an_error)
{
    begin();
    uint64_t size;
    char buf[8];
    write_text(in("x"), "hello");
    int fd = cak_io_open_read(d, CAK_E4002, in("x"), &size);
    ck_assert_uint_eq(size, 5);
    ck_assert(cak_io_pread(d, CAK_E4002, fd, "x", buf, 3, 2));
    ck_assert_int_eq(memcmp(buf, "llo", 3), 0);
    ck_assert(!cak_io_pread(d, CAK_E4002, fd, "x", buf, 4, 2));
    expect(CAK_E4002, "ends after 5 bytes, 6 expected");
    cak_io_close(fd);
    ck_assert(!cak_io_pread(d, CAK_E4002, fd, "x", buf, 1, 0));
    expect(CAK_E4002, "Bad file descriptor");
    end();
}
END_TEST

START_TEST(replaces_atomically)
{
    begin();
    write_text(in("x"), "old");
    cak_io_part parts[] = { { "a", 1 }, { "", 0 }, { "bc", 2 } };
    ck_assert(cak_io_replace(d, in("x"), parts, 3));
    ck_assert_str_eq(text_of(in("x")), "abc");
    ck_assert_int_eq(entries(), 1);
    end();
}
END_TEST

/* RLIMIT_FSIZE stands in for a full disk: the write is cut short and then fails. */
static void limit_size(rlim_t size)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    setrlimit(RLIMIT_FSIZE, &limit);
}

START_TEST(a_failed_write_leaves_the_old_file)
{
    begin();
    char *big = cak_arena_alloc(a, 100000);
    cak_io_part part = { big, 100000 };
    write_text(in("x"), "old");
    limit_size(50000);
    bool ok = cak_io_replace(d, in("x"), &part, 1);
    limit_size(RLIM_INFINITY);
    ck_assert(!ok);
    expect(CAK_E4001, "File too large");
    ck_assert_str_eq(text_of(in("x")), "old");
    ck_assert_int_eq(entries(), 1);
    ck_assert(!cak_io_replace(d, in("no/such/x"), &part, 1));
    expect(CAK_E4001, "No such file");
    ck_assert_int_eq(mkdir(in("sub"), 0700), 0);
    ck_assert(!cak_io_replace(d, in("sub"), &part, 1)); /* the rename fails */
    expect(CAK_E4001, "directory");
    ck_assert_int_eq(entries(), 2);
    end();
}
END_TEST

START_TEST(never_writes_through_a_link)
{
    begin();
    write_text(in("target"), "old");
    ck_assert_int_eq(symlink(in("target"), in("link")), 0);
    cak_io_part part = { "new", 3 };
    ck_assert(!cak_io_replace(d, in("link"), &part, 1));
    expect(CAK_E4001, "symbolic link");
    ck_assert_int_eq(cak_io_open_append(d, in("link")), -1);
    expect(CAK_E4001, "symbolic link");
    ck_assert_int_eq(cak_io_lock(d, in("link")), -1);
    expect(CAK_E4001, "symbolic link");
    ck_assert_str_eq(text_of(in("target")), "old");
    ck_assert(cak_io_no_link(d, in("target")) && cak_io_no_link(d, in("absent")));
    end();
}
END_TEST

START_TEST(replaces_files_only)
{
    begin();
    struct stat st;
    cak_io_part part = { "new", 3 };
    ck_assert_int_eq(mkfifo(in("pipe"), 0600), 0);
    ck_assert(!cak_io_replace(d, in("pipe"), &part, 1));
    expect(CAK_E4001, "not a regular file");
    ck_assert(lstat(in("pipe"), &st) == 0 && S_ISFIFO(st.st_mode));
    end();
}
END_TEST

START_TEST(appends_whole_records)
{
    begin();
    int fd = cak_io_open_append(d, in("log"));
    ck_assert(cak_io_append(d, fd, in("log"), "one\n", 4) && cak_io_append(d, fd, in("log"), "two\n", 4));
    ck_assert(cak_io_sync(d, fd, in("log")));
    ck_assert_str_eq(text_of(in("log")), "one\ntwo\n");
    limit_size(10);
    bool ok = cak_io_append(d, fd, in("log"), "three\n", 6);
    limit_size(RLIM_INFINITY);
    ck_assert(!ok);
    expect(CAK_E4001, "File too large");
    ck_assert_str_eq(text_of(in("log")), "one\ntwo\n"); /* no torn record */
    ck_assert(cak_io_truncate(d, fd, in("log"), 4) && cak_io_append(d, fd, in("log"), "2\n", 2));
    ck_assert_str_eq(text_of(in("log")), "one\n2\n");
    cak_io_close(fd);
    ck_assert(!cak_io_truncate(d, fd, in("log"), 0));
    expect(CAK_E4001, "Bad file descriptor");
    ck_assert(!cak_io_sync(d, fd, in("log")));
    expect(CAK_E4001, "Bad file descriptor");
    ck_assert_int_eq(cak_io_open_append(d, dir), -1);
    expect(CAK_E4001, "Is a directory");
    end();
}
END_TEST

START_TEST(a_full_device_is_an_error)
{
    begin();
    int fd = cak_io_open_append(d, "/dev/full");
    ck_assert_int_ge(fd, 0);
    ck_assert(!cak_io_append(d, fd, "/dev/full", "x", 1));
    expect(CAK_E4001, "No space left");
    cak_io_close(fd);
    end();
}
END_TEST

START_TEST(directories)
{
    begin();
    ck_assert(cak_io_mkdirs(d, in("p/q//r")) && cak_io_mkdirs(d, in("p/q/r/")));
    write_text(in("p/file"), "xy");
    ck_assert_int_eq(symlink("file", in("p/a-link")), 0);
    int n;
    const cak_io_entry *e = cak_io_list(a, d, in("p"), &n);
    ck_assert_int_eq(n, 3);
    ck_assert(!strcmp(e[0].name, "a-link") && e[0].kind == CAK_IO_LINK);
    ck_assert(!strcmp(e[1].name, "file") && e[1].kind == CAK_IO_FILE && e[1].size == 2);
    ck_assert(!strcmp(e[2].name, "q") && e[2].kind == CAK_IO_DIR);
    ck_assert(!cak_io_mkdirs(d, in("p/file/z")));
    expect(CAK_E4001, "Not a directory");
    ck_assert_ptr_null(cak_io_list(a, d, in("absent"), &n));
    expect(CAK_E4002, "No such file");
    ck_assert_int_eq(cak_io_mkdir(d, in("new")), CAK_IO_MADE);
    ck_assert_int_eq(cak_io_mkdir(d, in("new")), CAK_IO_TAKEN);
    ck_assert_int_eq(cak_io_mkdir(d, in("no/new")), CAK_IO_FAILED);
    expect(CAK_E4001, "No such file");
    ck_assert(cak_io_remove_dir(d, in("new")) && !cak_io_exists(in("new")));
    ck_assert(!cak_io_remove_dir(d, in("p")));
    expect(CAK_E4001, "not empty");
    end();
}
END_TEST

START_TEST(removes_files_and_temporaries)
{
    begin();
    write_text(in("keep"), "");
    write_text(in(".tmp-run.json-12-0"), "left by a killed writer");
    ck_assert(cak_io_remove_temporaries(d, dir));
    ck_assert_int_eq(entries(), 1);
    ck_assert(cak_io_remove(d, in("keep")) && cak_io_remove(d, in("keep")));
    ck_assert_int_eq(entries(), 0);
    ck_assert(!cak_io_remove(d, dir));
    expect(CAK_E4001, "directory");
    ck_assert(!cak_io_remove_temporaries(d, in("absent")));
    expect(CAK_E4002, "No such file");
    end();
}
END_TEST

START_TEST(one_process_holds_a_lock)
{
    begin();
    int holder, fd = cak_io_lock(d, in("lock"));
    ck_assert_int_ge(fd, 0);
    ck_assert(cak_io_locked(in("lock"), &holder));
    ck_assert_int_eq(holder, getpid());
    ck_assert_int_eq(cak_io_lock(d, in("lock")), -1); /* another descriptor is another holder, also in one process */
    expect(CAK_E4004, cak_arena_print(a, "process %d", getpid()));
    cak_io_close(fd);
    ck_assert(!cak_io_locked(in("lock"), &holder) && holder == 0);
    ck_assert(!cak_io_locked(in("absent"), &holder));
    fd = cak_io_lock(d, in("lock"));
    ck_assert_int_ge(fd, 0);
    cak_io_close(fd);
    ck_assert_int_eq(cak_io_lock(d, in("no/lock")), -1);
    expect(CAK_E4001, "No such file");
    end();
}
END_TEST

START_TEST(a_killed_process_loses_its_lock)
{
    begin();
    int ready[2], holder;
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = cak_io_lock(d, in("lock"));
        byte = fd >= 0;
        if (write(ready[1], &byte, 1) == 1) pause();
        _exit(0);
    }
    ck_assert(read(ready[0], &byte, 1) == 1 && byte == 1);
    ck_assert(cak_io_locked(in("lock"), &holder));
    ck_assert_int_eq(holder, child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ck_assert(!cak_io_locked(in("lock"), &holder));
    close(ready[0]);
    close(ready[1]);
    end();
}
END_TEST

START_TEST(disk_space)
{
    begin();
    ck_assert_uint_gt(cak_io_free_bytes(dir), 0);
    ck_assert_uint_lt(cak_io_free_bytes(in("not/yet/made")), UINT64_MAX);
    ck_assert_uint_lt(cak_io_free_bytes("not-yet-made"), UINT64_MAX);
    ck_assert(cak_io_need_space(d, dir, 1));
    ck_assert(!cak_io_need_space(d, dir, UINT64_MAX - 1));
    expect(CAK_E4007, "are free");
    end();
}
END_TEST

START_TEST(short_names)
{
    begin();
    char *before = getcwd(NULL, 0);
    ck_assert(cak_io_mkdirs(d, in("a/b")) && cak_io_mkdirs(d, in("elsewhere/deep")));
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(symlink("elsewhere/deep", "link"), 0);
    const char *const names[][2] = {
        { "a/../elsewhere/x.yaml", "elsewhere/x.yaml" },
        { "a/b/../../elsewhere/x.yaml", "elsewhere/x.yaml" },
        { "./a//b/./x", "a/b/x" },
        { "a/../x", "x" },
        { "a/b/../", "a/" },
        { "a/../..x", "..x" },
        { "a/...", "a/..." },
        { "../../x", "../../x" },
        { "a/../../x", "../x" },
        { "./../../x", "../../x" },
        { "x", "x" },
        { "", "" },
        { "/tmp/../tmp/./x", "/tmp/x" },
        { "/x", "/x" },
        { "link/../x", "link/../x" }, /* it lies in elsewhere/ */
        { "link/./x", "link/x" },
        { "none/../x", "none/../x" }, /* cannot be opened, and should not look as if it could */
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) ck_assert_str_eq(cak_io_short(a, names[i][0]), names[i][1]);
    ck_assert_int_eq(chdir(before), 0);
    free(before);
    end();
}
END_TEST

SUITE(io, reads_whole_files, refuses_what_is_no_regular_file, reading_past_the_end_is_an_error, replaces_atomically,
      a_failed_write_leaves_the_old_file, never_writes_through_a_link, replaces_files_only, appends_whole_records,
      a_full_device_is_an_error, directories, removes_files_and_temporaries, one_process_holds_a_lock,
      a_killed_process_loses_its_lock, disk_space, short_names)
