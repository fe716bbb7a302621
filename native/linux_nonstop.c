/* Non-stop: what has stopped is reported while the rest runs on. gdb's kind stops each thread by itself (scope
 * THREAD), lldb's kind each process (scope PROCESS).
 *
 * To the client a thread runs from its resume until it has acknowledged the thread's stop (the protocol says so of
 * vStopped): `resumed` while it runs or its event waits here, `unacknowledged` from then on. A resume that names such a
 * thread does not mean it. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>

static bool collecting; /* what is recorded now is handed out, or waits for the next look, without a wake-up */

static void interrupt_thread(struct thread *thread) {
    if (thread->state != THREAD_RUNNING || thread->interrupt_sent || thread->starting)
        return;
    thread->interrupt_sent = true;
    trace(PTRACE_INTERRUPT, thread->tid, 0, 0);
}

/* Each thread stops for a moment: what changed for it takes effect when it goes on. */
void interrupt_process(struct process *process) {
    for EACH_THREAD (thread, process)
        interrupt_thread(thread);
}

/* Whoever waits for the descriptor hears of it, also if it was found outside of a wait. */
void nonstop_stop_for(struct thread *thread) {
    thread->halt_wanted = 0;
    thread->process->stopping |= tracer.scope == LINUX_SCOPE_PROCESS;
    if (!collecting)
        wake_up();
}

/* A fork child waits for the client's word; until the client has heard of the fork no resume means it. */
void keep_child(pid_t pid) {
    struct process *child = find_process(pid);
    if (!child)
        return;
    for EACH_THREAD (thread, child) {
        thread->resumed = false;
        thread->unacknowledged = tracer.scope == LINUX_SCOPE_THREAD;
    }
}

/* A trap that was taken away after the thread had hit it and before that was seen: to the original instruction. */
bool leave_lifted_trap(struct thread *thread) {
    uint64_t pc = thread_pc(thread);
    uint8_t before[2];
    if (linux_read_memory(thread->process->pid, pc - sizeof before, before, sizeof before) != sizeof before)
        return false;
    int back = cpu_lifted_trap(before);
    if (!back)
        return false;
    set_thread_pc(thread, pc - (uint64_t)back);
    thread->stop_signal = 0;
    go_on(thread);
    return true;
}

/* --- stopping ---------------------------------------------------------------------- */

static void halt_thread(struct thread *thread, int kind) {
    if (!thread->resumed || thread->event.kind || thread->halt_wanted || thread->state == THREAD_EXITING)
        return;
    thread->halt_wanted = kind;
    if (thread->state == THREAD_STOPPED)
        record_event(thread, kind, 0, 0);
    else
        interrupt_thread(thread);
}

static bool runs(const struct process *process) {
    for EACH_THREAD (thread, process)
        if (thread->state == THREAD_RUNNING)
            return true;
    return false;
}

static void halt_process(struct process *process, int kind) {
    if (!runs(process))
        return;
    process->halt_wanted = kind;
    process->stopping = true;
    interrupt_process(process);
}

/* The vCont action `t`. */
void halt_matching(const linux_action *actions, int count) {
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process) {
            const linux_action *action = action_for(actions, count, thread);
            if (!action || action->kind != LINUX_STOP)
                continue;
            if (tracer.scope == LINUX_SCOPE_THREAD)
                halt_thread(thread, LINUX_STOP_HALTED);
            else if (!process->halt_wanted)
                halt_process(process, LINUX_STOP_INTERRUPT);
        }
}

static bool can_be_interrupted(const struct thread *thread) {
    return thread && thread->state == THREAD_RUNNING && thread->process && !thread->process->silent;
}

int nonstop_interrupt(int preferred) {
    struct thread *thread = find_thread(preferred);
    if (!can_be_interrupted(thread)) {
        thread = tracer.running_list;
        while (thread && !can_be_interrupted(thread))
            thread = thread->run_next;
    }
    if (!thread)
        return 0;
    if (tracer.scope == LINUX_SCOPE_THREAD)
        halt_thread(thread, LINUX_STOP_INTERRUPT);
    else
        halt_process(thread->process, LINUX_STOP_INTERRUPT);
    return 1;
}

/* --- handing out ------------------------------------------------------------------- */

/* The client may ask for a child as soon as it hears of it. False: the parent has not lived to report it. */
static bool child_is_there(struct thread *parent) {
    pid_t tid = parent->tid, pid = (pid_t)parent->event.value;
    int kind = parent->event.kind;
    if (kind != LINUX_STOP_FORK && kind != LINUX_STOP_VFORK && kind != LINUX_STOP_CLONE)
        return true;
    for (struct thread *child = find_thread(pid); child && child->starting; child = find_thread(pid))
        await_status(child);
    return find_thread(tid) == parent && parent->event.kind;
}

static void hand_out(linux_stop *stop, struct thread *thread) {
    bool exits = thread->event.kind == LINUX_STOP_THREAD_EXIT;
    fill_event(stop, thread, &thread->event);
    thread->event.kind = 0;
    thread->resumed = false;
    thread->unacknowledged = tracer.scope == LINUX_SCOPE_THREAD;
    if (exits) { /* nobody will resume it */
        mark_exiting(thread);
        trace(PTRACE_CONT, thread->tid, 0, 0);
    }
}

