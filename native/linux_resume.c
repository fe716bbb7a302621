/* Letting threads run: vCont actions, signals, single steps and the step over
 * a planted trap. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

static void update_debug_registers(struct thread *thread) {
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
    long request = resume_request(thread);
    int signal = thread->deliver;
    thread->deliver = 0;
    thread->stepping = request == PTRACE_SINGLESTEP;
    thread->at_trap = thread->interrupt_sent = false;
    /* ESRCH: it was killed while it was stopped; its end will be waited for like any other. */
    if (trace(request, thread->tid, 0, (uintptr_t)signal) == -EIO && request == PTRACE_LISTEN)
        trace(PTRACE_CONT, thread->tid, 0, (uintptr_t)signal);
    mark_running(thread);
}

/* --- the step over a trap -------------------------------------------------------- */

static bool shares_memory(const struct process *one, const struct process *other) {
    return one == other || one->silent || other->silent;
}

static struct thread *next_held(bool running) {
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process)
            if (thread->held && (!running || thread->state == THREAD_RUNNING))
                return thread;
    return NULL;
}

/* Stops everybody who could run through the place where the trap is missing for a moment. */
static void quiesce(const struct thread *stepper) {
    struct thread *thread;
    int status;
    for (thread = tracer.running_list; thread; thread = thread->run_next)
        if (thread != stepper && !thread->in_vfork && shares_memory(thread->process, stepper->process)) {
            thread->held = true;
            if (!thread->interrupt_sent && !thread->starting)
                trace(PTRACE_INTERRUPT, thread->tid, 0, 0);
            thread->interrupt_sent = true;
        }
    while ((thread = next_held(true)))
        if (wait_for(thread, &status))
            handle_status(thread, status);
        else
            thread->held = false;
}

static void release_held(void) {
    struct thread *thread;
    while ((thread = next_held(false))) {
        thread->held = false;
        if (thread->state == THREAD_STOPPED && thread->resumed && !thread->event.kind && !tracer.stopping)
            resume_thread(thread);
    }
}

struct deferred {
    int signal;
    siginfo_t info;
};

static bool is_fault(int signal, const siginfo_t *info) {
    return info->si_code > 0 && (signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL);
}

/* One instruction of `thread` alone. Signals that are not its own doing wait in
 * `deferred`. True: the step was made; false: `status` tells what came instead. */
static bool step_once(struct thread *thread, int *status, struct deferred *deferred) {
    for (;;) {
        thread->general_valid = thread->siginfo_valid = false;
        *status = 0;
        if (trace(PTRACE_SINGLESTEP, thread->tid, 0, 0) < 0 || !wait_for(thread, status))
            return false;
        if (!WIFSTOPPED(*status) || (*status >> 16 && *status >> 16 != 128))
            return false;
        int signal = WSTOPSIG(*status);
        if (*status >> 16 || !load_siginfo(thread))
            continue; /* a late PTRACE_INTERRUPT */
        if (signal == SIGTRAP && thread->siginfo.si_code > 0)
            return true;
        if (is_fault(signal, &thread->siginfo) || deferred->signal)
            return false;
        *deferred = (struct deferred){signal, thread->siginfo};
    }
}

/* After the step: the event it made, if any. True: the thread may run on. */
static bool after_step(struct thread *thread, const struct deferred *deferred) {
    thread->stop_signal = 0;
    thread->injectable = true;
    if (thread->process->debug.control) {
        int slot = cpu_debug_register_hit(thread);
        if (slot >= 0) {
            record_event(thread, LINUX_STOP_HARDWARE, SIGTRAP, (uint64_t)slot);
            return false;
        }
    }
    if (deferred->signal) {
        trace(PTRACE_SETSIGINFO, thread->tid, 0, (uintptr_t)&deferred->info);
        thread->siginfo_valid = false;
        thread->held = true; /* so that handle_status leaves it to us */
        handle_status(thread, deferred->signal << 8 | 0x7f);
        thread->held = false;
        return !thread->event.kind;
    }
    uint64_t pc = thread_pc(thread);
    bool ranged = thread->resume_kind == LINUX_RANGE_STEP && pc >= thread->range_start && pc < thread->range_end;
    if (thread->resume_kind == LINUX_CONTINUE || ranged)
        return true;
    record_event(thread, LINUX_STOP_STEP, SIGTRAP, 0);
    return false;
}

bool step_over(struct thread *thread) {
    struct process *process = thread->process;
    struct trap *trap = find_trap(process, thread->trap_address);
    thread->at_trap = false;
    if (!trap)
        return true;
    struct trap lifted = *trap;
    struct deferred deferred = {0};
    int status;
    quiesce(thread);
    update_debug_registers(thread);
    write_code(process, lifted.address, lifted.original, lifted.size);
    bool stepped = step_once(thread, &status, &deferred);
    if (WIFSTOPPED(status))
        write_code(process, lifted.address, lifted.code, lifted.size);
    bool goes_on = false;
    if (stepped)
        goes_on = after_step(thread, &deferred);
    else if (status)
        handle_status(thread, status);
    else
        mark_running(thread); /* it is being killed */
    release_held();
    return goes_on;
}

/* --- actions ----------------------------------------------------------------------- */

static const linux_action continue_action = {-1, -1, LINUX_CONTINUE, 0, 0, 0};

static const linux_action *match(const linux_action *actions, int count, const struct thread *thread) {
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
    kernel.tgkill(thread->process->pid, thread->tid, signal);
}

static void apply(struct thread *thread, const linux_action *action) {
    thread->resumed = true;
    thread->resume_kind = action->kind;
    thread->range_start = action->start;
    thread->range_end = action->end;
    if (action->signal)
        give_signal(thread, action->signal);
    if (thread->event.kind)
        tracer.stopping = true; /* it has news already */
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
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process) {
            const linux_action *action = match(actions, count, thread);
            if (thread->state != THREAD_STOPPED || !action || action->kind == LINUX_STOP)
                continue;
            if (process->continue_group)
                continue_group(process);
            apply(thread, action);
            resumed += !process->silent;
        }
    return resumed;
}

static struct thread *next_at_trap(void) {
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process)
            if (thread->resumed && thread->at_trap && thread->state == THREAD_STOPPED && !thread->event.kind)
                return thread;
    return NULL;
}

int linux_resume(const linux_action *actions, int count) {
    tracer.stopping = tracer.interrupt_requested = false;
    tracer.awaited = true;
    int resumed = prepare(actions, count);
    struct thread *stepper;
    while (!tracer.stopping && (stepper = next_at_trap()))
        step_over(stepper);
    for (struct process *process = tracer.processes; process && !tracer.stopping; process = process->next)
        for EACH_THREAD (thread, process)
            if (thread->resumed && thread->state == THREAD_STOPPED && !thread->event.kind)
                resume_thread(thread);
    return resumed;
}
