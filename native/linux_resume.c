/* Letting threads run: vCont actions, signals, single steps. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>

void update_debug_registers(struct thread *thread) {
    struct process *process = thread->process;
    if (thread->debug_generation == process->debug.generation)
        return;
    cpu_write_debug_registers(thread, &process->debug);
    thread->debug_generation = process->debug.generation;
}

static long resume_request(const struct thread *thread) {
    if (thread->resume_kind == LINUX_STEP || thread->resume_kind == LINUX_RANGE_STEP)
        return PTRACE_SINGLESTEP;
    if (thread->group_stopped && !thread->deliver)
        return PTRACE_LISTEN;
    return thread->process->catch_count && !thread->process->silent ? PTRACE_SYSCALL : PTRACE_CONT;
}

void resume_thread(struct thread *thread) {
    update_debug_registers(thread);
    if (thread->at_trap && leaves_alone(thread))
        enter_slot(thread);
    long request = resume_request(thread);
    int signal = thread->deliver;
    thread->deliver = 0;
    if (signal)
        thread->restarts_at = 0; /* its handler may come first, or the call fail */
    thread->stepping = request == PTRACE_SINGLESTEP;
    thread->at_trap = thread->interrupt_sent = false;
    /* ESRCH: it was killed while it was stopped; its end will be waited for like any other. */
    if (trace(request, thread->tid, 0, (uintptr_t)signal) == -EIO && request == PTRACE_LISTEN)
        trace(PTRACE_CONT, thread->tid, 0, (uintptr_t)signal);
    mark_running(thread);
}

static const linux_action continue_action = {-1, -1, LINUX_CONTINUE, 0, 0, 0};

const linux_action *action_for(const linux_action *actions, int count, const struct thread *thread) {
    if (thread->process->silent)
        return &continue_action;
    for (int i = 0; i < count; i++)
        if ((actions[i].pid < 0 || actions[i].pid == thread->process->pid) &&
            (actions[i].tid < 0 || actions[i].tid == thread->tid))
            return &actions[i];
    return NULL;
}

/* A signal the client wants delivered. Only a signal-delivery-stop can inject
 * it; elsewhere it is sent, and passed through when it arrives. */
static void give_signal(struct thread *thread, int signal) {
    if (thread->injectable && !thread->deliver) {
        thread->deliver = signal;
        return;
    }
    thread->pass_once = signal;
    kernel.tgkill(thread->group, thread->tid, signal);
}

static void return_from_exec(struct thread *thread) {
    uint64_t number = load_general(thread) ? cpu_syscall_number(thread->general) : 0;
    thread->exec_returns = false;
    if (!thread->event.kind && is_caught(thread->process, number))
        record_event(thread, LINUX_STOP_SYSCALL_RETURN, SIGTRAP, number);
}

static void apply(struct thread *thread, const linux_action *action) {
    thread->resumed = true;
    thread->resume_kind = action->kind;
    thread->range_start = action->start;
    thread->range_end = action->end;
    if (action->signal)
        give_signal(thread, action->signal);
    if (thread->exec_returns)
        return_from_exec(thread);
    if (thread->event.kind)
        stop_for(thread); /* it has news already */
    if (thread->at_trap && thread_pc(thread) != thread->trap_address)
        thread->at_trap = false;
}

/* A process that job control had stopped before we attached: to resume it is to continue it. */
static void continue_group(struct process *process) {
    process->continue_group = false;
    process->swallow_continue = true;
    kernel.kill(process->pid, SIGCONT);
}

static int prepare(const linux_action *actions, int count) {
    int resumed = 0;
    for EACH_PROCESS (process) {
        bool kept = process->stopping;
        for EACH_THREAD (thread, process) {
            const linux_action *action = action_for(actions, count, thread);
            if (thread->state != THREAD_STOPPED || !action || action->kind == LINUX_STOP)
                continue;
            /* To the client it runs still. */
            if (tracer.scope && (thread->unacknowledged || thread->resumed))
                continue;
            process->stopping &= !kept;
            kept = false;
            if (process->continue_group)
                continue_group(process);
            apply(thread, action);
            resumed += !process->silent;
        }
    }
    return resumed;
}

/* With a signal to deliver the thread goes to the handler from where it stands, as gdbserver has it: the step over the
 * trap would hold the signal back, and gdb steps into handlers this way (infrun.c, resume_1). */
static struct thread *next_at_trap(void) {
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process)
            if (thread->resumed && thread->at_trap && thread->state == THREAD_STOPPED && !thread->event.kind &&
                !process->stopping && !thread->deliver && !leaves_alone(thread))
                return thread;
    return NULL;
}

void run_resumed(void) {
    struct thread *stepper;
    while (!tracer.stopping && (stepper = next_at_trap()))
        step_over(stepper);
    for (struct process *process = tracer.processes; process && !tracer.stopping; process = process->next)
        for EACH_THREAD (thread, process)
            if (thread->resumed && thread->state == THREAD_STOPPED && !thread->event.kind && !process->stopping)
                resume_thread(thread);
}

/* Its end came while nobody waited for a stop. */
static bool any_dead(void) {
    for EACH_PROCESS (process)
        if (process->dead)
            return true;
    return false;
}

int linux_resume(const linux_action *actions, int count) {
    tracer.interrupt_requested = false;
    tracer.stopping = tracer.scope == LINUX_SCOPE_ALL && any_dead();
    tracer.awaited = true;
    hold_child_signal();
    int resumed = prepare(actions, count);
    run_resumed();
    if (tracer.scope) {
        halt_matching(actions, count);
        tracer.awaited = resumed || tracer.running;
    }
    return resumed;
}
