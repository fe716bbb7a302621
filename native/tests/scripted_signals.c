/* Of the scripted kernel: how tasks stop, end and get signals. */
#define _GNU_SOURCE
#include "scripted_tasks.h"

#include <string.h>

void stop(struct task *t, int status, int code) {
    if (!t->traced)
        return;
    t->state = TASK_STOPS;
    t->status = status << 8 | 0x7f;
    t->reported = false;
    t->trap_pending = false; /* ptrace_stop(): any trap clears a pending STOP trap */
    if (code) {
        t->info = (siginfo_t){.si_signo = SIGTRAP, .si_code = code};
    }
    raise(SIGCHLD);
}

void stop_event(struct task *t, int event, unsigned long message) {
    t->message = message;
    stop(t, event << 8 | SIGTRAP, event << 8 | SIGTRAP);
}

void stop_for_trap(struct task *t) {
    int number = t->group->stop_signal ? t->group->stop_signal : SIGTRAP;
    t->notify_pending = false;
    t->message = 0;
    stop(t, PTRACE_EVENT_STOP << 8 | number, PTRACE_EVENT_STOP << 8 | number);
}

void wake_parent(struct task *child) {
    struct task *parent = child->parent;
    child->parent = NULL;
    if (!parent || parent->state != TASK_SPAWNS)
        return;
    parent->state = TASK_RUNS;
    if (parent->options & PTRACE_O_TRACEVFORKDONE)
        stop_event(parent, PTRACE_EVENT_VFORK_DONE, (unsigned long)child->tid);
}

void become_zombie(struct task *t) {
    t->state = TASK_DEAD;
    wake_parent(t);
    leave_space(t);
    if (t->traced)
        raise(SIGCHLD);
}

void begin_exit(struct task *t, int status) {
    bool event = t->traced && t->options & PTRACE_O_TRACEEXIT && !t->exiting && !(t->killed && quiet_deaths);
    t->exiting = true;
    t->exit_status = status;
    if (event)
        stop_event(t, PTRACE_EVENT_EXIT, (unsigned long)status);
    else
        become_zombie(t);
}

/* SIGKILL gets through everything; in PTRACE_EVENT_EXIT it ends the stop. */
void kill_task(struct task *t, int status) {
    if (t->state == TASK_DEAD || (t->killed && !t->exiting))
        return;
    t->killed = true;
    if (!t->exiting)
        t->exit_status = status;
    else
        t->state = TASK_RUNS;
}

void kill_group(pid_t pid) {
    for EACH_TASK (t)
        if (t->group->pid == pid)
            kill_task(t, SIGKILL);
    raise(SIGCHLD);
}

void queue_signal(siginfo_t *queue, int *count, int number, int value) {
    CHECK(*count < 16);
    queue[(*count)++] = (siginfo_t){.si_signo = number, .si_code = number >= 64 ? 0 : SI_QUEUE, .si_int = value};
}

void send_signal(pid_t tid, int number, int value) {
    struct task *t = task(tid);
    if (number == SIGKILL)
        kill_group(t->group->pid);
    else
        queue_signal(t->pending, &t->pending_count, number, value);
}

struct group *find_group(pid_t pid) {
    for (struct group *group = groups; group; group = group->next)
        if (group->pid == pid)
            return group;
    return NULL;
}

void send_group(pid_t pid, int number, int value) {
    struct group *group = find_group(pid);
    CHECK(group);
    if (number == SIGKILL) {
        kill_group(pid);
        return;
    }
    if (number == SIGCONT) {
        group->stop_signal = 0;
        for EACH_TASK (t)
            if (t->group == group)
                t->notify_pending = true;
    }
    queue_signal(group->pending, &group->pending_count, number, value);
}

static bool take_signal(struct task *t, siginfo_t *queue, int *count) {
    for (int i = 0; i < *count; i++) {
        if (t->mask >> (queue[i].si_signo - 1) & 1)
            continue;
        t->info = queue[i];
        memmove(queue + i, queue + i + 1, (size_t)(--*count - i) * sizeof *queue);
        return true;
    }
    return false;
}

bool stop_for_signal(struct task *t) {
    if (!take_signal(t, t->pending, &t->pending_count) &&
        !take_signal(t, t->group->pending, &t->group->pending_count))
        return false;
    stop(t, t->info.si_signo, 0);
    return true;
}

void raise_fault(struct task *t, int number, int code) {
    t->info = (siginfo_t){.si_signo = number, .si_code = code};
    stop(t, number, 0);
}

/* A fault's signal while a stop of another kind is due: it comes right after that. */
void queue_fault(struct task *t, int number, int code) {
    CHECK(t->pending_count < 16);
    memmove(t->pending + 1, t->pending, (size_t)t->pending_count++ * sizeof *t->pending);
    t->pending[0] = (siginfo_t){.si_signo = number, .si_code = code};
}

void hit_trap_behind_interrupt(pid_t tid) {
    struct task *t = task(tid);
    CHECK_EQ(code_at(tid, t->registers.rip), OP_TRAP);
    CHECK(t->trap_pending);
    t->registers.rip++;
    traps_taken++;
    queue_fault(t, SIGTRAP, SI_KERNEL);
}

void deliver(struct task *t, int number) {
    CHECK(delivery_count < 64);
    int value = t->info.si_signo == number ? t->info.si_int : 0;
    deliveries[delivery_count++] = (struct delivered){t->tid, number, value};
    if (number == SIGSTOP || number == SIGTSTP) {
        t->group->stop_signal = number;
        for EACH_TASK (other)
            if (other->group == t->group)
                other->trap_pending = true;
    }
}

int delivered(pid_t tid, int number) {
    int count = 0;
    for (int i = 0; i < delivery_count; i++)
        count += deliveries[i].tid == tid && deliveries[i].signal == number;
    return count;
}
