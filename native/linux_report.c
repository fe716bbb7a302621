/* What the server is told: the events of a stop, exits, and stops of no thread in particular. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <string.h>
#include <sys/wait.h>

void fill_event(linux_stop *stop, struct thread *thread, const struct event *event) {
    stop->pid = thread->process->pid;
    stop->tid = thread->tid;
    stop->kind = event->kind;
    heard_of_child(event);
    stop->signal = event->signal;
    stop->value = event->value;
    stop->failure = event->kind == LINUX_STOP_BREAKPOINT || event->kind == LINUX_STOP_HARDWARE ? thread->failure : 0;
    stop->failed_at = thread->failed_at;
    stop->pc = thread_pc(thread);
    stop->registers_size = thread->general_valid ? thread->general_size : 0;
    memcpy(stop->registers, thread->general, sizeof thread->general);
}

static void fill_exit(linux_stop *stop, const struct process *process) {
    int status = process->exit_status;
    memset(stop, 0, sizeof *stop);
    stop->pid = stop->tid = process->pid;
    stop->kind = WIFSIGNALED(status) ? LINUX_STOP_KILLED : LINUX_STOP_EXITED;
    stop->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    stop->value = WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : 0;
}

static struct thread *first_event(void) {
    struct thread *first = NULL;
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process)
            if (thread->event.kind && (!first || thread->event.sequence < first->event.sequence))
                first = thread;
    return first;
}

bool have_events(void) {
    if (tracer.interrupt_requested || first_event())
        return true;
    for EACH_PROCESS (process)
        if (process->dead)
            return true;
    return false;
}

int take_exits(linux_stop *stops, int max) {
    int count = 0;
    struct process *next;
    for (struct process *process = tracer.processes; process && count < max; process = next) {
        next = process->next;
        if (!process->dead || process->announcer)
            continue;
        fill_exit(&stops[count++], process);
        free_process(process);
    }
    if (count)
        release_followed();
    return count;
}

/* Whether the kernel has the thread stopped: one that SIGKILL or an exit_group of another thread has woken is on its
 * way to its end, and refuses requests (ptrace_check_attach) until it reports that. */
static bool stands(const struct thread *thread) {
    unsigned long message;
    return thread->state == THREAD_STOPPED && !trace(PTRACE_GETEVENTMSG, thread->tid, 0, (uintptr_t)&message);
}

/* What was resumed has ended, what was not stays stopped: nothing will ever happen. */
bool none_resumed(void) {
    if (!tracer.awaited || tracer.running)
        return false;
    for EACH_PROCESS (process)
        if (process->live && !process->silent)
            for EACH_THREAD (thread, process)
                if (stands(thread))
                    return true;
    return false;
}

/* How well a thread stands for all: the client has resumed it, it is of the preferred process, it is the preferred one.
 * 0: it is not to be shown. */
static int suits(const struct thread *thread, const struct process *preferred) {
    if (thread->process->silent || thread->state == THREAD_EXITING)
        return 0;
    return 1 + 4 * thread->resumed + 2 * (thread->process == preferred) + (thread->tid == tracer.interrupt_tid);
}

/* An event of no thread in particular. */
int take_general(linux_stop *stops, int kind) {
    struct event event = {kind, 0, 0, 0};
    const struct process *preferred = find_process(tracer.interrupt_tid);
    struct thread *thread = NULL;
    for EACH_PROCESS (process)
        for EACH_THREAD (other, process)
            if (suits(other, preferred) > (thread ? suits(thread, preferred) : 0))
                thread = other;
    if (!thread)
        return 0;
    fill_event(stops, thread, &event);
    return 1;
}

int take_events(linux_stop *stops, int max) {
    int count = take_exits(stops, max);
    struct thread *thread;
    while (count < max && (thread = first_event())) {
        fill_event(&stops[count++], thread, &thread->event);
        thread->event.kind = 0;
    }
    count += take_exits(stops + count, max - count); /* of those whose beginning has just been told */
    if (!count && tracer.interrupt_requested)
        count = take_general(stops, LINUX_STOP_INTERRUPT);
    if (!count && none_resumed())
        count = take_general(stops, LINUX_STOP_NONE_RESUMED);
    tracer.awaited &= count == 0;
    return count;
}
