/* Traps that wait behind another stop.
 *
 * A thread that has hit a breakpoint or a watchpoint, or whose step was held up by a system call, has its SIGTRAP
 * queued when it comes to kernel/signal.c, get_signal(), which makes the stop of a PTRACE_INTERRUPT first. Let go from
 * there it would die of it, and a breakpoint that is taken away meanwhile would not be known again. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <sys/ptrace.h>

#define AT_ONCE 8

static int peek(pid_t tid, uint64_t from, siginfo_t *found) {
    struct __ptrace_peeksiginfo_args which = {.off = from, .flags = 0, .nr = AT_ONCE};
    return (int)trace(PTRACE_PEEKSIGINFO, tid, (uintptr_t)&which, (uintptr_t)found);
}

/* The kernel's own: one that somebody has sent waits its turn. */
static bool trap_is_pending(pid_t tid) {
    siginfo_t found[AT_ONCE];
    int count = AT_ONCE;
    for (uint64_t from = 0; count == AT_ONCE; from += AT_ONCE) {
        count = peek(tid, from, found);
        for (int i = 0; i < count; i++)
            if (found[i].si_signo == SIGTRAP && found[i].si_code > 0)
                return true;
    }
    return false;
}

/* A step into a system call that is begun anew has not executed its instruction: its SIGTRAP is none to tell of. */
static bool goes_back_to_call(struct thread *thread) {
    return load_general(thread) && cpu_restarts_at(thread->general);
}

/* It comes before anything else does (dequeue_synchronous_signal()), and before another instruction is executed. The
 * end of a step is one like any other: lldb 23 steps many threads at once, and counts those that are told of. */
bool take_pending_trap(struct thread *thread) {
    if (!trap_is_pending(thread->tid))
        return false;
    if (thread->stepping) {
        thread->step_interrupted = goes_back_to_call(thread);
        thread->stepping = !thread->step_interrupted;
    }
    trace(PTRACE_CONT, thread->tid, 0, 0); /* ESRCH: it was killed, and its end will be waited for */
    thread->interrupt_sent = true; /* it stops by itself */
    mark_running(thread);
    return true;
}
