/* The part of /proc that the tracer looks at, in place of the C library's calls (ld --wrap). */
#define _GNU_SOURCE
#include "scripted_kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int __wrap_access(const char *path, int mode);
DIR *__wrap_opendir(const char *path);
struct dirent *__wrap_readdir(DIR *directory);
int __wrap_closedir(DIR *directory);
int __wrap_open(const char *path, int flags, ...);

/* "/proc/PID/task/TID" */
int __wrap_access(const char *path, int mode) {
    int pid, tid;
    (void)mode;
    CHECK(sscanf(path, "/proc/%d/task/%d", &pid, &tid) == 2);
    struct task *found = find_task(tid);
    return found && found->group->pid == pid ? 0 : -1;
}

struct listing {
    pid_t tids[64];
    int count, at;
    struct dirent entry;
};

DIR *__wrap_opendir(const char *path) {
    int pid;
    CHECK(sscanf(path, "/proc/%d/task", &pid) == 1);
    if (!find_task(pid))
        return NULL;
    struct listing *listing = calloc(1, sizeof *listing);
    listing->count = list_tasks(pid, listing->tids, 64);
    return (DIR *)listing;
}

struct dirent *__wrap_readdir(DIR *directory) {
    struct listing *listing = (struct listing *)directory;
    if (listing->at == listing->count)
        return NULL;
    snprintf(listing->entry.d_name, sizeof listing->entry.d_name, "%d", (int)listing->tids[listing->at++]);
    return &listing->entry;
}

int __wrap_closedir(DIR *directory) {
    free(directory);
    return 0;
}

static int open_status(const struct task *found) {
    char text[200];
    const struct task *parent = find_task(found->group->parent);
    int size = snprintf(text, sizeof text, "Name:\tx\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n", (int)found->group->pid,
                        (int)found->tid, parent && parent->state != TASK_DEAD ? (int)parent->tid : 1);
    int file = memfd_create("status", MFD_CLOEXEC);
    CHECK(file >= 0 && pwrite(file, text, (size_t)size, 0) == size);
    return file;
}

/* "/proc/TID/mem" and "/proc/TID/status" */
int __wrap_open(const char *path, int flags, ...) {
    int tid;
    char name[16];
    (void)flags;
    CHECK(sscanf(path, "/proc/%d/%15s", &tid, name) == 2);
    struct task *found = find_task(tid);
    if (!found || (strcmp(name, "mem") == 0 && !found->space)) {
        errno = ENOENT;
        return -1;
    }
    return strcmp(name, "mem") == 0 ? fcntl(found->space->file, F_DUPFD_CLOEXEC, 3) : open_status(found);
}
