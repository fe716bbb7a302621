/* Signals that come while a thread steps over a trap wait until it has: the instruction and its trap are one. The first
 * takes the place of the step's own SIGTRAP; the others are sent anew, which costs them their siginfo, and get it back
 * when they come. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

bool is_fault(int signal, const siginfo_t *info) {
    return info->si_code > 0 && (signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL);
}

void send_again(struct thread *thread, const struct deferred *deferred, int from) {
    for (int i = from; i < deferred->count; i++) {
        if (thread->resent_count < DEFERRED_MAX)
            thread->resent[thread->resent_count++] = deferred->info[i];
        kernel.tgkill(thread->group, thread->tid, deferred->info[i].si_signo);
    }
}

/* tgkill(2) tells who sent it: SI_TKILL and the sender's id. */
void restore_siginfo(struct thread *thread, int signal) {
    int found = 0;
    while (found < thread->resent_count && thread->resent[found].si_signo != signal)
        found++;
    if (found == thread->resent_count || !load_siginfo(thread) || thread->siginfo.si_code != SI_TKILL ||
        thread->siginfo.si_pid != getpid())
        return;
    thread->siginfo = thread->resent[found];
    trace(PTRACE_SETSIGINFO, thread->tid, 0, (uintptr_t)&thread->siginfo);
    memmove(&thread->resent[found], &thread->resent[found + 1],
            (size_t)(--thread->resent_count - found) * sizeof *thread->resent);
}

/* The signal that is to be delivered from where the thread stands, which is at the trap: after the step. */
void defer_delivery(struct thread *thread, struct deferred *deferred) {
    if (!thread->deliver || thread->deliver != thread->stop_signal || !load_siginfo(thread))
        return;
    deferred->info[deferred->count++] = thread->siginfo;
    thread->pass_once = thread->deliver;
    thread->deliver = 0;
}
