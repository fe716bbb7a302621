/* What a wait status means: an event to report, a silent continuation, or one
 * more stopped thread of a stop-all. Each status is decoded here, once.
 *
 * Stops that the tracer itself causes are PTRACE_INTERRUPT traps (ptrace(2),
 * PTRACE_SEIZE), which no signal can be mistaken for. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

/* Whoever has to stop because of this thread's event will. */
void stop_for(struct thread *thread) {
    if (tracer.scope == LINUX_SCOPE_ALL)
        tracer.stopping = true;
    else
        nonstop_stop_for(thread);
}

void record_event(struct thread *thread, int kind, int signal, uint64_t value) {
    thread->event = (struct event){kind, signal, value, ++tracer.sequence};
    stop_for(thread);
}

/* A trap in memory that may not be executed faults instead: gdb has called functions return to one on the stack.
 * What faults while it is stepped over is the instruction below it. */
static bool is_trap_fault(struct thread *thread, int signal) {
    return (signal == SIGSEGV || signal == SIGILL) && !thread->at_trap &&
           find_trap(thread->process, thread_pc(thread));
}

static bool passes(struct thread *thread, int signal) {
    if (tracer.options.unattended || thread->process->silent)
        return true;
    /* A step must not end in a handler unannounced: the client steps over it. gdbserver's rule, too. */
    if (thread->resume_kind != LINUX_CONTINUE || is_trap_fault(thread, signal))
        return false;
    return tracer.options.pass_signals >> (signal - 1) & 1;
}

/* fork.c, wait_for_vfork_done(): the parent of a vfork is deaf to PTRACE_INTERRUPT until its child has execed or
 * exited. For the parent to stop, a child that is followed unseen has to go on. */
bool holds_up_parent(const struct process *process) {
    const struct thread *parent = process->silent && process->vfork_parent ? find_thread(process->vfork_parent) : NULL;
    return parent && parent->in_vfork && parent->state == THREAD_RUNNING;
}

bool stays_stopped(const struct thread *thread) {
    return thread->held || thread->process->stopping || (tracer.stopping && !holds_up_parent(thread->process));
}

/* Goes on as before, unless it, or everything, is to stop: then whoever steps now sees to a trap that it is at, or the
 * next resume. */
void go_on(struct thread *thread) {
    if (thread->halt_wanted) {
        record_event(thread, thread->halt_wanted, 0, 0);
        return;
    }
    /* A handler of a fault comes before the instruction that causes it. */
    bool faults = thread->deliver && load_siginfo(thread) && is_fault(thread->deliver, &thread->siginfo);
    if (!stays_stopped(thread) && (!thread->at_trap || faults || leaves_alone(thread) || step_over(thread)))
        resume_thread(thread);
}

static bool in_range(const struct thread *thread, uint64_t pc) {
    return pc >= thread->range_start && pc < thread->range_end;
}

static bool stays_in_range(struct thread *thread) {
    uint64_t pc = peek_pc(thread);
    if (in_range(thread, pc) && carry_out_jump(thread, pc))
        pc = thread_pc(thread); /* one at most: a step between two lets signals in */
    return in_range(thread, pc);
}

static void handle_step(struct thread *thread) {
    if (thread->resume_kind == LINUX_RANGE_STEP && stays_in_range(thread))
        go_on(thread);
    else
        record_event(thread, LINUX_STOP_STEP, SIGTRAP, 0);
}

/* Behind a breakpoint of the client's at a trap instruction that is the program's own ("permanent"): its condition is
 * false, and what the program would stop for is that very breakpoint. gdbserver's rule, too. */
static void go_on_behind(struct thread *thread, const struct trap *trap) {
    set_thread_pc(thread, trap->address + trap->size);
    if (thread->resume_kind == LINUX_CONTINUE)
        go_on(thread);
    else
        handle_step(thread);
}

/* A thread that goes on by itself gets its registers written once, by enter_slot(). */
static void handle_trap_hit(struct thread *thread, uint64_t address) {
    cpu_set_pc(thread->general, address);
    bool unseen = thread->process->silent || thread->restarted == address;
    if (!unseen && goes_on_from(thread, address, false)) {
        const struct trap *trap = trap_at(&thread->process->traps, address);
        if (trap && memcmp(trap->original, trap->code, trap->size) == 0) {
            go_on_behind(thread, trap);
            return;
        }
        unseen = true;
    }
    thread->at_trap = true;
    thread->trap_address = address;
    unseen = unseen || tracer.options.unattended;
    if (!unseen || thread->halt_wanted || stays_stopped(thread) || !leaves_alone(thread))
        set_thread_pc(thread, address);
    if (unseen)
        go_on(thread);
    else
        record_event(thread, LINUX_STOP_BREAKPOINT, SIGTRAP, address);
}

