/* Attaching, detaching and killing. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define OPTIONS                                                                                                   \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
     PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT)

/* Launched programs die with the server; attached ones outlive it. */
unsigned long trace_options(bool launched) {
    return OPTIONS | (launched ? PTRACE_O_EXITKILL : 0);
}

/* --- attach ----------------------------------------------------------------------- */

/* One pass over /proc/PID/task: how many threads were new, or -errno when the first could not be had. */
static int seize_new_threads(struct process *process) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)process->pid);
    DIR *directory = opendir(path);
    if (!directory)
        return -ESRCH;
    int found = 0;
    long failure = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        pid_t tid = (pid_t)atoi(entry->d_name);
        if (tid <= 0 || find_thread(tid))
            continue;
        long result = trace(PTRACE_SEIZE, tid, 0, trace_options(false));
        if (result < 0) {
            process->leaderless |= tid == process->pid;
            failure = result;
            continue;
        }
        struct thread *thread = add_thread(process, tid);
        thread->starting = false;
        mark_running(thread);
        found++;
    }
    closedir(directory);
    return found || process->threads ? found : (int)failure;
}

static struct thread *running_thread(struct process *process) {
    for EACH_THREAD (thread, process)
        if (thread->state == THREAD_RUNNING)
            return thread;
    return NULL;
}

static void interrupt_running(struct process *process) {
    for EACH_THREAD (thread, process)
        if (thread->state == THREAD_RUNNING && !thread->interrupt_sent && !thread->starting) {
            thread->interrupt_sent = true;
            trace(PTRACE_INTERRUPT, thread->tid, 0, 0);
        }
}

/* Stops every thread of one process; what they stop for is kept for the next resume. */
static void stop_process(struct process *process) {
    struct thread *thread;
    if (tracer.scope == LINUX_SCOPE_ALL)
        tracer.stopping = true;
    else
        process->stopping = true;
    bool held = hold_child_signal();
    interrupt_running(process);
    while ((thread = running_thread(process)))
        await_status(thread);
    if (held)
        release_child_signal();
}

static void note_job_control(struct process *process) {
    for EACH_THREAD (thread, process) {
        process->continue_group |= thread->group_stopped;
        thread->group_stopped = false;
    }
}

/* fs/proc/base.c, next_tid(): a list that is being read ends early at a thread that has just died. A thread that was
 * cloned while its parent was being seized may be behind it, and would meet the traps untraced. */
#define QUIET_PASSES 2

int linux_attach(int pid) {
    if (find_process(pid))
        return -EBUSY;
    struct process *process = add_process(pid);
    int found, quiet = 0;
    while (quiet < QUIET_PASSES && (found = seize_new_threads(process)) >= 0) {
        if (found)
            stop_process(process);
        quiet = found ? 0 : quiet + 1;
    }
    tracer.stopping = process->stopping = false;
    if (found < 0 || process->dead || !process->live) {
        release_process(process, false);
        return found < 0 ? found : -ESRCH;
    }
    note_job_control(process);
    return process->live;
}

/* --- detach ------------------------------------------------------------------------ */

/* The signal the thread would have got had nobody watched it. */
static int last_signal(const struct thread *thread) {
    int signal = thread->deliver ? thread->deliver : thread->stop_signal;
    bool allowed = signal && tracer.options.program_signals >> (signal - 1) & 1;
    return allowed && thread->injectable ? signal : 0;
}

/* Somebody whom the client debugs has traps in this memory. */
static bool is_trapped_by(const struct process *other, const struct process *process) {
    return other != process && !other->silent && !other->dead && other->threads && other->traps.count &&
           kernel.same_memory(other->threads->tid, process->threads->tid);
}

/* A child in its parent's memory would die of the parent's traps: it is followed unseen until it has its own, or the
 * parent is gone. */
static bool must_follow(const struct process *process) {
    if (process->shares_memory && process->threads)
        for EACH_PROCESS (other)
            if (is_trapped_by(other, process))
                return true;
    return false;
}

void follow_unseen(struct process *process) {
    process->silent = true;
    for EACH_THREAD (thread, process) {
        thread->resumed = true;
        thread->resume_kind = LINUX_CONTINUE;
        thread->event.kind = 0;
        thread->unacknowledged = false;
        thread->halt_wanted = 0;
        thread->announced = false;
        if (thread->state == THREAD_STOPPED && !stays_stopped(thread))
            resume_thread(thread);
    }
}

void release_process(struct process *process, bool stopped) {
    if (must_follow(process)) {
        follow_unseen(process);
        return;
    }
    lift_traps(process);
    if (stopped)
        signal_groups(process, SIGSTOP);
    const struct debug_registers none = {0};
    for (struct thread *thread = process->threads, *next; thread; thread = next) {
        next = thread->next;
        if (thread->debug_generation)
            cpu_write_debug_registers(thread, &none);
        if (trace(PTRACE_DETACH, thread->tid, 0, (uintptr_t)last_signal(thread)) == -ESRCH)
            leave_behind(thread);
    }
    free_process(process);
}

/* A thread past its PTRACE_EVENT_EXIT takes no detach: nobody else could reap it, and the process' own parent would
 * wait for ever. The leader's end is told when all others are gone. */
static struct thread *exiting_thread(struct process *process) {
    for EACH_THREAD (thread, process)
        if (thread->state == THREAD_EXITING && thread->tid != thread->group)
            return thread;
    return NULL;
}

static void reap_exiting(struct process *process) {
    struct thread *thread;
    while (!process->dead && (thread = exiting_thread(process)))
        await_status(thread);
}

/* fork.c, wait_for_vfork_done(): what waits in vfork cannot be stopped. */
static bool can_stop(const struct process *process) {
    for EACH_THREAD (thread, process)
        if (thread->in_vfork && thread->state == THREAD_RUNNING)
            return false;
    return process->live;
}

static struct process *find_followed(void) {
    for EACH_PROCESS (process)
        if (process->silent && process->shares_memory && can_stop(process) && !must_follow(process))
            return process;
    return NULL;
}

static struct thread *unsettled_thread(struct process *process) {
    struct thread *thread = running_thread(process);
    return thread ? thread : exiting_thread(process);
}

/* It may have started another program or ended meanwhile, and is not known any more then. */
static void settle_followed(struct process *process) {
    pid_t pid = process->pid;
    struct thread *thread;
    process->stopping = true;
    interrupt_running(process);
    while ((process = find_process(pid)) && (thread = unsettled_thread(process)))
        await_status(thread);
}

void release_followed(void) {
    struct process *process;
    while ((process = find_followed())) {
        pid_t pid = process->pid;
        settle_followed(process);
        if ((process = find_process(pid)))
            release_process(process, false);
    }
}

int linux_detach(int pid, int stopped) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    stop_process(process);
    reap_exiting(process);
    tracer.stopping = process->stopping = false;
    if (process->dead)
        free_process(process);
    else
        release_process(process, stopped);
    release_unheard();
    release_followed();
    return 0;
}

/* --- kill ---------------------------------------------------------------------------- */

int linux_kill(int pid) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    process->killing = true;
    signal_groups(process, SIGKILL);
    int status;
    pid_t tid;
    while (find_process(pid) && !process->dead && (tid = kernel.waitpid(-1, &status, __WALL)) > 0)
        dispatch(tid, status);
    if (find_process(pid))
        free_process(process);
    release_followed();
    return 0;
}

int linux_threads(int pid, int32_t *tids, int max) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    int count = 0;
    for EACH_THREAD (thread, process)
        if (thread->state != THREAD_EXITING && count++ < max)
            tids[count - 1] = thread->tid;
    return count;
}
