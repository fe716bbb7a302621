/* Starting a program: posix_spawn leaves it suspended before its first instruction, so that it can be taken over. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "mach_tracer.h"

/* Private on macOS too; debugserver and dyld's tests pass it as a number. */
#define SPAWN_DISABLE_ASLR 0x0100

struct spawning {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
};

static short flags(const mach_launch_spec *spec) {
    int bits = POSIX_SPAWN_START_SUSPENDED | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
               POSIX_SPAWN_CLOEXEC_DEFAULT;
    bits |= spec->new_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
    bits |= spec->disable_aslr ? SPAWN_DISABLE_ASLR : 0;
    return (short)bits;
}

/* Signals as a shell would give them, a process group of its own (or a session), the slice that was asked for. */
static int set_attributes(posix_spawnattr_t *attributes, const mach_launch_spec *spec) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int error = posix_spawnattr_setflags(attributes, flags(spec));
    error = error ? error : posix_spawnattr_setsigdefault(attributes, &all);
    error = error ? error : posix_spawnattr_setsigmask(attributes, &none);
    if (!error && !spec->new_session)
        error = posix_spawnattr_setpgroup(attributes, 0);
    if (error || !spec->cpu_type)
        return error;
    cpu_type_t types[] = {spec->cpu_type};
    cpu_subtype_t subtypes[] = {spec->cpu_subtype ? spec->cpu_subtype : CPU_SUBTYPE_ANY};
    size_t taken;
    return posix_spawnattr_setarchpref_np(attributes, 1, types, subtypes, &taken);
}

/* The given path, else the terminal, else what the server has. */
static int redirect(posix_spawn_file_actions_t *actions, int fd, const char *path, int open_flags, int terminal) {
    if (path)
        return posix_spawn_file_actions_addopen(actions, fd, path, open_flags | O_NOCTTY, 0666);
    if (terminal >= 0)
        return posix_spawn_file_actions_adddup2(actions, terminal, fd);
    return posix_spawn_file_actions_addinherit_np(actions, fd);
}

static int set_actions(posix_spawn_file_actions_t *actions, const mach_launch_spec *spec) {
    int write_flags = O_WRONLY | O_CREAT | O_TRUNC;
    int error = redirect(actions, 0, spec->stdin_path, O_RDONLY, spec->terminal);
    error = error ? error : redirect(actions, 1, spec->stdout_path, write_flags, spec->terminal);
    error = error ? error : redirect(actions, 2, spec->stderr_path, write_flags, spec->terminal);
    if (!error && spec->directory)
        error = posix_spawn_file_actions_addchdir_np(actions, spec->directory);
    return error;
}

static int spawn(mach_launch_spec *spec, pid_t *pid) {
    struct spawning spawning;
    int error = posix_spawnattr_init(&spawning.attributes);
    if (error)
        return -error;
    error = posix_spawn_file_actions_init(&spawning.actions);
    if (error) {
        posix_spawnattr_destroy(&spawning.attributes);
        return -error;
    }
    error = set_attributes(&spawning.attributes, spec);
    error = error ? error : set_actions(&spawning.actions, spec);
    if (!error)
        error = posix_spawn(pid, spec->path, &spawning.actions, &spawning.attributes, spec->argv, spec->envp);
    posix_spawn_file_actions_destroy(&spawning.actions);
    posix_spawnattr_destroy(&spawning.attributes);
    return -error;
}

/* Lets the process go to its next stop; nobody else is touched. */
static int run_to_next_stop(struct process *process) {
    for EACH_THREAD (thread, process) {
        thread->event.kind = 0;
        answer(thread, thread->deliver);
        thread->deliver = 0;
    }
    resume_task(process);
    return await_stop(process);
}

/* A shell or a wrapper is followed through its execs; a signal on the way is delivered. */
static int run_to_program(struct process *process, int execs) {
    process->execs_awaited = execs;
    int result = 0;
    while (process->execs_awaited && result == 0) {
        for EACH_THREAD (thread, process)
            thread->deliver = thread->event.kind == MACH_STOP_SIGNAL && thread->event.signal != DARWIN_SIGSTOP
                                  ? thread->event.signal
                                  : 0;
        result = run_to_next_stop(process);
    }
    return result;
}

static void kill_spawned(mach_launch_spec *spec, struct process *process, pid_t pid) {
    if (process->dead)
        spec->exit_status = process->exit_status;
    else {
        kill(pid, DARWIN_SIGKILL);
        if (process->task)
            answer_all(process);
        if (process->suspended)
            task_resume(process->task);
        waitpid(pid, &spec->exit_status, 0);
    }
    free_process(process);
}

int mach_launch(mach_launch_spec *spec) {
    pid_t pid = 0;
    spec->stage = MACH_STAGE_SPAWN;
    int result = spawn(spec, &pid);
    if (result < 0)
        return result;
    struct process *process = add_process(pid);
    if (!process) {
        kill(pid, DARWIN_SIGKILL);
        waitpid(pid, &spec->exit_status, 0);
        return -ENOMEM;
    }
    process->launched = true;
    result = take_task(process, &spec->stage);
    if (result == 0 && spec->execs > 0)
        result = run_to_program(process, spec->execs);
    if (result < 0) {
        if (process->dead)
            spec->stage = MACH_STAGE_EXITED;
        kill_spawned(spec, process, pid);
        return result;
    }
    for EACH_THREAD (thread, process)
        thread->event.kind = 0;
    return pid;
}
