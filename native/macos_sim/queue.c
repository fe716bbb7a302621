/* kqueue and the BSD side: ptrace, signals, ends of processes. The kqueue is an eventfd that SIGCHLD makes readable. */
#define MACOS_SIM_KERNEL
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/event.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"

int sim_wakeup = -1;

void sim_wake(void) {
    uint64_t one = 1;
    if (sim_wakeup >= 0 && write(sim_wakeup, &one, sizeof one) < 0) { /* full: readable anyway */
    }
}

static void on_child(int signal) {
    int saved = errno;
    (void)signal;
    sim_wake();
    errno = saved;
}

/* Again before each wait: the Linux tracer, in the same process of a test run, has a handler of its own. */
static void watch_children(void) {
    struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGCHLD, &action, NULL);
}

int kqueue(void) {
    if (sim_wakeup < 0)
        sim_wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sim_wakeup >= 0)
        watch_children();
    return sim_wakeup;
}

static int apply(const struct kevent64_s *change) {
    struct sim_task *task = change->filter == EVFILT_PROC ? sim_find_task((pid_t)change->ident) : NULL;
    if (change->filter == EVFILT_PROC && !task) {
        errno = ESRCH;
        return -1;
    }
    if (task)
        task->watched = true;
    return 0;
}

static int ready(struct kevent64_s *events, int max) {
    int count = 0;
    uint64_t times;
    if (read(sim_wakeup, &times, sizeof times) < 0) { /* nothing new: what is known already counts */
    }
    sim_collect();
    if (max > 0 && sim_set_has_messages())
        events[count++] = (struct kevent64_s){.filter = EVFILT_MACHPORT};
    for (struct sim_task *task = sim_tasks; task && count < max; task = task->next)
        if (task->exited && task->watched) {
            task->watched = false;
            events[count++] = (struct kevent64_s){.filter = EVFILT_PROC, .ident = (uint64_t)task->pid, .fflags = NOTE_EXIT};
        }
    return count;
}

int kevent64(int queue, const struct kevent64_s *changes, int change_count, struct kevent64_s *events, int event_count,
             unsigned int flags, const struct timespec *timeout) {
    (void)queue, (void)flags;
    watch_children();
    for (int i = 0; i < change_count; i++)
        if (apply(&changes[i]) < 0)
            return -1;
    int count = event_count ? ready(events, event_count) : 0;
    if (count || !event_count || (!timeout->tv_sec && !timeout->tv_nsec))
        return count;
    struct pollfd wakeup = {sim_wakeup, POLLIN, 0};
    ppoll(&wakeup, 1, timeout, NULL);
    return ready(events, event_count);
}

/* --- BSD ------------------------------------------------------------------------------------------ */

int sim_kill(pid_t pid, int signal) {
    struct sim_task *task = sim_find_task(pid);
    if (task && task->map)
        return sim_map_kill(task, signal);
    if (task && signal == 9)
        task->killed = true;
    return kill(pid, sim_to_linux(signal));
}

/* Linux's status with Darwin's signal number; the core dump bit is the same. */
static int translate(int status) {
    return WIFSIGNALED(status) ? sim_to_darwin(WTERMSIG(status)) | (status & 0x80) : status;
}

pid_t sim_waitpid(pid_t pid, int *status, int options) {
    struct sim_task *task = sim_find_task(pid);
    if (!task)
        return waitpid(pid, status, options | __WALL);
    while (!task->exited && !(options & WNOHANG)) {
        struct pollfd wakeup = {sim_wakeup, POLLIN, 0};
        poll(&wakeup, 1, 100);
        sim_collect();
    }
    if (!task->exited)
        return 0;
    *status = translate(task->exit_status);
    sim_forget_task(task);
    return pid;
}

static int attach(struct sim_task *task) {
    if (task->traced) {
        errno = EBUSY;
        return -1;
    }
    task->traced = true;
    if (task->map)
        return sim_map_kill(task, 17);
    kill(task->pid, SIGSTOP);
    if (task->start_suspended && task->suspend_count) {
        task->start_suspended = false;
        task_resume(task->name);
    }
    return 0;
}

static bool in_signal_stop(const struct sim_task *task) {
    for (const struct sim_thread *thread = task->threads; thread; thread = thread->next)
        if (thread->signal_stop)
            return true;
    return false;
}

/* Sets the signal with which the thread goes on from its soft signal. */
static int update_thread(struct sim_task *task, mach_port_name_t name, int signal) {
    struct sim_thread *thread = sim_thread_of(name);
    errno = !thread || thread->task != task ? ESRCH : signal < 0 || signal >= 32 ? EINVAL : !in_signal_stop(task) ? EBUSY : 0;
    if (errno)
        return -1;
    thread->deliver = signal ? sim_to_linux(signal) : 0;
    return 0;
}

static int detach(struct sim_task *task, uintptr_t address) {
    errno = address != 1 ? ENOTSUP : !in_signal_stop(task) ? EBUSY : 0;
    if (errno)
        return -1;
    task->traced = false;
    task->detaching = !task->map;
    return 0;
}

enum { PT_KILL = 8, PT_DETACH = 11, PT_THUPDATE = 13, PT_ATTACHEXC = 14 };

int sim_ptrace(int request, pid_t pid, void *address, int data) {
    struct sim_task *task = sim_find_task(pid);
    if (!task || task->exited || (request != PT_ATTACHEXC && !task->traced)) {
        errno = ESRCH;
        return -1;
    }
    switch (request) {
    case PT_ATTACHEXC:
        return attach(task);
    case PT_THUPDATE:
        return update_thread(task, (mach_port_name_t)(uintptr_t)address, data);
    case PT_DETACH:
        return detach(task, (uintptr_t)address);
    case PT_KILL:
        return sim_kill(pid, 9);
    }
    errno = ENOTSUP;
    return -1;
}
