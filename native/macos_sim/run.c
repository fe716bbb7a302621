/* Which threads run: ptrace stops and continues by the rule in kernel.h. */
#define MACOS_SIM_KERNEL
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"

enum { RETRY_NS = 50000 };

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

/* --- statuses -------------------------------------------------------------------------------- */

static void handle_end(struct sim_thread *thread, int status) {
    struct sim_task *task = thread->task;
    bool leader = thread->tid == task->pid;
    sim_drop_thread(thread);
    if (!leader && (!task->headless || task->threads))
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
        sim_add_thread(thread->task, (pid_t)tid)->born = true;
    sim_settle(thread);
}

/* To the end of execve: in its middle no register can be set for good. False: it was killed there. */
static bool finish_exec(struct sim_thread *thread) {
    int status;
    ptrace(PTRACE_INTERRUPT, thread->tid, NULL, 0L);
    ptrace(PTRACE_CONT, thread->tid, NULL, 0L);
    if (waitpid(thread->tid, &status, __WALL) != thread->tid)
        return false;
    if (!WIFSTOPPED(status))
        handle_end(thread, status);
    return WIFSTOPPED(status);
}

/* XNU makes a new task for the new program: new ports, the exception ports carried over. */
static void handle_exec(struct sim_thread *caller) {
    struct sim_task *task = caller->task;
    sim_drop_threads(task);
    sim_forget_writable(task);
    sim_kill_port(task->name);
    task->programs++;
    task->name = sim_make_port(PORT_TASK, task);
    task->fresh = true;
    task->debug_set = false;
    task->suspend_count = 0;
    struct sim_thread *thread = sim_add_thread(task, task->pid);
    thread->stopped = true;
    if (!finish_exec(thread))
        return;
    if (task->traced)
        sim_raise(thread, EXC_SOFTWARE, 2, EXC_SOFT_SIGNAL, SIGTRAP);
    sim_settle(thread);
}

static void handle_event_stop(struct sim_thread *thread, int signal) {
    thread->group_stopped = signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
    if (thread->born)
        write_debug_template(thread);
    thread->born = false;
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

/* 1: a status was taken; 0: there is none; -1: there is no such thread any more. */
static int collect_thread(struct sim_thread *thread) {
    int status;
    pid_t tid = thread->tid, got = waitpid(tid, &status, __WALL | WNOHANG);
    if (got == tid)
        sim_handle_status(thread, status);
    return got == tid ? 1 : (int)got;
}

/* A main thread that has ended is off the list; the end of the process, or an exec, is told of under its number. */
static bool collect_process(struct sim_task *task) {
    int status;
    if (task->exited || task->headless || sim_find_tid(task, task->pid) ||
        waitpid(task->pid, &status, __WALL | WNOHANG) != task->pid)
        return false;
    sim_handle_status(sim_add_thread(task, task->pid), status);
    return true;
}

/* One status at a time: it can change the list. */
static bool collect_task(struct sim_task *task) {
    for (struct sim_thread *thread = task->threads; thread; thread = thread->next)
        if (collect_thread(thread) > 0)
            return true;
    return collect_process(task) || sim_reap_unknown(task);
}

static bool collect_one(void) {
    for (struct sim_task *task = sim_tasks; task; task = task->next)
        if (!task->map && collect_task(task))
            return true;
    return false;
}

void sim_collect(void) {
    while (collect_one()) {
    }
}

/* --- stopping ----------------------------------------------------------------------------------- */

/* Nobody can simply wait for one thread: a main thread that has ended says nothing until the process ends, and one that
 * calls execve waits for the others, which are to be waited for first, and goes on under the main thread's number. Not
 * a loop without end: a thread that is neither stopped nor gone is on its way to one of them. */
void sim_stop(struct sim_thread *thread) {
    struct sim_task *task = thread->task;
    pid_t tid = thread->tid;
    if (task->map || thread->stopped)
        return;
    ptrace(PTRACE_INTERRUPT, tid, NULL, 0L);
    while (!task->exited && (thread = sim_find_tid(task, tid)) && !thread->stopped) {
        int taken = collect_thread(thread);
        if (taken < 0 && tid == task->pid) /* somebody else has waited for the process */
            sim_drop_thread(thread);
        else if (taken <= 0 && !collect_task(task) && !sim_drop_ended_main_thread(task))
            nanosleep(&(struct timespec){0, RETRY_NS}, NULL);
    }
}

/* Those that run, threads to come included; an exec leaves a new task, which nobody has suspended. */
void sim_stop_task(struct sim_task *task) {
    unsigned programs = task->programs;
    struct sim_thread *thread = task->threads;
    while (thread && !task->map && !task->exited && task->programs == programs) {
        sim_stop(thread);
        for (thread = task->threads; thread && thread->stopped;)
            thread = thread->next;
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
    if (!stopped_thread(task) && task->threads) /* the first one has ended */
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
