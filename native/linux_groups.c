/* Threads with a pid of their own ("guests"). What clone(2) makes with CLONE_VM and without CLONE_THREAD is a process to
 * the kernel, and a thread of the same program to who debugs it: it runs the same code in the same memory. gdb and
 * gdbserver have it so, too, unless the child says SIGCHLD at its end (PTRACE_EVENT_FORK) or holds its parent up
 * (PTRACE_EVENT_VFORK).
 *
 * A guest may outlive the program, or start one of its own: from then on it is a process, and is followed unseen while
 * it may meet the program's traps. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <stdio.h>
#include <unistd.h>

static bool is_in_group(pid_t group, pid_t tid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d", (int)group, (int)tid);
    return access(path, F_OK) == 0;
}

pid_t group_as_thread(const struct thread *parent, pid_t tid) {
    if (is_in_group(parent->group, tid))
        return parent->group;
    return kernel.same_memory(parent->tid, tid) ? tid : 0;
}

static struct thread *first_of_group(struct process *process, pid_t group) {
    for EACH_THREAD (thread, process)
        if (thread->group == group)
            return thread;
    return NULL;
}

static struct thread *first_guest(struct process *process) {
    for EACH_THREAD (thread, process)
        if (is_guest(thread))
            return thread;
    return NULL;
}

struct process *part_group(struct process *process, pid_t group) {
    struct process *own = add_process(group);
    own->launched = process->launched;
    own->shares_memory = own->silent = true;
    copy_traps(own, process);
    for (struct thread *thread; (thread = first_of_group(process, group));) {
        leave_process(thread);
        adopt_thread(own, thread);
    }
    return own;
}

void part_guests(struct process *process) {
    for (struct thread *thread; (thread = first_guest(process));)
        follow_unseen(part_group(process, thread->group));
}

void signal_groups(const struct process *process, int signal) {
    kernel.kill(process->pid, signal);
    for EACH_THREAD (thread, process)
        if (is_guest(thread) && thread->tid == thread->group)
            kernel.kill(thread->group, signal);
}
