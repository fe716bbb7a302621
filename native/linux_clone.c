/* New threads, new processes and new programs. A child that nobody asked for
 * leaves clean: with its own memory it is rid of the traps and let go at once;
 * with its parent's memory (vfork, posix_spawn) it is followed unseen, stepped
 * over the traps it meets, until it execs or exits. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child may even be dead by now, and reaped: then waitpid says ECHILD. */
static void await_first_stop(struct thread *thread) {
    int status = 0;
    mark_running(thread);
    pid_t got = kernel.waitpid(thread->tid, &status, __WALL | WNOHANG);
    if (got)
        handle_status(thread, got == thread->tid ? status : 0);
}

/* The child's record; it may have stopped before its parent's event came. */
static void place_child(struct process *process, pid_t group, pid_t tid, bool held, bool announced) {
    struct thread *thread = find_thread(tid);
    bool stopped = thread != NULL;
    if (thread)
        adopt_thread(process, thread);
    else
        thread = add_thread(process, tid);
    thread->group = group;
    thread->resume_kind = LINUX_CONTINUE;
    thread->resumed = !announced;
    thread->announced = announced;
    thread->unacknowledged = announced && tracer.scope == LINUX_SCOPE_THREAD;
    thread->held = held;
    if (stopped)
        handle_first_stop(thread);
    else
        await_first_stop(thread);
}

static void new_process(struct thread *parent, int event, pid_t pid) {
    struct process *owner = parent->process;
    bool vfork = event == PTRACE_EVENT_VFORK;
    bool wanted = vfork ? tracer.options.report_vforks : tracer.options.report_forks;
    bool shares_memory = vfork || kernel.same_memory(parent->tid, pid);
    /* clone(CLONE_VM) that makes neither a thread nor a vfork child: a client would take its own breakpoints out of
     * the parent's memory when it lets such a child go. */
    bool reported = wanted && (vfork || !shares_memory) && !owner->silent && !tracer.options.unattended;
    struct process *child = add_process(pid);
    child->launched = owner->launched;
    child->shares_memory = shares_memory;
    child->silent = !reported && child->shares_memory;
    child->release_child = !reported && !child->shares_memory;
    copy_traps(child, owner);
    if (reported)
        copy_points(child, owner);
    if (reported)
        record_event(parent, vfork ? LINUX_STOP_VFORK : LINUX_STOP_FORK, SIGTRAP, (uint64_t)pid);
    child->announcer = reported ? parent->tid : 0;
    parent->in_vfork = vfork;
    child->vfork_parent = vfork ? parent->tid : 0;
    child->stopping = reported && tracer.scope;
    place_child(child, pid, pid, parent->held, false);
    if (reported && tracer.scope)
        keep_child(pid);
}

static void new_thread(struct thread *parent, pid_t group, pid_t tid) {
    bool announced = parent->report_clones && !parent->process->silent && !tracer.options.unattended;
    if (announced)
        record_event(parent, LINUX_STOP_CLONE, SIGTRAP, (uint64_t)tid);
    place_child(parent->process, group, tid, parent->held, announced);
}

void handle_new_child(struct thread *parent, int event, pid_t child) {
    pid_t group = event == PTRACE_EVENT_CLONE ? group_as_thread(parent, child) : 0;
    if (group)
        new_thread(parent, group, child);
    else
        new_process(parent, event, child);
    if (!parent->event.kind)
        go_on(parent);
}

void handle_first_stop(struct thread *thread) {
    struct process *process = thread->process;
    thread->starting = false;
    if (process->release_child)
        release_process(process, false);
    else if (thread->announced)
        thread->announced = false; /* it waits for the client's word */
    else if (tracer.options.report_threads && !tracer.options.unattended && process->live > 1 && !process->silent)
        record_event(thread, LINUX_STOP_THREAD_START, 0, 0);
    else
        go_on(thread);
}

static pid_t status_field(const char *text, const char *name) {
    const char *field = strstr(text, name);
    return field ? (pid_t)atoi(field + strlen(name)) : 0;
}

/* Neither the process nor its parent (proc(5), status: Tgid, PPid) is one of ours, or is alive. */
static bool is_orphan(const struct thread *thread) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/status", (int)thread->tid);
    int fd = thread->left_behind ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    text[size > 0 ? size : 0] = 0;
    const struct process *own = find_process(status_field(text, "\nTgid:"));
    const struct process *parent = find_process(status_field(text, "\nPPid:"));
    return size > 0 && (!own || own->dead) && (!parent || parent->dead);
}

/* A child of fork that has stopped, but whose parent was killed before it reported the fork: nobody will ask for it.
 * It goes without the traps of `dead`, which may be NULL. */
void release_orphans(const struct process *dead) {
    struct thread *thread;
    while ((thread = find_unplaced(is_orphan))) {
        struct process *child = add_process(thread->tid);
        if (dead)
            copy_traps(child, dead);
        adopt_thread(child, thread);
        release_process(child, false);
    }
}

/* PTRACE_EVENT_EXEC comes from inside execve: run to the end of the system
 * call, so that registers can be set and calls injected. */
static bool finish_exec(struct thread *thread) {
    int status;
    for (int attempt = 0; attempt < 8; attempt++) {
        if (trace(PTRACE_SYSCALL, thread->tid, 0, 0) < 0 || !wait_for(thread, &status))
            return false;
        thread->general_valid = thread->siginfo_valid = false;
        if (!WIFSTOPPED(status)) {
            handle_status(thread, status);
            return false;
        }
        if (WSTOPSIG(status) == (SIGTRAP | 0x80))
            return true;
        if (!(status >> 16) && WSTOPSIG(status) != SIGTRAP)
            thread->deliver = WSTOPSIG(status);
    }
    return true;
}

static void forget_program(struct process *process) {
    process->traps.count = 0;
    drop_points(process);
    process->shares_memory = false;
    memset(&process->debug, 0, sizeof process->debug);
    forget_memory(process);
}

/* execve(2): every other thread is gone without a word, and the caller has taken the leader's id. */
void handle_exec(struct thread *thread) {
    if (is_guest(thread))
        part_group(thread->process, thread->group);
    else
        part_guests(thread->process);
    struct process *process = thread->process;
    if (thread->state == THREAD_EXITING) {
        thread->state = THREAD_STOPPED;
        process->live++;
    }
    for (struct thread *other = process->threads, *next; other; other = next) {
        next = other->next;
        if (other != thread)
            remove_thread(other);
    }
    forget_program(process);
    process->leaderless = false;
    thread->at_trap = false;
    thread->slot = 0;
    thread->debug_generation = 0;
    thread->event.kind = 0;
    thread->unacknowledged = false;
    thread->resume_kind = LINUX_CONTINUE;
    thread->resumed = true;
    release_unheard();
    if (process->silent) {
        release_process(process, false);
        return;
    }
    if (!finish_exec(thread))
        return;
    if (tracer.options.report_execs && !tracer.options.unattended)
        record_event(thread, LINUX_STOP_EXEC, SIGTRAP, 0);
    else
        go_on(thread);
    thread->exec_returns = thread->event.kind && process->catch_count;
}
