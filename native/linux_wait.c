/* The wait loop: every wait status is drained, decoded once, and becomes an
 * event, a silent continuation, or one more stopped thread of a stop-all.
 *
 * All-stop: the first event makes every other thread stop; when the last has
 * stopped, all events found are handed out together. Stops that the tracer
 * itself causes are PTRACE_INTERRUPT traps (ptrace(2), PTRACE_SEIZE), which no
 * signal can be mistaken for. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

/* --- waking up -------------------------------------------------------------- */

static void on_child(int number) {
    (void)number;
    int saved = errno;
    uint64_t one = 1;
    if (write(tracer.wakeup, &one, sizeof one) < 0) { /* only when the counter is full: readable anyway */
    }
    errno = saved;
}

int linux_open(void) {
    if (tracer.wakeup < 0)
        tracer.wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (tracer.wakeup < 0 || sigaction(SIGCHLD, &action, NULL) < 0)
        return -errno;
    return tracer.wakeup;
}

int linux_clear_wakeup(void) {
    uint64_t count;
    return read(tracer.wakeup, &count, sizeof count) > 0;
}

void linux_configure(const linux_options *options) {
    tracer.options = *options;
}

void linux_log_to(int fd) {
    tracer.log = fd;
}

int linux_running(void) {
    return tracer.running;
}

/* --- events ------------------------------------------------------------------ */

void record_event(struct thread *thread, int kind, int signal, uint64_t value) {
    thread->event = (struct event){kind, signal, value, ++tracer.sequence};
    tracer.stopping = true;
}

static bool passes(const struct thread *thread, int signal) {
    if (tracer.options.unattended || thread->process->silent)
        return true;
    return tracer.options.pass_signals >> (signal - 1) & 1;
}

/* fork.c, wait_for_vfork_done(): the parent of a vfork is deaf to PTRACE_INTERRUPT until its child has execed or
 * exited. For the parent to stop, a child that is followed unseen has to go on. */
static bool holds_up_parent(const struct process *process) {
    const struct thread *parent = process->silent && process->vfork_parent ? find_thread(process->vfork_parent) : NULL;
    return parent && parent->in_vfork && parent->state == THREAD_RUNNING;
}

bool stays_stopped(const struct thread *thread) {
    return thread->held || (tracer.stopping && !holds_up_parent(thread->process));
}

/* Goes on as before, unless everything is to stop. */
static void go_on(struct thread *thread) {
    if (!stays_stopped(thread))
        resume_thread(thread);
}

static bool in_range(const struct thread *thread, uint64_t pc) {
    return thread->resume_kind == LINUX_RANGE_STEP && pc >= thread->range_start && pc < thread->range_end;
}

static void handle_step(struct thread *thread) {
    if (in_range(thread, thread_pc(thread)))
        go_on(thread);
    else
        record_event(thread, LINUX_STOP_STEP, SIGTRAP, 0);
}

static void handle_trap_hit(struct thread *thread, struct trap *trap) {
    set_thread_pc(thread, trap->address);
    thread->at_trap = true;
    thread->trap_address = trap->address;
    if (tracer.options.unattended || thread->process->silent) {
        if (!thread->held && step_over(thread)) /* held: whoever steps now sees to it */
            go_on(thread);
        return;
    }
    record_event(thread, LINUX_STOP_BREAKPOINT, SIGTRAP, trap->address);
}

/* SIGTRAP of the debug machinery. False: somebody sent it as a signal. */
static bool handle_debug_trap(struct thread *thread) {
    struct process *process = thread->process;
    if (!load_siginfo(thread) || thread->siginfo.si_code <= 0)
        return false;
    if (cpu_is_trap_instruction(&thread->siginfo)) {
        for (int adjust = 1; adjust >= 0; adjust--) {
            struct trap *trap = find_shared_trap(process, thread_pc(thread) - (uint64_t)adjust);
            if (trap && trap->pc_adjust == adjust) {
                thread->stop_signal = 0;
                handle_trap_hit(thread, trap);
                return true;
            }
        }
        return false;
    }
    if (process->debug.control && cpu_may_be_debug_register(&thread->siginfo)) {
        int slot = cpu_debug_register_hit(thread);
        if (slot >= 0) {
            thread->stop_signal = 0;
            record_event(thread, LINUX_STOP_HARDWARE, SIGTRAP, (uint64_t)slot);
            return true;
        }
    }
    if (!thread->stepping)
        return false;
    thread->stop_signal = 0;
    handle_step(thread);
    return true;
}

