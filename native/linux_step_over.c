/* The step over a planted trap: it is taken out for one instruction, with everybody else stopped who could come by. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <sys/wait.h>

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
    for (thread = tracer.running_list; thread; thread = thread->run_next)
        if (thread != stepper && !thread->in_vfork && shares_memory(thread->process, stepper->process)) {
            thread->held = true;
            if (!thread->interrupt_sent && !thread->starting)
                trace(PTRACE_INTERRUPT, thread->tid, 0, 0);
            thread->interrupt_sent = true;
        }
    while ((thread = next_held(true)))
        await_status(thread);
}

static void release_held(void) {
    struct thread *thread;
    while ((thread = next_held(false))) {
        thread->held = false;
        if (thread->state == THREAD_STOPPED && thread->resumed && !thread->event.kind && !stays_stopped(thread))
            resume_thread(thread);
    }
}

#define SYSCALL_STOP (SIGTRAP | 0x80)

/* One instruction of `thread` alone; of a system call its entry. True: the step was made; false: `status` tells what
 * came instead, 0 if nothing will. */
static bool step_once(struct thread *thread, long request, int *status, struct deferred *deferred) {
    for (;;) {
        thread->general_valid = thread->siginfo_valid = false;
        if (trace(request, thread->tid, 0, 0) < 0 || !wait_for(thread, status)) {
            *status = 0;
            return false;
        }
        if (!WIFSTOPPED(*status) || (*status >> 16 && *status >> 16 != PTRACE_EVENT_STOP))
            return false;
        int signal = WSTOPSIG(*status);
        if (signal == SYSCALL_STOP)
            return true;
        if (*status >> 16 || !load_siginfo(thread))
            continue; /* a late PTRACE_INTERRUPT */
        if (signal == SIGTRAP && thread->siginfo.si_code > 0)
            return !cpu_is_trap_instruction(&thread->siginfo);
        if (is_fault(signal, &thread->siginfo) || deferred->count == DEFERRED_MAX)
            return false;
        deferred->info[deferred->count++] = thread->siginfo;
    }
}

/* A system call may last for ever, or wait for threads that are held: it is stepped to its entry only. */
static long step_request(struct process *process, const struct trap *trap) {
    uint8_t instruction[2] = {0};
    if (!cpu_may_be_syscall(trap->original[0]))
        return PTRACE_SINGLESTEP;
    linux_read_memory(process->pid, trap->address, instruction, sizeof instruction);
    instruction[0] = trap->original[0];
    return cpu_is_syscall(instruction) ? PTRACE_SYSCALL : PTRACE_SINGLESTEP;
}

/* Decodes a stop without letting the thread go on. True: it may. */
static bool decode(struct thread *thread, int status) {
    bool held = thread->held;
    thread->held = true;
    handle_status(thread, status);
    thread->held = held;
    return !thread->event.kind;
}

static bool after_entry(struct thread *thread, int status, const struct deferred *deferred) {
    send_again(thread, deferred, 0);
    thread->pass_once = thread->deliver ? thread->deliver : thread->pass_once; /* here the kernel sends it anew */
    bool goes_on = decode(thread, status);
    thread->call_trap = thread->trap_address;
    return goes_on;
}

/* After the step: the event it made, if any. True: the thread may run on. */
static bool after_step(struct thread *thread, const struct deferred *deferred) {
    int slot = thread->process->debug.control ? cpu_debug_register_hit(thread) : -1;
    thread->stop_signal = 0;
    thread->injectable = true;
    send_again(thread, deferred, slot < 0);
    if (slot >= 0) {
        record_event(thread, LINUX_STOP_HARDWARE, SIGTRAP, (uint64_t)slot);
        return false;
    }
    if (deferred->count) {
        trace(PTRACE_SETSIGINFO, thread->tid, 0, (uintptr_t)&deferred->info[0]);
        return decode(thread, deferred->info[0].si_signo << 8 | 0x7f);
    }
    uint64_t pc = peek_pc(thread);
    bool ranged = thread->resume_kind == LINUX_RANGE_STEP && pc >= thread->range_start && pc < thread->range_end;
    if (thread->resume_kind == LINUX_CONTINUE || ranged)
        return true;
    record_event(thread, LINUX_STOP_STEP, SIGTRAP, 0);
    return false;
}

/* The trap goes back; if the process is dead, by way of another one in the same memory. */
static void replant(struct process *process, const struct trap *trap) {
    if (write_code(process, trap->address, trap->code, trap->size))
        return;
    for EACH_PROCESS (other)
        if (other != process && shares_memory(other, process) && find_trap(other, trap->address))
            write_code(other, trap->address, trap->code, trap->size);
}

/* Something else came: the program's own trap instruction, a fault, an end. */
static void not_stepped(struct thread *thread, int status) {
    bool signal = WIFSTOPPED(status) && !(status >> 16);
    if (!status) {
        mark_running(thread); /* it is being killed */
    } else if (signal && WSTOPSIG(status) == SIGTRAP) {
        handle_own_trap(thread);
    } else {
        thread->at_trap = signal && find_trap(thread->process, thread->trap_address);
        handle_status(thread, status);
    }
}

/* The step itself, with everybody else stopped. */
static bool step_alone(struct thread *thread, const struct trap *trap) {
    struct process *process = thread->process;
    struct deferred deferred = {.count = 0};
    pid_t pid = process->pid, tid = thread->tid;
    int status;
    long request = step_request(process, trap);
    defer_delivery(thread, &deferred);
    update_debug_registers(thread);
    write_code(process, trap->address, trap->original, trap->size);
    bool stepped = step_once(thread, request, &status, &deferred);
    if (find_process(pid) == process)
        replant(process, trap);
    if (find_thread(tid) != thread)
        return false;
    if (stepped)
        return WSTOPSIG(status) == SYSCALL_STOP ? after_entry(thread, status, &deferred) : after_step(thread, &deferred);
    send_again(thread, &deferred, 0);
    not_stepped(thread, status);
    return false;
}

/* With everybody else stopped. */
static bool leave_trap(struct thread *thread) {
    const struct trap *trap = find_shared_trap(thread->process, thread->trap_address);
    thread->at_trap = false;
    if (!trap)
        return true;
    const struct trap lifted = *trap;
    return step_alone(thread, &lifted);
}

/* One that was to be held but hit a trap first, and goes on from it unseen. */
static struct thread *next_held_at_trap(void) {
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process)
            if (thread->held && thread->at_trap && thread->state == THREAD_STOPPED && !thread->event.kind &&
                !leaves_alone(thread))
                return thread;
    return NULL;
}

bool step_over(struct thread *thread) {
    pid_t tid = thread->tid;
    struct thread *other;
    quiesce(thread);
    bool there = find_thread(tid) == thread && thread->state == THREAD_STOPPED;
    bool goes_on = there && leave_trap(thread);
    while ((other = next_held_at_trap()))
        leave_trap(other);
    release_held();
    return goes_on && find_thread(tid) == thread && thread->state == THREAD_STOPPED;
}
