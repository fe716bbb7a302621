/* Taking a process over and letting it go. */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "mach_tracer.h"

enum { STOP_BUDGET_US = 5000000, STEP_US = 100000, NUDGE_US = 500000, TASK_ATTEMPTS = 3 };

static int64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000ll + time.tv_nsec / 1000;
}

/* The port of a program that is just being started may not be there at the first call. */
static kern_return_t open_task(struct process *process) {
    kern_return_t code = KERN_FAILURE;
    for (int attempt = 0; attempt < TASK_ATTEMPTS && code != KERN_SUCCESS; attempt++) {
        struct timespec pause = {0, attempt ? 1000000 : 0};
        nanosleep(&pause, NULL);
        code = task_for_pid(mach_task_self(), process->pid, &process->task);
        log_call(code, "task_for_pid(%d) -> task=%#x", (int)process->pid, process->task);
    }
    if (code != KERN_SUCCESS)
        process->task = MACH_PORT_NULL;
    return code;
}

/* The ports come first: the stop that PT_ATTACHEXC causes is an exception already. */
int take_task(struct process *process, int32_t *stage) {
    *stage = MACH_STAGE_TASK;
    int result = kernel_error(open_task(process));
    if (result < 0)
        return result;
    *stage = MACH_STAGE_PORTS;
    result = open_exception_port(process);
    if (result < 0)
        return result;
    *stage = MACH_STAGE_PTRACE;
    result = watch_exit(process->pid);
    if (result == 0)
        result = traced_call(PT_ATTACHEXC, process->pid, 0, 0);
    if (result < 0)
        return result;
    process->traced = true;
    *stage = MACH_STAGE_STOP;
    result = await_stop(process);
    if (result == 0)
        *stage = MACH_STAGE_NONE;
    return result;
}

static struct thread *signalled(struct process *process) {
    for EACH_THREAD (thread, process)
        if (thread->unanswered && is_soft_signal(&thread->message))
            return thread;
    return NULL;
}

/* Nothing has come of the SIGSTOP: either the task is still suspended, or job control had stopped the process before,
 * which takes no SIGSTOP and tells of a SIGCONT. */
static void nudge(struct process *process) {
    resume_task(process);
    kill(process->pid, DARWIN_SIGCONT);
}

/* Until the process tells of a signal; that is SIGSTOP, unless another came first. */
int await_stop(struct process *process) {
    int64_t start = now_us();
    bool nudged = false;
    process->settling = true;
    while (!process->dead && !signalled(process) && now_us() - start < STOP_BUDGET_US) {
        collect(STEP_US);
        if (!nudged && !signalled(process) && now_us() - start > NUDGE_US) {
            nudge(process);
            nudged = true;
        }
    }
    process->settling = false;
    if (process->dead)
        return -ESRCH;
    if (!signalled(process))
        return -ETIMEDOUT;
    suspend_process(process);
    drain(0);
    refresh_threads(process);
    return 0;
}

/* The stop was our own doing: nothing of it is reported, and it goes when its thread goes on. */
static void swallow_stop(struct process *process) {
    for EACH_THREAD (thread, process) {
        bool ours = thread->event.signal == DARWIN_SIGSTOP || thread->event.signal == DARWIN_SIGCONT;
        if (ours && thread->event.kind == MACH_STOP_SIGNAL)
            thread->event.kind = 0;
    }
}

static int count_threads(const struct process *process) {
    int count = 0;
    for EACH_THREAD (thread, process)
        count++;
    return count;
}

/* What is left of a process that could not be taken over. */
static void give_up(struct process *process) {
    if (process->saved.count)
        restore_exception_ports(process);
    answer_all(process);
    if (process->traced && !process->dead)
        traced_call(PT_DETACH, process->pid, 1, 0);
    if (process->suspended)
        task_resume(process->task);
    free_process(process);
}

int mach_attach(int pid, int32_t *stage) {
    *stage = MACH_STAGE_TASK;
    if (find_process(pid))
        return -EBUSY;
    struct process *process = add_process(pid);
    if (!process)
        return -ENOMEM;
    int result = take_task(process, stage);
    if (result < 0) {
        give_up(process);
        return result;
    }
    swallow_stop(process);
    return count_threads(process);
}

/* --- letting go ------------------------------------------------------------------------ */

/* PT_DETACH is refused unless the process is in a signal stop (XNU ptrace: SSTOP). */
static int reach_signal_stop(struct process *process) {
    if (signalled(process))
        return 0;
    kill(process->pid, DARWIN_SIGSTOP);
    for EACH_THREAD (thread, process) {
        answer(thread, 0);
        hold_thread(thread, false);
    }
    process->settling = true;
    resume_task(process);
    return await_stop(process);
}

static void forget_steps(struct process *process) {
    for EACH_THREAD (thread, process) {
        set_step(thread, false);
        hold_thread(thread, false);
    }
}

int mach_detach(int pid, int stopped) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    suspend_process(process);
    if (process->stepping_over)
        leave_step_over(process->stepping_over);
    lift_traps(process);
    clear_hardware(process);
    int result = reach_signal_stop(process);
    if (result < 0 && process->dead)
        return result;
    forget_steps(process);
    answer_all(process);
    restore_exception_ports(process);
    result = traced_call(PT_DETACH, pid, 1, 0);
    if (stopped)
        kill(pid, DARWIN_SIGSTOP);
    if (process->suspended)
        task_resume(process->task);
    free_process(process);
    return result;
}

static bool await_end(struct process *process, int64_t budget_us) {
    int64_t end = now_us() + budget_us;
    while (!process->dead && now_us() < end) {
        collect(STEP_US);
        answer_all(process);
    }
    return process->dead;
}

int mach_kill(int pid) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    int result = traced_call(PT_KILL, pid, 0, 0);
    if (result < 0)
        kill(pid, DARWIN_SIGKILL);
    for EACH_THREAD (thread, process) {
        thread->deliver = 0;
        hold_thread(thread, false);
    }
    answer_all(process);
    resume_task(process);
    if (!await_end(process, STOP_BUDGET_US / 2)) {
        kill(pid, DARWIN_SIGKILL);
        if (!await_end(process, STOP_BUDGET_US / 2))
            return -ETIMEDOUT;
    }
    free_process(process);
    return 0;
}