static void handle_signal(struct thread *thread, int signal) {
    struct process *process = thread->process;
    thread->stop_signal = signal;
    if (signal == SIGTRAP && handle_debug_trap(thread))
        return;
    if (signal == SIGCONT && process->swallow_continue) {
        process->swallow_continue = false;
        thread->stop_signal = 0;
        go_on(thread);
        return;
    }
    if (signal == thread->pass_once || passes(thread, signal)) {
        thread->pass_once = 0;
        thread->deliver = signal;
        go_on(thread);
        return;
    }
    record_event(thread, LINUX_STOP_SIGNAL, signal, 0);
}

static bool is_caught(const struct process *process, uint64_t number) {
    if (process->catch_count < 0)
        return true;
    return number < 512 && process->caught[number / 64] >> (number % 64) & 1;
}

/* linux/ptrace.h: PTRACE_GET_SYSCALL_INFO tells entry from return, which a toggle cannot after an interrupt. */
static void handle_syscall(struct thread *thread) {
    struct {
        uint8_t op, pad[3];
        uint32_t arch;
        uint64_t pc, sp, more[8];
    } info = {0};
    kernel.ptrace(0x420e, thread->tid, (void *)sizeof info, &info);
    bool entry = info.op == 1;
    uint64_t number = load_general(thread) ? cpu_syscall_number(thread->general) : 0;
    thread->in_kernel = entry;
    if (is_caught(thread->process, number))
        record_event(thread, entry ? LINUX_STOP_SYSCALL_ENTRY : LINUX_STOP_SYSCALL_RETURN, SIGTRAP, number);
    else
        go_on(thread);
}

static bool is_job_control(int signal) {
    return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* PTRACE_EVENT_STOP: our own interrupt, the first stop of a new child, or a group-stop beginning or ending. */
static void handle_event_stop(struct thread *thread, int signal) {
    thread->group_stopped = is_job_control(signal) && !thread->process->continue_group;
    go_on(thread);
}

/* man ptrace: an exiting thread makes one more stop. It runs no user code any more: let it go on at once. */
static void handle_exit_stop(struct thread *thread) {
    unsigned long status = 0;
    trace(PTRACE_GETEVENTMSG, thread->tid, 0, (uintptr_t)&status);
    struct process *process = thread->process;
    bool thread_ends = process->live > 1 && thread->tid != process->pid;
    bool reported = tracer.options.report_threads && !tracer.options.unattended && !process->silent;
    if (reported && thread_ends && !process->killing) {
        record_event(thread, LINUX_STOP_THREAD_EXIT, 0, status >> 8 & 0xff);
        return;
    }
    mark_exiting(thread);
    trace(PTRACE_CONT, thread->tid, 0, 0);
}

static void handle_ptrace_event(struct thread *thread, int event, int signal) {
    unsigned long message = 0;
    switch (event) {
    case PTRACE_EVENT_STOP:
        handle_event_stop(thread, signal);
        return;
    case PTRACE_EVENT_EXIT:
        handle_exit_stop(thread);
        return;
    case PTRACE_EVENT_EXEC:
        handle_exec(thread);
        return;
    case PTRACE_EVENT_VFORK_DONE:
        thread->in_vfork = false;
        thread->in_kernel = true;
        if (tracer.options.report_vforks && !tracer.options.unattended && !thread->process->silent)
            record_event(thread, LINUX_STOP_VFORK_DONE, SIGTRAP, 0);
        else
            go_on(thread);
        return;
    default:
        thread->in_kernel = true;
        trace(PTRACE_GETEVENTMSG, thread->tid, 0, (uintptr_t)&message);
        handle_new_child(thread, event, (pid_t)message);
    }
}

static void handle_death(struct thread *thread, int status) {
    struct process *process = thread->process;
    bool leader = process && thread->tid == process->pid;
    remove_thread(thread);
    if (!process || !(leader || (!process->threads && process->leaderless)))
        return;
    /* The leader's status comes last of all (wait(2), delay_group_leader): whoever is still listed is gone too. */
    while (process->threads)
        remove_thread(process->threads);
    process->dead = true;
    process->exit_status = status;
    release_orphans(process);
    if (process->silent || process->release_child)
        free_process(process);
    else
        tracer.stopping = true;
}

void handle_status(struct thread *thread, int status) {
    mark_stopped(thread);
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
        handle_death(thread, status);
        return;
    }
    if (thread->state == THREAD_EXITING && status >> 16 != PTRACE_EVENT_EXEC) {
        trace(PTRACE_CONT, thread->tid, 0, 0);
        return;
    }
    int signal = WSTOPSIG(status), event = status >> 16;
    thread->general_valid = thread->siginfo_valid = false;
    thread->stop_signal = 0;
    thread->in_kernel = thread->group_stopped = thread->interrupt_sent = false;
    thread->injectable = !event && signal != (SIGTRAP | 0x80);
    if (thread->starting) {
        handle_first_stop(thread);
        return;
    }
    if (event)
        handle_ptrace_event(thread, event, signal);
    else if (signal == (SIGTRAP | 0x80))
        handle_syscall(thread);
    else
        handle_signal(thread, signal);
}