/* SIGTRAP of the debug machinery. False: somebody sent it as a signal. */
static bool handle_debug_trap(struct thread *thread, bool step_interrupted) {
    struct process *process = thread->process;
    if (!load_siginfo(thread) || thread->siginfo.si_code <= 0)
        return false;
    if (cpu_is_trap_instruction(&thread->siginfo)) {
        for (int adjust = 1; adjust >= 0; adjust--) {
            uint64_t address = thread_pc(thread) - (uint64_t)adjust;
            const struct trap *trap = find_shared_trap(process, address);
            if (trap && trap->pc_adjust == adjust) {
                thread->stop_signal = 0;
                handle_trap_hit(thread, address);
                return true;
            }
        }
        return tracer.scope && leave_lifted_trap(thread);
    }
    if (process->debug.control && cpu_may_be_debug_register(&thread->siginfo)) {
        int hit = cpu_debug_register_hit(thread), slot = hit & 0xff;
        if (hit >= 0) {
            thread->stop_signal = 0;
            if (cpu_executes(&process->debug, slot) && goes_on_from(thread, process->debug.address[slot], true))
                go_on(thread); /* the kernel has set RF (arch/x86/kernel/hw_breakpoint.c): it does not trap again */
            else
                record_event(thread, LINUX_STOP_HARDWARE, SIGTRAP, (uint64_t)hit);
            return true;
        }
    }
    if (!thread->stepping) {
        /* Beyond scope ALL a watchpoint may be taken away while a hit of it is under way. */
        bool stale = cpu_is_debug_register(&thread->siginfo) ? tracer.scope != LINUX_SCOPE_ALL : step_interrupted;
        if (stale) {
            thread->stop_signal = 0;
            go_on(thread);
        }
        return stale;
    }
    thread->stop_signal = 0;
    handle_step(thread);
    return true;
}

static void take_signal(struct thread *thread, int signal) {
    if (signal == thread->pass_once || passes(thread, signal)) {
        thread->pass_once = 0;
        thread->deliver = signal;
        go_on(thread);
        return;
    }
    if (is_trap_fault(thread, signal))
        thread->stop_signal = 0; /* the trap's doing: a detach must not hand it on */
    record_event(thread, LINUX_STOP_SIGNAL, signal, 0);
}

void handle_own_trap(struct thread *thread) {
    thread->stop_signal = SIGTRAP;
    thread->injectable = true;
    take_signal(thread, SIGTRAP);
}

static void handle_signal(struct thread *thread, int signal) {
    struct process *process = thread->process;
    thread->stop_signal = signal;
    if (thread->resent_count)
        restore_siginfo(thread, signal);
    bool step_interrupted = thread->step_interrupted;
    thread->step_interrupted = false;
    if (signal == SIGTRAP && handle_debug_trap(thread, step_interrupted))
        return;
    if (signal == SIGCONT && process->swallow_continue) {
        process->swallow_continue = false;
        thread->stop_signal = 0;
        go_on(thread);
        return;
    }
    take_signal(thread, signal);
}

bool is_caught(const struct process *process, uint64_t number) {
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
    thread->step_interrupted |= thread->stepping;
    thread->group_stopped = is_job_control(signal) && !thread->process->continue_group;
    if (thread->group_stopped || !take_pending_trap(thread))
        go_on(thread);
}

/* man ptrace: an exiting thread makes one more stop. It runs no user code any more: let it go on at once. */
static void handle_exit_stop(struct thread *thread) {
    unsigned long status = 0;
    trace(PTRACE_GETEVENTMSG, thread->tid, 0, (uintptr_t)&status);
    struct process *process = thread->process;
    bool thread_ends = process->live > 1 && thread->tid != process->pid;
    bool wanted = tracer.options.report_threads || thread->report_exit;
    bool reported = wanted && !tracer.options.unattended && !process->silent;
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

static void note_death(struct thread *thread, int status) {
    struct process *process = thread->process;
    bool leader = process && thread->tid == process->pid;
    remove_thread(thread);
    if (!process || !(leader || (!process->threads && process->leaderless)))
        return;
    part_guests(process);
    /* The leader's status comes last of all (wait(2), delay_group_leader): whoever is still listed is gone too. */
    while (process->threads)
        remove_thread(process->threads);
    process->dead = true;
    process->exit_status = status;
    release_orphans(process);
    if (process->silent || process->release_child)
        free_process(process);
    else if (tracer.scope == LINUX_SCOPE_ALL)
        tracer.stopping = true;
    else
        wake_up();
}

static void handle_death(struct thread *thread, int status) {
    note_death(thread, status);
    release_unheard();
}

/* A system call whose instruction has a trap: when the thread goes back to it, that is no new hit. */
static void note_restart(struct thread *thread) {
    thread->restarted = thread->restarts_at;
    thread->restarts_at = 0;
    if (!thread->call_trap)
        return;
    if (load_general(thread) && cpu_restarts_at(thread->general) == thread->call_trap)
        thread->restarts_at = thread->call_trap;
    else
        thread->call_trap = 0;
}

void handle_status(struct thread *thread, int status) {
    tracer.statuses++;
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
    note_restart(thread);
    if (thread->slot && event != PTRACE_EVENT_EXEC)
        leave_slot(thread, event ? 0 : signal);
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
