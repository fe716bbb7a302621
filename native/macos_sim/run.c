/* Which threads run: ptrace stops and continues by the rule in kernel.h. */
#define MACOS_SIM_KERNEL
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"

static bool may_run(const struct sim_thread *thread) {
    return !thread->task->suspend_count && !thread->suspend_count && !thread->in_exception;
}

static void write_debug_template(struct sim_thread *thread) {
    if (thread->task->debug_set)
        thread_set_state(thread->name, x86_DEBUG_STATE64, (thread_state_t)&thread->task->debug,
                         x86_DEBUG_STATE64_COUNT);
}

void sim_settle(struct sim_thread *thread) {
    struct sim_task *task = thread->task;
    if (!thread->stopped || !may_run(thread) || task->map)
        return;
    thread->signal_stop = false;
    thread->stopped = false;
    int signal = thread->deliver;
    thread->deliver = 0;
    if (task->detaching)
        ptrace(PTRACE_DETACH, thread->tid, NULL, (long)signal);
    else if (thread->group_stopped)
        ptrace(PTRACE_LISTEN, thread->tid, NULL, 0L);
    else
        ptrace(PTRACE_CONT, thread->tid, NULL, (long)signal);
}

void sim_settle_task(struct sim_task *task) {
    task->fresh = false;
    for (struct sim_thread *thread = task->threads, *next; thread; thread = next) {
        next = thread->next;
        thread->in_exception &= !task->detaching;
        sim_settle(thread);
    }
    if (task->detaching && !task->suspend_count)
        sim_forget_task(task);
}

/* Not a loop without end: each round takes one status, and the last one is the stop that was asked for. */
void sim_stop(struct sim_thread *thread) {
    struct sim_task *task = thread->task;
    pid_t tid = thread->tid;
    int status;
    if (thread->stopped || task->map)
        return;
    ptrace(PTRACE_INTERRUPT, tid, NULL, 0L);
    if (waitpid(tid, &status, __WALL) == tid)
        sim_handle_status(thread, status);
}

/* --- statuses -------------------------------------------------------------------------------- */

static void handle_end(struct sim_thread *thread, int status) {
    struct sim_task *task = thread->task;
    bool leader = thread->tid == task->pid;
    sim_drop_thread(thread);
    if (!leader)
        return;
    sim_drop_threads(task);
    task->exited = true;
    task->exit_status = status;
    sim_kill_port(task->name);
    sim_wake();
}

static void handle_clone(struct sim_thread *thread) {
    unsigned long tid;
    ptrace(PTRACE_GETEVENTMSG, thread->tid, NULL, &tid);
    if (!sim_find_tid(thread->task, (pid_t)tid))
        sim_add_thread(thread->task, (pid_t)tid);
    sim_settle(thread);
}

/* To the end of execve: in its middle no register can be set for good. */
static void finish_exec(struct sim_thread *thread) {
    int status;
    ptrace(PTRACE_INTERRUPT, thread->tid, NULL, 0L);
    ptrace(PTRACE_CONT, thread->tid, NULL, 0L);
    waitpid(thread->tid, &status, __WALL);
}

/* XNU makes a new task for the new program: new ports, the exception ports carried over. */
static void handle_exec(struct sim_thread *caller) {
    struct sim_task *task = caller->task;
    sim_drop_threads(task);
    sim_forget_writable(task);
    sim_kill_port(task->name);
    task->name = sim_make_port(PORT_TASK, task);
    task->fresh = true;
    task->debug_set = false;
    task->suspend_count = 0;
    struct sim_thread *thread = sim_add_thread(task, task->pid);
    thread->stopped = true;
    finish_exec(thread);
    if (task->traced)
        sim_raise(thread, EXC_SOFTWARE, 2, EXC_SOFT_SIGNAL, SIGTRAP);
    sim_settle(thread);
}

static void handle_event_stop(struct sim_thread *thread, int signal) {
    thread->group_stopped = signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
    write_debug_template(thread);
    sim_settle(thread);
}

void sim_handle_status(struct sim_thread *thread, int status) {
    if (!WIFSTOPPED(status)) {
        handle_end(thread, status);
        return;
    }
    int event = status >> 16, signal = WSTOPSIG(status);
    thread->stopped = true;
    thread->group_stopped = false;
    if (event == PTRACE_EVENT_EXEC)
        handle_exec(thread);
    else if (event == PTRACE_EVENT_CLONE)
        handle_clone(thread);
    else if (event == PTRACE_EVENT_STOP)
        handle_event_stop(thread, signal);
    else if (event)
        sim_settle(thread);
    else
        sim_signal_stop(thread, signal);
}

/* One status at a time: it can change the list. */
static bool collect_one(void) {
    for (struct sim_task *task = sim_tasks; task; task = task->next)
        for (struct sim_thread *thread = task->map ? NULL : task->threads; thread; thread = thread->next) {
            int status;
            if (waitpid(thread->tid, &status, __WALL | WNOHANG) != thread->tid)
                continue;
            sim_handle_status(thread, status);
            return true;
        }
    return false;
}

void sim_collect(void) {
    while (collect_one()) {
    }
}

/* --- a stopped thread to work with -------------------------------------------------------------- */

static struct sim_thread *stopped_thread(struct sim_task *task) {
    for (struct sim_thread *thread = task->threads; thread; thread = thread->next)
        if (thread->stopped)
            return thread;
    return NULL;
}

struct sim_thread *sim_borrow(struct sim_task *task) {
    struct sim_thread *thread = stopped_thread(task);
    if (thread || !task->threads)
        return thread;
    task->suspend_count++;
    sim_stop(task->threads);
    task->suspend_count--;
    return stopped_thread(task);
}

void sim_give_back(struct sim_task *task) {
    for (struct sim_thread *thread = task->threads, *next; thread; thread = next) {
        next = thread->next;
        sim_settle(thread);
    }
}
