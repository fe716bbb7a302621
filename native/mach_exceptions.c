/* What an exception means: a stop to report, or something to go on from unseen. */
#include <mach/thread_info.h>
#include <string.h>

#include "mach_tracer.h"

bool is_soft_signal(const struct exception *message) {
    return message->type == EXC_SOFTWARE && message->code_count == 2 && message->codes[0] == EXC_SOFT_SIGNAL;
}

/* The signal the kernel makes of an exception that nobody handles (XNU ux_exception). */
int exception_signal(const struct exception *message) {
    if (is_soft_signal(message))
        return (int)message->codes[1];
    switch (message->type) {
    case EXC_BAD_ACCESS:
        return message->codes[0] == KERN_INVALID_ADDRESS ? DARWIN_SIGSEGV : DARWIN_SIGBUS;
    case EXC_BAD_INSTRUCTION:
        return DARWIN_SIGILL;
    case EXC_ARITHMETIC:
        return DARWIN_SIGFPE;
    case EXC_SYSCALL:
    case EXC_MACH_SYSCALL:
        return DARWIN_SIGSYS;
    case EXC_GUARD:
    case EXC_RESOURCE:
        return DARWIN_SIGKILL;
    }
    return DARWIN_SIGTRAP;
}

void record_event(struct thread *thread, int kind, int signal, uint64_t value) {
    thread->event = (struct event){kind, signal, value, ++tracer.sequence};
}

/* --- soft signals ------------------------------------------------------------------- */

static bool take_once(struct process *process, int signal) {
    uint64_t bit = signal > 0 && signal <= 64 ? 1ull << (signal - 1) : 0;
    bool expected = process->pass_once & bit;
    process->pass_once &= ~bit;
    return expected;
}

/* A step must not end behind a handler unannounced: the client steps over it. gdbserver's rule, too. */
static bool passes(struct thread *thread, int signal) {
    if (take_once(thread->process, signal) || tracer.options.unattended)
        return true;
    if (thread->resumed && thread->resume_kind != MACH_CONTINUE)
        return false;
    return signal > 0 && signal <= 64 && tracer.options.pass_signals >> (signal - 1) & 1;
}

/* An exec is a SIGTRAP of a program whose dyld has not listed any image yet. A SIGTRAP that the program raises comes
 * later. */
static bool is_exec(struct process *process) {
    uint64_t info[3];
    uint32_t count = 0;
    if (mach_dyld_info(process->pid, info) < 0)
        return false;
    const uint64_t count_offset = 4; /* infoArrayCount, after the version */
    return !info[0] || (read_raw(process, info[0] + count_offset, (uint8_t *)&count, sizeof count) == sizeof count &&
                        count == 0);
}

static void handle_exec(struct thread *thread) {
    struct process *process = thread->process;
    forget_traps(process);
    memset(&process->hardware, 0, sizeof process->hardware);
    process->page_size = 0;
    process->pass_once = 0;
    thread->at_trap = false;
    if (process->execs_awaited) {
        if (--process->execs_awaited)
            answer(thread, 0);
        else
            record_event(thread, MACH_STOP_EXEC, DARWIN_SIGTRAP, 0);
        return;
    }
    if (tracer.options.report_execs && !tracer.options.unattended)
        record_event(thread, MACH_STOP_EXEC, DARWIN_SIGTRAP, 0);
    else
        answer(thread, 0);
}

static void handle_signal(struct thread *thread) {
    int signal = exception_signal(&thread->message);
    struct process *process = thread->process;
    if (signal == DARWIN_SIGTRAP && is_exec(process))
        handle_exec(thread);
    else if (process->settling || process->execs_awaited || !passes(thread, signal))
        record_event(thread, MACH_STOP_SIGNAL, signal, 0);
    else
        answer(thread, signal);
}

/* --- breakpoints and steps ------------------------------------------------------------ */

static void stop_at_trap(struct thread *thread, uint64_t address, int kind, uint64_t value) {
    thread->at_trap = true;
    thread->trap_address = address;
    record_event(thread, kind, DARWIN_SIGTRAP, value);
}

/* A trap instruction of the program itself stops it once; after that it goes on behind it. */
static void foreign_trap(struct thread *thread, uint64_t pc, const uint8_t *code) {
    int skip = cpu_skip_foreign_trap(code, TRAP_CODE_SIZE);
    if (skip)
        set_thread_pc(thread, pc + (uint64_t)skip);
    record_event(thread, MACH_STOP_EXCEPTION, DARWIN_SIGTRAP, 0);
}