/* --- collecting ---------------------------------------------------------------- */

/* ptrace(2): a thread that calls execve goes on under its leader's id. The leader is on no list when it was a
 * zombie at attach; PTRACE_GETEVENTMSG tells the id that the thread had before. */
static void take_leaders_id(pid_t pid, int status) {
    unsigned long former = 0;
    trace(PTRACE_GETEVENTMSG, pid, 0, (uintptr_t)&former);
    struct thread *thread = find_thread((pid_t)former);
    if (!thread || !thread->process || thread->process->pid != pid)
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

/* A clone child whose parent has not reported yet can only be killed. */
static void unplaced_status(struct thread *thread, int status) {
    if (WIFSTOPPED(status))
        trace(PTRACE_CONT, thread->tid, 0, 0);
    else
        remove_thread(thread);
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
    on_child(SIGCHLD); /* there may be more */
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

/* Above this, one waitpid(-1) is cheaper than asking for each. */
#define FEW 4

static void collect_running(void) {
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
    for (int spin = 0; spin < 2000; spin++) {
        got = kernel.waitpid(tid, status, __WALL | WNOHANG);
        if (got)
            return got == tid;
        sched_yield();
    }
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

static bool dying(void) {
    for EACH_PROCESS (process)
        if (!process->live && !process->dead)
            return true;
    return false;
}

bool stop_complete(void) {
    return tracer.running == 0 && !dying();
}

int linux_interrupt(int preferred) {
    if (!tracer.running && !dying())
        return 0;
    tracer.interrupt_requested = true;
    tracer.interrupt_tid = preferred;
    tracer.stopping = true;
    stop_all();
    return 1;
}

/* --- handing out ----------------------------------------------------------------- */

static void fill(linux_stop *stop, struct thread *thread, const struct event *event) {
    stop->pid = thread->process->pid;
    stop->tid = thread->tid;
    stop->kind = event->kind;
    stop->signal = event->signal;
    stop->value = event->value;
    stop->pc = thread_pc(thread);
    stop->registers_size = thread->general_valid ? thread->general_size : 0;
    memcpy(stop->registers, thread->general, sizeof thread->general);
}

static void fill_exit(linux_stop *stop, const struct process *process) {
    int status = process->exit_status;
    memset(stop, 0, sizeof *stop);
    stop->pid = stop->tid = process->pid;
    stop->kind = WIFSIGNALED(status) ? LINUX_STOP_KILLED : LINUX_STOP_EXITED;
    stop->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    stop->value = WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : 0;
}

static struct thread *first_event(void) {
    struct thread *first = NULL;
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process)
            if (thread->event.kind && (!first || thread->event.sequence < first->event.sequence))
                first = thread;
    return first;
}

static int take_exits(linux_stop *stops, int max) {
    int count = 0;
    struct process *next;
    for (struct process *process = tracer.processes; process && count < max; process = next) {
        next = process->next;
        if (!process->dead)
            continue;
        fill_exit(&stops[count++], process);
        free_process(process);
    }
    return count;
}

/* What was resumed has ended, what was not stays stopped: nothing will ever happen. */
static bool none_resumed(void) {
    if (!tracer.awaited || tracer.running)
        return false;
    for EACH_PROCESS (process)
        if (process->live && !process->silent)
            return true;
    return false;
}

/* An event of no thread in particular: of the preferred one, or of the first that lives. */
static int take_general(linux_stop *stops, int kind) {
    struct thread *thread = find_thread(tracer.interrupt_tid);
    struct event event = {kind, 0, 0, 0};
    if (!thread || !thread->process || thread->state != THREAD_STOPPED || thread->process->silent) {
        thread = NULL;
        for EACH_PROCESS (process)
            if (!thread && !process->silent)
                thread = live_thread(process);
    }
    if (!thread)
        return 0;
    fill(stops, thread, &event);
    return 1;
}

static int take_events(linux_stop *stops, int max) {
    int count = take_exits(stops, max);
    struct thread *thread;
    while (count < max && (thread = first_event())) {
        fill(&stops[count++], thread, &thread->event);
        thread->event.kind = 0;
    }
    if (!count && tracer.interrupt_requested)
        count = take_general(stops, LINUX_STOP_INTERRUPT);
    if (!count && none_resumed())
        count = take_general(stops, LINUX_STOP_NONE_RESUMED);
    tracer.awaited &= count == 0;
    return count;
}

static int64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000ll + time.tv_nsec / 1000;
}

/* Through the descriptor, not sigtimedwait: with other threads about, one of them may get the signal. */
static void sleep_for_child(const sigset_t *unblocked, int64_t us) {
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    struct pollfd wakeup = {tracer.wakeup, POLLIN, 0};
    ppoll(&wakeup, 1, &time, unblocked);
    linux_clear_wakeup();
}

static bool have_events(void) {
    if (tracer.interrupt_requested || first_event())
        return true;
    for EACH_PROCESS (process)
        if (process->dead)
            return true;
    return false;
}

/* All have stopped for an event whose thread is gone (an exec or SIGKILL took it): run again. */
static void undo_stop(void) {
    tracer.stopping = false;
    run_resumed();
}

/* Collects until everything has stopped or the time is over. */
static bool run_until_stopped(const sigset_t *unblocked, int64_t budget_us, int64_t spin_us) {
    int64_t start = budget_us > 0 ? now_us() : 0;
    if (budget_us <= 0)
        collect_any();
    for (;;) {
        if (tracer.stopping && stop_complete() && !have_events())
            undo_stop();
        if (tracer.stopping) {
            stop_all();
            if (dying())
                collect_any();
            if (stop_complete())
                return true;
        }
        if (!tracer.running && !dying())
            return tracer.stopping || none_resumed();
        int64_t spent = budget_us > 0 ? now_us() - start : 0;
        if (spent >= budget_us)
            return false;
        if (spent >= spin_us) {
            sleep_for_child(unblocked, budget_us - spent);
            collect_any();
        } else {
            sched_yield();
            collect_running();
        }
    }
}

static void forget_resumption(void) {
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process)
            thread->resumed = false;
}

