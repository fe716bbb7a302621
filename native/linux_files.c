/* Files as a process sees them, by way of /proc/PID/root. */
#define _GNU_SOURCE
#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Without openat2 (before Linux 5.6, or forbidden by a seccomp filter) an absolute symbolic link leads out of the root. */
static long open_below(int root, const char *path, int flags, int mode) {
    while (*path == '/')
        path++;
    return openat(root, *path ? path : ".", flags, mode);
}

int linux_open_in_root(int pid, const char *path, int flags, int mode) {
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/root", pid);
    int root = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -errno;
    struct open_how how = {
        .flags = (uint32_t)flags,
        .mode = flags & O_CREAT ? (uint64_t)mode : 0,
        .resolve = RESOLVE_IN_ROOT,
    };
    long file = syscall(SYS_openat2, root, path, &how, sizeof how);
    if (file < 0 && (errno == ENOSYS || errno == EPERM))
        file = open_below(root, path, flags, mode);
    int error = errno;
    close(root);
    return file < 0 ? -error : (int)file;
}
