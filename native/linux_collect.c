/* Fetching wait statuses, and stopping everybody. waitpid(-1) hears everything
 * but looks at every child; where only a few threads run they are asked by id. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <sys/wait.h>

/* ptrace(2): a thread that calls execve goes on under its leader's id. The leader is on no list when it was a
 * zombie at attach; PTRACE_GETEVENTMSG tells the id that the thread had before. */
static void take_leaders_id(pid_t pid, int status) {
    unsigned long former = 0;
    trace(PTRACE_GETEVENTMSG, pid, 0, (uintptr_t)&former);
    struct thread *thread = find_thread((pid_t)former);
    if (!thread || !thread->process || thread->group != pid)
        return;
    rename_thread(thread, pid);
    handle_status(thread, status);
}

static void unknown_status(pid_t tid, int status) {
    if (!WIFSTOPPED(status))
        return; /* another child of the server */
    switch (status >> 16) {
    case PTRACE_EVENT_STOP: /* a clone child may report before its parent does */
        add_thread(NULL, tid)->starting = false;
        if (!tracer.processes || tracer.processes->dead || tracer.processes->next)
            release_orphans(NULL);
        return;
    case PTRACE_EVENT_EXEC:
        take_leaders_id(tid, status);
        return;
    default: /* one that was killed while it was let go */
        trace(PTRACE_DETACH, tid, 0, 0);
    }
}

static bool let_go_late(const struct thread *thread, int status) {
    int signal = status >> 16 || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    return thread->left_behind && !trace(PTRACE_DETACH, thread->tid, 0, (uintptr_t)signal);
}

/* A clone child whose parent has not reported yet can only be killed. */
static void unplaced_status(struct thread *thread, int status) {
    if (!WIFSTOPPED(status) || let_go_late(thread, status))
        remove_thread(thread);
    else
        trace(PTRACE_CONT, thread->tid, 0, 0);
}

void dispatch(pid_t tid, int status) {
    struct thread *thread = find_thread(tid);
    if (!thread)
        unknown_status(tid, status);
    else if (!thread->process)
        unplaced_status(thread, status);
    else
        handle_status(thread, status);
}

/* Threads that report again as soon as they are resumed must not keep the caller from everything else. */
#define MOST_AT_ONCE 1024

void collect_any(void) {
    int status;
    pid_t tid;
    for (int left = MOST_AT_ONCE; left; left--) {
        if ((tid = kernel.waitpid(-1, &status, __WALL | WNOHANG)) <= 0)
            return;
        dispatch(tid, status);
    }
    wake_up(); /* there may be more */
}

void collect_thread(struct thread *thread) {
    int status;
    pid_t tid = thread->tid, got = kernel.waitpid(tid, &status, __WALL | WNOHANG);
    if (got == tid) {
        handle_status(thread, status);
    } else if (got == -ECHILD) {
        /* An execve took its id away, or gave it the leader's: what waitpid has to say of that comes first. */
        collect_any();
        if (find_thread(tid) == thread)
            handle_status(thread, 0); /* as if it had exited */
    }
}

void collect_running(void) {
    if (!tracer.running || (!tracer.stopping && tracer.running > FEW)) {
        collect_any();
        return;
    }
    struct thread *thread = tracer.running_list;
    while (thread) {
        /* Handling one status may remove other threads (exec, exit): go on by id. */
        pid_t next = thread->run_next ? thread->run_next->tid : 0;
        collect_thread(thread);
        thread = next ? find_thread(next) : NULL;
        if (thread && thread->state != THREAD_RUNNING)
            thread = tracer.running_list;
    }
}

/* Waits for this thread's next status: for moments in which it is known to stop soon. False: it is gone.
 * If nothing comes soon, others are heard too: a thread in execve stops only when the other threads have been
 * reaped, one in vfork only when its child has gone on, and a leader's death is told last of all. */
bool wait_for(struct thread *thread, int *status) {
    pid_t tid = thread->tid, got;
    if ((got = kernel.await(tid, status)))
        return got == tid;
    while ((got = kernel.waitpid(-1, status, __WALL)) > 0) {
        if (got == tid)
            return true;
        dispatch(got, *status);
        if (find_thread(tid) != thread)
            return false;
    }
    return false;
}

/* Waits for this thread's next status and handles it. */
void await_status(struct thread *thread) {
    pid_t tid = thread->tid;
    int status;
    if (wait_for(thread, &status))
        handle_status(thread, status);
    else if (find_thread(tid) == thread)
        handle_status(thread, 0);
}

void stop_all(void) {
    for (struct thread *thread = tracer.running_list; thread; thread = thread->run_next)
        if (!thread->starting && !thread->interrupt_sent && !holds_up_parent(thread->process)) {
            thread->interrupt_sent = true;
            trace(PTRACE_INTERRUPT, thread->tid, 0, 0);
        }
}

bool dying(void) {
    for EACH_PROCESS (process)
        if (!process->live && !process->dead)
            return true;
    return false;
}

bool stop_complete(void) {
    return tracer.running == 0 && !dying();
}

int linux_interrupt(int preferred) {
    if (tracer.scope)
        return nonstop_interrupt(preferred);
    if (!tracer.running && !dying())
        return 0;
    tracer.interrupt_requested = true;
    tracer.interrupt_tid = preferred;
    tracer.stopping = true;
    bool held = hold_child_signal();
    stop_all();
    if (held)
        release_child_signal();
    return 1;
}