/* The oldest event, of one process or of all (NULL). What was found at an attach waits for the first resume. */
static struct thread *first_event(const struct process *only) {
    struct thread *first = NULL;
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process) {
            bool counts = only ? process == only : thread->resumed;
            if (counts && thread->event.kind && (!first || thread->event.sequence < first->event.sequence))
                first = thread;
        }
    return first;
}

static int take_events_of(const struct process *only, linux_stop *stops, int max) {
    int count = 0;
    struct thread *thread;
    while (count < max && (thread = first_event(only)))
        if (child_is_there(thread))
            hand_out(&stops[count++], thread);
    return count;
}

/* What is stopped, stays so, and was meant to run: its event went with a thread that is gone. */
static bool stopped_in_vain(const struct process *process) {
    for EACH_THREAD (thread, process)
        if (thread->resumed && thread->state == THREAD_STOPPED && !thread->event.kind)
            return true;
    return false;
}

static int take_interrupt(linux_stop *stop, struct process *process) {
    struct thread *thread = live_thread(process);
    if (!process->halt_wanted || !thread)
        return 0;
    const struct event event = {process->halt_wanted, 0, 0, 0};
    fill_event(stop, thread, &event);
    return 1;
}

static bool has_event(const struct process *process) {
    for EACH_THREAD (thread, process)
        if (thread->event.kind)
            return true;
    return false;
}

/* A process whose last thread has stopped and that has something to report. */
static struct process *next_stopped(void) {
    for EACH_PROCESS (process) {
        if (!process->stopping || process->dead || !process->live)
            continue;
        interrupt_process(process);
        if (!runs(process) && (process->halt_wanted || has_event(process) || stopped_in_vain(process)))
            return process;
    }
    return NULL;
}

static int take_process(linux_stop *stops, int max, struct process *process) {
    int count = take_events_of(process, stops, max);
    if (!count)
        count = take_interrupt(stops, process);
    process->halt_wanted = 0;
    if (!count) {
        process->stopping = false;
        run_resumed();
    }
    for EACH_THREAD (thread, process)
        thread->resumed &= !count;
    return count;
}

/* One process at a time: other processes may come and go meanwhile. */
static int take_processes(linux_stop *stops, int max) {
    struct process *process = next_stopped();
    int count = process ? take_process(stops, max, process) : 0;
    if (process)
        wake_up();
    return count;
}

static int take_threads(linux_stop *stops, int max) {
    int count = take_events_of(NULL, stops, max);
    if (!count && none_resumed())
        count = take_general(stops, LINUX_STOP_NONE_RESUMED);
    return count;
}

static int take(linux_stop *stops, int max) {
    int count = take_exits(stops, max);
    if (!count)
        count = tracer.scope == LINUX_SCOPE_THREAD ? take_threads(stops, max) : take_processes(stops, max);
    else
        wake_up();
    tracer.awaited &= count == 0 || tracer.running;
    if (count == max)
        wake_up(); /* there may be more */
    return count;
}

/* SIGCHLD is held: what came before the last look is not to wake anybody up. */
int nonstop_wait(linux_stop *stops, int max, int64_t budget_us, int64_t spin_us) {
    int64_t start = now_us(), spent;
    int count;
    collecting = true;
    settle();
    collect_any();
    while (!(count = take(stops, max)) && (tracer.running || dying()) && (spent = now_us() - start) < budget_us) {
        wait_a_moment(spent, budget_us, spin_us);
        collect_any();
    }
    collecting = false;
    release_child_signal();
    return count;
}

/* --- the mode ---------------------------------------------------------------------- */

void linux_set_scope(int scope) {
    bool news = false;
    for EACH_PROCESS (process) {
        process->stopping = false;
        process->halt_wanted = 0;
        news |= process->dead;
        for EACH_THREAD (thread, process) {
            thread->unacknowledged = false;
            thread->halt_wanted = 0;
            thread->resumed &= thread->state == THREAD_RUNNING;
            news |= thread->event.kind != 0;
        }
    }
    tracer.scope = scope;
    tracer.awaited = false;
    tracer.stopping = scope == LINUX_SCOPE_ALL && news;
    if (scope == LINUX_SCOPE_ALL)
        linux_interrupt(tracer.interrupt_tid);
}

int linux_acknowledge(int tid) {
    struct thread *thread = find_thread(tid);
    if (!thread || !thread->process)
        return -ESRCH;
    thread->unacknowledged = false;
    return 0;
}

/* One that job control had stopped stays so: PTRACE_LISTEN. The client's first resume continues it. */
int linux_run_attached(int pid, int but) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    int count = 0;
    for EACH_THREAD (thread, process)
        if (thread->state == THREAD_STOPPED && thread->tid != but) {
            thread->resumed = true;
            thread->resume_kind = LINUX_CONTINUE;
            thread->group_stopped = process->continue_group;
            count++;
        }
    tracer.awaited = true;
    run_resumed();
    return count;
}
