/* Who runs: suspend counts, single steps, and the way off a trap.
 *
 * A thread runs when neither its task nor it itself is suspended and its
 * exception is answered. Stopped means: one task_suspend of ours. */
#include <signal.h>

#include "mach_tracer.h"

void hold_thread(struct thread *thread, bool hold) {
    if (thread->held == hold)
        return;
    kern_return_t code = hold ? thread_suspend(thread->port) : thread_resume(thread->port);
    if (code != KERN_SUCCESS)
        log_call(code, "thread_%s(thread=%#x)", hold ? "suspend" : "resume", thread->port);
    thread->held = hold;
}

void suspend_process(struct process *process) {
    if (process->suspended || process->dead)
        return;
    kern_return_t code = task_suspend(process->task);
    if (code != KERN_SUCCESS)
        log_call(code, "task_suspend(task=%#x)", process->task);
    process->suspended = code == KERN_SUCCESS;
}

static int suspend_count(task_t task) {
    mach_task_basic_info_data_t info;
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    kern_return_t code = task_info(task, MACH_TASK_BASIC_INFO, (task_info_t)&info, &count);
    return code == KERN_SUCCESS ? info.suspend_count : 0;
}

/* Our own suspension, and whatever else holds the task: that of a program started suspended outlives an exec, after
 * which debugserver resumes twice. */
void resume_task(struct process *process) {
    enum { OTHERS = 4 };
    for (int i = 0; i < OTHERS && (process->suspended || suspend_count(process->task) > 0); i++) {
        kern_return_t code = task_resume(process->task);
        if (code != KERN_SUCCESS) {
            log_call(code, "task_resume(task=%#x)", process->task);
            return;
        }
        process->suspended = false;
    }
}

/* --- off a trap ------------------------------------------------------------------------ */

static bool has_to_step_over(struct thread *thread) {
    if (!thread->resumed || !thread->at_trap)
        return false;
    if (thread_pc(thread) == thread->trap_address &&
        (find_trap(thread->process, thread->trap_address) || hardware_at(thread->process, thread->trap_address) ||
         thread->hit_slot))
        return true;
    thread->at_trap = false;
    thread->hit_slot = 0;
    return false;
}

/* Only this thread runs until its step is done, so that no other passes the place while the trap is out. */
static void begin_step_over(struct thread *thread) {
    struct process *process = thread->process;
    const struct trap *trap = find_trap(process, thread->trap_address);
    for EACH_THREAD (other, process)
        hold_thread(other, other != thread);
    if (trap)
        lift_trap(process, trap);
    thread->lifted_slots = hardware_at(process, thread->trap_address) | thread->hit_slot;
    if (thread->lifted_slots)
        write_thread_hardware(thread);
    process->stepping_over = thread;
    set_step(thread, true);
    answer(thread, thread->deliver);
    thread->deliver = 0;
}

void leave_step_over(struct thread *thread) {
    struct process *process = thread->process;
    struct trap *trap = find_trap(process, thread->trap_address);
    process->stepping_over = NULL;
    suspend_process(process);
    if (trap)
        plant_trap(process, trap);
    if (thread->lifted_slots) {
        thread->lifted_slots = 0;
        write_thread_hardware(thread);
    }
    if (thread_pc(thread) != thread->trap_address) {
        thread->at_trap = false;
        thread->hit_slot = 0;
    }
}

/* --- running ------------------------------------------------------------------------------ */

static void run_thread(struct thread *thread) {
    hold_thread(thread, !thread->resumed);
    if (!thread->resumed)
        return;
    set_step(thread, thread->resume_kind == MACH_STEP || thread->resume_kind == MACH_RANGE_STEP);
    answer(thread, thread->deliver);
    thread->deliver = 0;
}

void run_process(struct process *process) {
    struct thread *stepper = NULL;
    bool any = false;
    for EACH_THREAD (thread, process) {
        any |= thread->resumed;
        if (!stepper && has_to_step_over(thread))
            stepper = thread;
    }
    if (!any)
        return;
    if (stepper)
        begin_step_over(stepper);
    else
        for EACH_THREAD (thread, process)
            run_thread(thread);
    if (process->suspended)
        resume_task(process);
}

/* --- stopping ------------------------------------------------------------------------------ */

/* Threads that were on their way into an exception when the task was suspended tell of it within a moment; the same
 * millisecond is what debugserver gives them. One thread alone has told already. */
static void gather(void) {
    int running = 0;
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process)
            running += thread->resumed && !thread->unanswered && !thread->held;
    drain(running ? 1 : 0);
}

void stop_all(void) {
    for EACH_PROCESS (process)
        suspend_process(process);
    gather();
    for EACH_PROCESS (process) {
        if (process->dead)
            continue;
        suspend_process(process);
        if (process->stepping_over)
            leave_step_over(process->stepping_over);
        process->run_again = false;
        refresh_threads(process);
        for EACH_THREAD (thread, process) {
            set_step(thread, false);
            thread->resumed = false;
        }
    }
}

/* --- actions --------------------------------------------------------------------------------- */

static const mach_action *match(const mach_action *actions, int count, const struct thread *thread) {
    for (int i = 0; i < count; i++)
        if ((actions[i].pid < 0 || actions[i].pid == thread->process->pid) &&
            (actions[i].tid < 0 || actions[i].tid == (int64_t)thread->tid))
            return &actions[i];
    return NULL;
}

/* A signal goes with the answer where the kernel asks for it; else it is sent, and passed through when it arrives. */
static void give_signal(struct thread *thread, int signal) {
    struct process *process = thread->process;
    if (thread->unanswered && (is_soft_signal(&thread->message) || exception_signal(&thread->message) == signal)) {
        thread->deliver = signal;
        return;
    }
    if (signal <= 64)
        process->pass_once |= 1ull << (signal - 1);
    kill(process->pid, signal);
}

int mach_resume(const mach_action *actions, int count) {
    int resumed = 0;
    tracer.awaited = true;
    tracer.interrupt_requested = false;
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process) {
            const mach_action *action = match(actions, count, thread);
            thread->resumed = action && action->kind != MACH_STOP && !process->dead;
            if (!thread->resumed)
                continue;
            thread->resume_kind = action->kind;
            thread->range_start = action->start;
            thread->range_end = action->end;
            if (action->signal > 0)
                give_signal(thread, action->signal);
            resumed++;
        }
    if (!have_news())
        for EACH_PROCESS (process)
            run_process(process);
    return resumed;
}

int mach_running(void) {
    int count = 0;
    for EACH_PROCESS (process)
        if (!process->suspended && !process->dead)
            for EACH_THREAD (thread, process)
                count += !thread->held && !thread->unanswered;
    return count;
}

int mach_interrupt(int pid) {
    tracer.interrupt_requested = true;
    tracer.interrupt_pid = pid;
    for EACH_PROCESS (process)
        suspend_process(process);
    return 0;
}
