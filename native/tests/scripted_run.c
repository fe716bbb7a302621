/* Of the scripted kernel: what tasks do when they run. */
#define _GNU_SOURCE
#include "scripted_tasks.h"

#include <unistd.h>

#define QUANTUM 4

static void make_child(struct task *t, int event, bool shares) {
    bool thread = event == PTRACE_EVENT_CLONE && code_at(t->tid, t->registers.rip - 1) == 'C';
    pid_t tid = next_tid++;
    struct group *group = thread ? t->group : make_group(tid);
    if (!thread)
        group->parent = t->group->pid;
    struct task *child = make_task(group, tid, shares ? t->space : make_space(t->space), CHILD);
    child->traced = t->traced;
    child->options = t->options;
    child->trap_pending = true;
    child->slow = t->slow;
    if (event == PTRACE_EVENT_VFORK)
        child->parent = t;
    stop_event(t, event, (unsigned long)tid);
}

static void begin_exec(struct task *t) {
    t->state = TASK_EXECS;
    for EACH_TASK (other)
        if (other != t && other->group == t->group)
            kill_task(other, 0);
}

static void finish_exec(struct task *t) {
    struct task *leader = NULL;
    for EACH_TASK (other)
        if (other != t && other->group == t->group) {
            if (other->tid != t->group->pid || other->state != TASK_DEAD)
                return;
            leader = other;
        }
    t->former_tid = t->tid;
    if (leader)
        drop_task(leader);
    t->tid = t->group->pid;
    wake_parent(t);
    leave_space(t);
    enter_space(t, make_space(NULL));
    t->registers.rip = START;
    stop_event(t, PTRACE_EVENT_EXEC, (unsigned long)t->former_tid);
}

static void quit_group(struct task *t) {
    for EACH_TASK (other)
        if (other != t && other->group == t->group)
            kill_task(other, QUIT_CODE << 8);
    begin_exit(t, QUIT_CODE << 8);
}

static void begin_call(struct task *t) {
    uint8_t name = t->call;
    t->call = 0;
    t->registers.rax = CALL_RESULT;
    t->syscall_phase = 0;
    t->returning = true;
    switch (name) {
    case 'Y':
        break;
    case 'B':
        t->state = TASK_BLOCKS;
        break;
    case 'C':
    case 'M':
        make_child(t, PTRACE_EVENT_CLONE, true);
        break;
    case 'F':
        make_child(t, PTRACE_EVENT_FORK, false);
        break;
    case 'N':
        make_child(t, PTRACE_EVENT_FORK, true);
        break;
    case 'V':
        make_child(t, PTRACE_EVENT_VFORK, true);
        break;
    case 'A':
        begin_exec(t);
        break;
    case 'E':
        begin_exit(t, 0);
        break;
    case 'X':
        quit_group(t);
        break;
    default:
        broken(__FILE__, __LINE__, "system call %#x", name);
    }
}

static void system_call(struct task *t, uint64_t pc) {
    t->registers.orig_rax = 39;
    CHECK_EQ(code_at(t->tid, pc + 1), 5);
    t->registers.rip += CALL_SIZE;
    t->call = code_at(t->tid, pc + 2);
    if (t->request == PTRACE_SYSCALL) {
        t->syscall_phase = 1;
        stop(t, SIGTRAP | 0x80, SIGTRAP | 0x80);
    } else {
        begin_call(t);
    }
}

static void jump(struct task *t, uint64_t pc) {
    int32_t distance;
    CHECK(pread(t->space->file, &distance, sizeof distance, (off_t)pc + 1) == sizeof distance);
    t->registers.rip = pc + 5 + (uint64_t)(int64_t)distance;
}

static void execute(struct task *t) {
    uint64_t pc = t->registers.rip;
    uint8_t opcode = code_at(t->tid, pc);
    if (pc == guarded && opcode != OP_TRAP && t->request != PTRACE_SINGLESTEP && t->request != PTRACE_SYSCALL)
        slipped++;
    switch (opcode) {
    case OP_SYSCALL:
        system_call(t, pc);
        break;
    case OP_FAULT:
        raise_fault(t, SIGSEGV, SEGV_MAPERR);
        break;
    case OP_SPIN:
        break;
    case OP_JUMP:
        jump(t, pc);
        break;
    case OP_LOOP:
        t->registers.rip = START;
        break;
    case OP_TRAP:
        t->registers.rip++;
        traps_taken++;
        raise_fault(t, SIGTRAP, SI_KERNEL);
        break;
    default:
        CHECK_EQ(opcode, OP_NOP);
        t->registers.rip++;
    }
}

static bool has_signal(const struct task *t) {
    for (int i = 0; i < t->pending_count; i++)
        if (!(t->mask >> (t->pending[i].si_signo - 1) & 1))
            return true;
    return t->group->pending_count > 0;
}

/* What a thread does before it gets back to user code. True: it has stopped. */
static bool get_signal(struct task *t) {
    if (t->traced && (t->trap_pending || t->notify_pending)) {
        stop_for_trap(t);
        return true;
    }
    return stop_for_signal(t);
}

/* The end of the system call in which a PTRACE_EVENT came. */
static void finish_call(struct task *t) {
    t->returning = false;
    if (t->request == PTRACE_SINGLESTEP) {
        raise_fault(t, SIGTRAP, TRAP_BRKPT);
    } else if (t->request == PTRACE_SYSCALL) {
        t->syscall_phase = 2;
        stop(t, SIGTRAP | 0x80, SIGTRAP | 0x80);
    }
}

static void run(struct task *t) {
    for (int i = 0; i < QUANTUM && t->state == TASK_RUNS; i++) {
        if (t->returning)
            finish_call(t);
        else if (t->call)
            begin_call(t);
        else if (get_signal(t))
            return;
        else
            execute(t);
        if (!t->returning && !t->call && t->request == PTRACE_SINGLESTEP && t->state == TASK_RUNS) {
            raise_fault(t, SIGTRAP, TRAP_TRACE);
            return;
        }
    }
}

static void advance_task(struct task *t) {
    if (t->killed && t->state != TASK_DEAD && !t->exiting)
        begin_exit(t, t->exit_status);
    else if (t->killed && t->exiting && t->state == TASK_RUNS)
        become_zombie(t);
    else if (t->slow)
        return;
    else if (t->state == TASK_EXECS)
        finish_exec(t);
    else if (t->exiting && t->state == TASK_RUNS)
        become_zombie(t);
    else if (t->state == TASK_RUNS)
        run(t);
    else if (t->state == TASK_LISTENS && (t->trap_pending || t->notify_pending))
        stop_for_trap(t);
    else if (t->state == TASK_BLOCKS && (t->trap_pending || t->notify_pending || has_signal(t))) {
        t->state = TASK_RUNS;
        t->registers.rip -= CALL_SIZE; /* it is begun anew after the stop */
        t->registers.rax = (uint64_t)-513; /* ERESTARTNOINTR */
        if (t->request == PTRACE_SINGLESTEP)
            queue_fault(t, SIGTRAP, TRAP_BRKPT); /* ptrace_report_syscall_exit() */
        t->returning = false;
        get_signal(t);
    }
}

/* wait(2): a leader's death is told when its threads are gone. */
bool last_of_group(const struct task *t) {
    return t->tid != t->group->pid || t->group->members == 1;
}

void advance(void) {
    struct task *next;
    for (struct task *t = tasks; t; t = next) {
        next = t->next;
        advance_task(t);
    }
    for (struct task *t = tasks; t; t = next) {
        next = t->next;
        if (t->state == TASK_DEAD && !t->traced && last_of_group(t))
            drop_task(t);
    }
}