/* With nothing running, the SIGCHLD of the stops just collected must not wake anybody up;
 * one that came for another reason (a stopped thread was killed) is looked into before it is forgotten. */
static void settle(const sigset_t *child) {
    struct timespec none = {0, 0};
    bool pending = sigtimedwait(child, NULL, &none) == SIGCHLD;
    if (linux_clear_wakeup() || pending)
        collect_any();
}

int linux_wait(linux_stop *stops, int max, int64_t budget_us, int64_t spin_us) {
    sigset_t child, before;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    /* Blocked, so that a stop found by spinning costs no handler run and no wake-up afterwards. */
    pthread_sigmask(SIG_BLOCK, &child, &before);
    bool done;
    do {
        done = run_until_stopped(&before, budget_us, spin_us);
        if (done && !tracer.running)
            settle(&child);
    } while (done && !(stop_complete() && (have_events() || none_resumed())) && tracer.processes);
    int count = done ? take_events(stops, max) : 0;
    if (done) {
        tracer.stopping = count == max;
        tracer.interrupt_requested &= tracer.stopping;
        forget_resumption();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return count;
}

int linux_catch_syscalls(int pid, const int32_t *numbers, int count) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    process->catch_count = count;
    memset(process->caught, 0, sizeof process->caught);
    for (int i = 0; i < count; i++)
        if (numbers[i] >= 0 && numbers[i] < 512)
            process->caught[numbers[i] / 64] |= 1ull << (numbers[i] % 64);
    return 0;
}
