/* The scripted kernel, see the header. References: ptrace(2), kernel/signal.c, kernel/ptrace.c, fs/exec.c. */
#define _GNU_SOURCE
#include "scripted_tasks.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPACE_SIZE 0x2000

struct task *tasks;
struct group *groups;
bool youngest_first, quiet_deaths;
uint64_t padding_start, padding_end;
pid_t next_tid = PID + 1000;
void (*before_ptrace)(long request, pid_t tid);
int fail_at, ptrace_calls;
struct delivered deliveries[64];
int delivery_count;
uint64_t guarded;
int slipped, traps_taken;
int requests[0x10000];
char where[80];

void broken(const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: %s ", file, line, where);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    for EACH_TASK (t)
        fprintf(stderr, "  thread %d of %d: state %d reported %d status %#x pc %#llx slow %d killed %d\n", (int)t->tid,
                (int)t->group->pid, t->state, t->reported, t->status, t->registers.rip, t->slow, t->killed);
    _exit(1);
}

void check_equal(const char *file, int line, const char *what, long left, long right) {
    if (left != right)
        broken(file, line, "%s is %ld, not %ld", what, left, right);
}

struct space *make_space(const struct space *copied) {
    struct space *space = calloc(1, sizeof *space);
    char bytes[SPACE_SIZE];
    memset(bytes, OP_SPIN, sizeof bytes);
    space->file = memfd_create("memory", MFD_CLOEXEC);
    CHECK(space->file >= 0);
    if (copied)
        CHECK(pread(copied->file, bytes, sizeof bytes, 0) == SPACE_SIZE);
    CHECK(pwrite(space->file, bytes, sizeof bytes, 0) == SPACE_SIZE);
    return space;
}

void leave_space(struct task *t) {
    if (t->space && --t->space->users == 0) {
        close(t->space->file);
        free(t->space);
    }
    t->space = NULL;
}

void enter_space(struct task *t, struct space *space) {
    t->space = space;
    space->users++;
}

struct group *make_group(pid_t pid) {
    struct group *group = calloc(1, sizeof *group);
    group->pid = pid;
    group->next = groups;
    groups = group;
    return group;
}

struct task *make_task(struct group *group, pid_t tid, struct space *space, uint64_t pc) {
    struct task *t = calloc(1, sizeof *t), **link = &tasks;
    while (*link)
        link = &(*link)->next;
    *link = t;
    t->tid = tid;
    t->group = group;
    group->members++;
    enter_space(t, space);
    t->registers.rip = pc;
    t->registers.orig_rax = ~0ull;
    t->registers.cs = 0x33;
    return t;
}

void drop_task(struct task *t) {
    struct task **link = &tasks;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    leave_space(t);
    if (--t->group->members == 0) {
        struct group **where = &groups;
        while (*where != t->group)
            where = &(*where)->next;
        *where = t->group->next;
        free(t->group);
    }
    for EACH_TASK (other)
        if (other->parent == t)
            other->parent = NULL;
    free(t);
}

struct task *find_task(pid_t tid) {
    for EACH_TASK (t)
        if (t->tid == tid)
            return t;
    return NULL;
}

struct task *task(pid_t tid) {
    struct task *t = find_task(tid);
    if (!t)
        broken(__FILE__, __LINE__, "thread %d is gone", (int)tid);
    return t;
}

struct task *make_process(pid_t pid, int count) {
    struct group *group = make_group(pid);
    struct space *space = make_space(NULL);
    for (int i = 0; i < count; i++)
        make_task(group, pid + i, space, START);
    return task(pid);
}

void put_code(pid_t tid, uint64_t address, const char *code, int size) {
    CHECK(pwrite(task(tid)->space->file, code, (size_t)size, (off_t)address) == size);
}

uint8_t code_at(pid_t tid, uint64_t address) {
    uint8_t byte = 0;
    CHECK(pread(task(tid)->space->file, &byte, 1, (off_t)address) == 1);
    return byte;
}

int forget_tasks(void) {
    int traced = 0;
    while (tasks) {
        traced += tasks->traced;
        drop_task(tasks);
    }
    return traced;
}

int list_tasks(pid_t pid, pid_t *tids, int max) {
    int count = 0;
    for EACH_TASK (t)
        if (t->group->pid == pid && count < max)
            tids[count++] = t->tid;
    return count;
}
