/* posix_spawn with Darwin's additions: the program is left suspended before its first instruction. */
#define MACOS_SIM_KERNEL
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"

enum { DISABLE_ASLR = 0x0100, ACTIONS = 8 };
enum action_kind { ACTION_OPEN, ACTION_DUP, ACTION_INHERIT, ACTION_DIRECTORY };

struct attributes {
    int flags;
    pid_t group;
};

struct actions {
    int count;
    struct action {
        enum action_kind kind;
        int fd, from, flags;
        mode_t mode;
        const char *path;
    } list[ACTIONS];
};

int posix_spawnattr_init(posix_spawnattr_t *attributes) {
    *attributes = calloc(1, sizeof(struct attributes));
    return *attributes ? 0 : ENOMEM;
}

int posix_spawnattr_destroy(posix_spawnattr_t *attributes) {
    free(*attributes);
    return 0;
}

int posix_spawnattr_setflags(posix_spawnattr_t *attributes, short flags) {
    ((struct attributes *)*attributes)->flags = (unsigned short)flags;
    return 0;
}

int posix_spawnattr_setpgroup(posix_spawnattr_t *attributes, pid_t group) {
    ((struct attributes *)*attributes)->group = group;
    return 0;
}

/* The callers give all signals and none, which is what the child does. */
int posix_spawnattr_setsigdefault(posix_spawnattr_t *attributes, const sigset_t *signals) {
    (void)attributes, (void)signals;
    return 0;
}

int posix_spawnattr_setsigmask(posix_spawnattr_t *attributes, const sigset_t *signals) {
    (void)attributes, (void)signals;
    return 0;
}

int posix_spawnattr_setarchpref_np(posix_spawnattr_t *attributes, size_t count, cpu_type_t *types,
                                   cpu_subtype_t *subtypes, size_t *taken) {
    (void)attributes, (void)subtypes;
    *taken = count;
    return count == 1 && types[0] == CPU_TYPE_X86_64 ? 0 : EINVAL;
}

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions) {
    *actions = calloc(1, sizeof(struct actions));
    return *actions ? 0 : ENOMEM;
}

int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions) {
    free(*actions);
    return 0;
}

static int add(posix_spawn_file_actions_t *actions, struct action action) {
    struct actions *list = *actions;
    if (list->count == ACTIONS)
        return ENOMEM;
    list->list[list->count++] = action;
    return 0;
}

int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *actions, int fd, const char *path, int flags,
                                     mode_t mode) {
    return add(actions, (struct action){ACTION_OPEN, fd, -1, flags, mode, path});
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from, int to) {
    return add(actions, (struct action){ACTION_DUP, to, from, 0, 0, NULL});
}

int posix_spawn_file_actions_addinherit_np(posix_spawn_file_actions_t *actions, int fd) {
    return add(actions, (struct action){ACTION_INHERIT, fd, -1, 0, 0, NULL});
}

int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path) {
    return add(actions, (struct action){ACTION_DIRECTORY, -1, -1, 0, 0, path});
}

/* --- in the child --------------------------------------------------------------------------- */

static void fail(int report) {
    int error = errno;
    if (write(report, &error, sizeof error) < 0) { /* nobody reads any more */
    }
    _exit(127);
}

static void act(const struct action *action, int report) {
    int fd = action->fd;
    switch (action->kind) {
    case ACTION_OPEN:
        fd = open(action->path, action->flags, action->mode);
        if (fd < 0 || dup2(fd, action->fd) < 0)
            fail(report);
        if (fd != action->fd)
            close(fd);
        return;
    case ACTION_DUP:
        if (dup2(action->from, action->fd) < 0)
            fail(report);
        return;
    case ACTION_DIRECTORY:
        if (chdir(action->path) < 0)
            fail(report);
        return;
    case ACTION_INHERIT:
        return;
    }
}

static void run_child(const char *path, const struct actions *actions, const struct attributes *attributes,
                      char *const arguments[], char *const environment[], const int *go, int report) {
    sigset_t none;
    sigemptyset(&none);
    if (attributes->flags & POSIX_SPAWN_SETSID)
        setsid();
    if (attributes->flags & POSIX_SPAWN_SETPGROUP)
        setpgid(0, attributes->group);
    for (int i = 0; i < actions->count; i++)
        act(&actions->list[i], report);
    for (int signal_number = 1; signal_number < NSIG; signal_number++)
        signal(signal_number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (attributes->flags & DISABLE_ASLR)
        personality(ADDR_NO_RANDOMIZE);
    char byte;
    if (read(go[0], &byte, 1) != 1)
        _exit(127);
    execve(path, arguments, environment);
    fail(report);
}

/* CLOEXEC_DEFAULT: nothing but the standard descriptors and the two pipes goes along. */
static void close_on_exec(void) {
    syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */);
}

/* --- in the parent ---------------------------------------------------------------------------- */

/* To the end of its execve; the errno of what failed before it. */
static int follow(pid_t pid, int go, int report) {
    int status, error = 0;
    if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
        error = errno;
    if (write(go, "g", 1) < 0) { /* it has failed already and says why */
    }
    while (!error && waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
        if (status >> 16 == PTRACE_EVENT_EXEC)
            return 0;
        ptrace(PTRACE_CONT, pid, NULL, status >> 16 ? 0L : (long)WSTOPSIG(status));
    }
    if (error)
        kill(pid, SIGKILL), waitpid(pid, &status, __WALL);
    int told;
    return read(report, &told, sizeof told) == sizeof told ? told : error ? error : ENOEXEC;
}

static void take_over(pid_t pid) {
    int status;
    ptrace(PTRACE_INTERRUPT, pid, NULL, 0L);
    ptrace(PTRACE_CONT, pid, NULL, 0L);
    waitpid(pid, &status, __WALL);
    struct sim_task *task = sim_add_task(pid);
    sim_add_thread(task, pid)->stopped = true;
    task->suspend_count = 1;
    task->start_suspended = true;
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
    int go[2], report[2];
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
        return errno;
    pid_t child = fork();
    if (child == 0) {
        close_on_exec();
        run_child(path, *actions, *attributes, arguments, environment, go, report[1]);
    }
    close(report[1]);
    int error = child < 0 ? errno : follow(child, go[1], report[0]);
    close(go[0]);
    close(go[1]);
    close(report[0]);
    if (error)
        return error;
    take_over(child);
    *pid = child;
    return 0;
}