static void handle_trap(struct thread *thread) {
    struct process *process = thread->process;
    uint64_t pc = thread_pc(thread), address = pc - (uint64_t)cpu_trap_adjust();
    const struct trap *trap = find_trap(process, address);
    uint8_t code[TRAP_CODE_SIZE] = {0};
    if (trap && trap->planted) {
        if (address != pc)
            set_thread_pc(thread, address);
        stop_at_trap(thread, address, MACH_STOP_BREAKPOINT, 0);
        return;
    }
    /* Unread, it is taken for one: to go on would raise it again and again. */
    if (read_raw(process, address, code, sizeof code) <= 0 || cpu_is_trap(code)) {
        foreign_trap(thread, pc, code);
        return;
    }
    /* One of ours, removed between the hit and this message: what was there before is yet to run. */
    set_thread_pc(thread, address);
    answer(thread, 0);
}

static void handle_step(struct thread *thread) {
    uint64_t pc = thread_pc(thread);
    bool wanted = thread->resume_kind == MACH_STEP;
    if (thread->resume_kind == MACH_RANGE_STEP)
        wanted = pc < thread->range_start || pc >= thread->range_end;
    bool was_stepping = thread->stepping, alone = thread->process->stepping_over == thread;
    thread->stepping = true;
    set_step(thread, false);
    if (alone)
        leave_step_over(thread);
    if (wanted || !was_stepping) {
        record_event(thread, was_stepping ? MACH_STOP_STEP : MACH_STOP_EXCEPTION, DARWIN_SIGTRAP, 0);
        return;
    }
    if (alone) {
        thread->process->run_again = true;
        return;
    }
    set_step(thread, thread->resume_kind == MACH_RANGE_STEP);
    answer(thread, 0);
}

static void handle_breakpoint(struct thread *thread) {
    uint64_t slot = 0;
    bool watch = false;
    int kind = cpu_classify(thread, &thread->message, &thread->process->hardware, &slot, &watch);
    if (kind == MACH_STOP_STEP)
        handle_step(thread);
    else if (kind == MACH_STOP_BREAKPOINT)
        handle_trap(thread);
    else {
        thread->hit_slot = watch && cpu_watch_before_access() ? slot_bit((int)slot, MACH_WATCH_WRITE) : 0;
        stop_at_trap(thread, thread_pc(thread), MACH_STOP_HARDWARE, slot);
    }
}

/* A trap in memory that is not executable (gdb plants the one at which a called function returns on the stack) stops
 * its thread before it is executed. On other systems clients take the SIGSEGV for it; a protection failure is SIGBUS. */
static bool faults_at_trap(struct thread *thread) {
    const struct exception *message = &thread->message;
    uint64_t pc = thread_pc(thread);
    const struct trap *trap = find_trap(thread->process, pc);
    return message->type == EXC_BAD_ACCESS && message->code_count == 2 && (uint64_t)message->codes[1] == pc && trap &&
           trap->planted;
}

/* --- messages --------------------------------------------------------------------------- */

/* An exec makes a new task; the message about it is the first sign. The old one is dead by then. */
static struct process *adopt_task(const struct exception *message) {
    int pid = 0;
    if (!is_soft_signal(message) || message->codes[1] != DARWIN_SIGTRAP ||
        pid_for_task(message->task, &pid) != KERN_SUCCESS)
        return NULL;
    struct process *process = find_process(pid);
    if (!process)
        return NULL;
    drop_threads(process);
    release_port(process->task);
    process->task = message->task;
    process->suspended = false;
    mach_port_mod_refs(mach_task_self(), message->task, MACH_PORT_RIGHT_SEND, 1);
    set_exception_ports(process);
    return process;
}

static struct process *process_of(const struct exception *message) {
    for EACH_PROCESS (process)
        if (process->task == message->task && !process->dead)
            return process;
    return adopt_task(message);
}

void handle_message(const struct exception *message) {
    struct process *process = process_of(message);
    if (!process) {
        refuse(message);
        return;
    }
    release_port(message->task);
    struct thread *thread = thread_of_port(process, message->thread);
    if (!thread) {
        release_port(message->reply_port);
        return;
    }
    thread->message = *message;
    thread->message.task = MACH_PORT_NULL;
    thread->unanswered = true;
    thread->deliver = 0;
    if (is_soft_signal(message))
        handle_signal(thread);
    else if (tracer.options.unattended)
        answer(thread, exception_signal(message));
    else if (message->type == EXC_BREAKPOINT)
        handle_breakpoint(thread);
    else if (faults_at_trap(thread))
        stop_at_trap(thread, thread_pc(thread), MACH_STOP_BREAKPOINT, 0);
    else
        record_event(thread, MACH_STOP_EXCEPTION, exception_signal(message), 0);
}
