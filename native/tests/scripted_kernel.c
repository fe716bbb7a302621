/* The scripted kernel, see the header. References: ptrace(2), kernel/signal.c, kernel/ptrace.c, fs/exec.c. */
#define _GNU_SOURCE
#include "scripted_kernel.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif
#define GET_SYSCALL_INFO 0x420e
#define SPACE_SIZE 0x2000
#define QUANTUM 4

static struct task *tasks;
static struct group *groups;
bool youngest_first, quiet_deaths;
uint64_t padding_start, padding_end;
pid_t next_tid = PID + 1000;
void (*before_ptrace)(long request, pid_t tid);
int fail_at, ptrace_calls;
struct delivered deliveries[64];
int delivery_count;
uint64_t guarded;
int slipped, traps_taken;
int requests[0x10000];
char where[80];

#define EACH_TASK(t) (struct task *t = tasks; t; t = t->next)

void broken(const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: %s ", file, line, where);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    for EACH_TASK (t)
        fprintf(stderr, "  thread %d of %d: state %d reported %d status %#x pc %#llx slow %d killed %d\n", (int)t->tid,
                (int)t->group->pid, t->state, t->reported, t->status, t->registers.rip, t->slow, t->killed);
    _exit(1);
}

void check_equal(const char *file, int line, const char *what, long left, long right) {
    if (left != right)
        broken(file, line, "%s is %ld, not %ld", what, left, right);
}

/* --- tasks ------------------------------------------------------------------ */

static struct space *make_space(const struct space *copied) {
    struct space *space = calloc(1, sizeof *space);
    char bytes[SPACE_SIZE];
    memset(bytes, OP_SPIN, sizeof bytes);
    space->file = memfd_create("memory", MFD_CLOEXEC);
    CHECK(space->file >= 0);
    if (copied)
        CHECK(pread(copied->file, bytes, sizeof bytes, 0) == SPACE_SIZE);
    CHECK(pwrite(space->file, bytes, sizeof bytes, 0) == SPACE_SIZE);
    return space;
}

static void leave_space(struct task *t) {
    if (t->space && --t->space->users == 0) {
        close(t->space->file);
        free(t->space);
    }
    t->space = NULL;
}

static void enter_space(struct task *t, struct space *space) {
    t->space = space;
    space->users++;
}

static struct group *make_group(pid_t pid) {
    struct group *group = calloc(1, sizeof *group);
    group->pid = pid;
    group->next = groups;
    groups = group;
    return group;
}

static struct task *make_task(struct group *group, pid_t tid, struct space *space, uint64_t pc) {
    struct task *t = calloc(1, sizeof *t), **link = &tasks;
    while (*link)
        link = &(*link)->next;
    *link = t;
    t->tid = tid;
    t->group = group;
    group->members++;
    enter_space(t, space);
    t->registers.rip = pc;
    t->registers.orig_rax = ~0ull;
    t->registers.cs = 0x33;
    return t;
}

static void drop_task(struct task *t) {
    struct task **link = &tasks;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    leave_space(t);
    if (--t->group->members == 0) {
        struct group **where = &groups;
        while (*where != t->group)
            where = &(*where)->next;
        *where = t->group->next;
        free(t->group);
    }
    for EACH_TASK (other)
        if (other->parent == t)
            other->parent = NULL;
    free(t);
}

struct task *find_task(pid_t tid) {
    for EACH_TASK (t)
        if (t->tid == tid)
            return t;
    return NULL;
}

struct task *task(pid_t tid) {
    struct task *t = find_task(tid);
    if (!t)
        broken(__FILE__, __LINE__, "thread %d is gone", (int)tid);
    return t;
}

struct task *make_process(pid_t pid, int count) {
    struct group *group = make_group(pid);
    struct space *space = make_space(NULL);
    for (int i = 0; i < count; i++)
        make_task(group, pid + i, space, START);
    return task(pid);
}

void put_code(pid_t tid, uint64_t address, const char *code, int size) {
    CHECK(pwrite(task(tid)->space->file, code, (size_t)size, (off_t)address) == size);
}

uint8_t code_at(pid_t tid, uint64_t address) {
    uint8_t byte = 0;
    CHECK(pread(task(tid)->space->file, &byte, 1, (off_t)address) == 1);
    return byte;
}

int forget_tasks(void) {
    int traced = 0;
    while (tasks) {
        traced += tasks->traced;
        drop_task(tasks);
    }
    return traced;
}

int list_tasks(pid_t pid, pid_t *tids, int max) {
    int count = 0;
    for EACH_TASK (t)
        if (t->group->pid == pid && count < max)
            tids[count++] = t->tid;
    return count;
}

/* --- stopping and dying ------------------------------------------------------- */

static void stop(struct task *t, int status, int code) {
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

static void stop_event(struct task *t, int event, unsigned long message) {
    t->message = message;
    stop(t, event << 8 | SIGTRAP, event << 8 | SIGTRAP);
}

static void stop_for_trap(struct task *t) {
    int number = t->group->stop_signal ? t->group->stop_signal : SIGTRAP;
    t->notify_pending = false;
    t->message = 0;
    stop(t, PTRACE_EVENT_STOP << 8 | number, PTRACE_EVENT_STOP << 8 | number);
}

static void wake_parent(struct task *child) {
    struct task *parent = child->parent;
    child->parent = NULL;
    if (!parent || parent->state != TASK_SPAWNS)
        return;
    parent->state = TASK_RUNS;
    if (parent->options & PTRACE_O_TRACEVFORKDONE)
        stop_event(parent, PTRACE_EVENT_VFORK_DONE, (unsigned long)child->tid);
}

static void become_zombie(struct task *t) {
    t->state = TASK_DEAD;
    wake_parent(t);
    leave_space(t);
    if (t->traced)
        raise(SIGCHLD);
}

static void begin_exit(struct task *t, int status) {
    bool event = t->traced && t->options & PTRACE_O_TRACEEXIT && !t->exiting && !(t->killed && quiet_deaths);
    t->exiting = true;
    t->exit_status = status;
    if (event)
        stop_event(t, PTRACE_EVENT_EXIT, (unsigned long)status);
    else
        become_zombie(t);
}

/* SIGKILL gets through everything; in PTRACE_EVENT_EXIT it ends the stop. */
static void kill_task(struct task *t, int status) {
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

static void queue_signal(siginfo_t *queue, int *count, int number, int value) {
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

static struct group *find_group(pid_t pid) {
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

static bool stop_for_signal(struct task *t) {
    if (!take_signal(t, t->pending, &t->pending_count) &&
        !take_signal(t, t->group->pending, &t->group->pending_count))
        return false;
    stop(t, t->info.si_signo, 0);
    return true;
}

static void raise_fault(struct task *t, int number, int code) {
    t->info = (siginfo_t){.si_signo = number, .si_code = code};
    stop(t, number, 0);
}

/* A fault's signal while a stop of another kind is due: it comes right after that. */
static void queue_fault(struct task *t, int number, int code) {
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

static void deliver(struct task *t, int number) {
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

/* --- new tasks, new programs ---------------------------------------------------- */

static void make_child(struct task *t, int event) {
    bool thread = event == PTRACE_EVENT_CLONE && code_at(t->tid, t->registers.rip - 1) == 'C';
    bool shares = event != PTRACE_EVENT_FORK;
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

/* --- running ---------------------------------------------------------------------- */

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
        make_child(t, PTRACE_EVENT_CLONE);
        break;
    case 'F':
        make_child(t, PTRACE_EVENT_FORK);
        break;
    case 'V':
        make_child(t, PTRACE_EVENT_VFORK);
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
        if (t->request == PTRACE_SINGLESTEP)
            queue_fault(t, SIGTRAP, TRAP_BRKPT); /* ptrace_report_syscall_exit() */
        t->returning = false;
        get_signal(t);
    }
}

/* wait(2): a leader's death is told when its threads are gone. */
static bool last_of_group(const struct task *t) {
    return t->tid != t->group->pid || t->group->members == 1;
}

static void advance(void) {
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

/* --- the calls ------------------------------------------------------------------------ */

static bool waitable(const struct task *t, pid_t wanted) {
    if (!t->traced || (wanted >= 0 && t->tid != wanted))
        return false;
    return t->state == TASK_STOPS ? !t->reported : t->state == TASK_DEAD && last_of_group(t);
}

static struct task *find_waitable(pid_t wanted) {
    struct task *found = NULL;
    for EACH_TASK (t)
        if (waitable(t, wanted) && (!found || youngest_first))
            found = t;
    return found;
}

static bool any_traced(pid_t wanted) {
    for EACH_TASK (t)
        if (t->traced && (wanted < 0 || t->tid == wanted))
            return true;
    return false;
}

static pid_t scripted_waitpid(pid_t tid, int *status, int options) {
    struct task *t = NULL;
    /* Enough for every thread to run, stop, exit and let another one's execve through. */
    for (int round = 0; round < (options & WNOHANG ? 1 : 16) && !t; round++) {
        advance();
        if (!any_traced(tid))
            return -ECHILD;
        t = find_waitable(tid);
    }
    if (!t && options & WNOHANG)
        return 0;
    if (!t)
        broken(__FILE__, __LINE__, "waitpid(%d) blocks for ever", (int)tid);
    pid_t got = t->tid;
    *status = t->state == TASK_DEAD ? t->exit_status : t->status;
    t->reported = true;
    if (t->state == TASK_DEAD)
        drop_task(t);
    return got;
}

static pid_t scripted_await(pid_t tid, int *status) {
    return scripted_waitpid(tid, status, __WALL | WNOHANG);
}

static long let_go(struct task *t, long request, int number) {
    bool signal_stop = !(t->status >> 16) && !(t->status >> 8 & 0x80);
    bool trap_stop = t->status >> 16 == PTRACE_EVENT_STOP;
    CHECK(number >= 0 && number <= 64);
    if (request == PTRACE_LISTEN && !trap_stop)
        return -EIO;
    if (number && !signal_stop && t->syscall_phase == 0 && !t->exiting)
        broken(__FILE__, __LINE__, "signal %d given to thread %d where it is lost", number, (int)t->tid);
    if (number && t->syscall_phase)
        queue_signal(t->pending, &t->pending_count, number, 0);
    else if (number)
        deliver(t, number);
    if (t->syscall_phase == 2)
        t->syscall_phase = 0;
    t->request = request;
    t->state = request == PTRACE_LISTEN ? TASK_LISTENS : TASK_RUNS;
    if (t->status >> 16 == PTRACE_EVENT_VFORK)
        for EACH_TASK (child)
            if (child->parent == t)
                t->state = TASK_SPAWNS;
    if (request == PTRACE_DETACH) {
        t->traced = false;
        t->trap_pending = t->notify_pending = false;
        memset(&t->debug, 0, sizeof t->debug);
    }
    return 0;
}

static long user_word(struct task *t, long request, uintptr_t offset, void *data) {
    if (request == PTRACE_PEEKUSER && offset == offsetof(struct user, regs.rip)) {
        *(uint64_t *)data = t->registers.rip;
        return 0;
    }
    size_t index = (offset - offsetof(struct user, u_debugreg)) / 8;
    CHECK(offset >= offsetof(struct user, u_debugreg) && index < 8);
    if (request == PTRACE_PEEKUSER)
        *(uint64_t *)data = t->debug[index];
    else
        t->debug[index] = (uintptr_t)data;
    return 0;
}

static long word(struct task *t, long request, uintptr_t address, void *data) {
    uint64_t value = (uintptr_t)data;
    if (request == PTRACE_PEEKDATA)
        return pread(t->space->file, data, 8, (off_t)address) == 8 ? 0 : -EIO;
    return pwrite(t->space->file, &value, 8, (off_t)address) == 8 ? 0 : -EIO;
}

static long syscall_info(const struct task *t, uint8_t *data) {
    *data = (uint8_t)t->syscall_phase;
    return 88;
}

static long peek_signals(const struct task *t, const struct __ptrace_peeksiginfo_args *which, siginfo_t *found) {
    int count = 0;
    for (int i = (int)which->off; i < t->pending_count && count < which->nr; i++)
        found[count++] = t->pending[i];
    return count;
}

static long inspect(struct task *t, long request, uintptr_t address, void *data) {
    switch (request) {
    case PTRACE_GETEVENTMSG:
        *(unsigned long *)data = t->message;
        return 0;
    case PTRACE_GETSIGINFO:
        memcpy(data, &t->info, sizeof t->info);
        return 0;
    case PTRACE_PEEKSIGINFO:
        return peek_signals(t, (const void *)address, data);
    case PTRACE_SETSIGINFO:
        memcpy(&t->info, data, sizeof t->info);
        return 0;
    case PTRACE_GETREGS:
        memcpy(data, &t->registers, sizeof t->registers);
        return 0;
    case PTRACE_SETREGS:
        memcpy(&t->registers, data, sizeof t->registers);
        return 0;
    case PTRACE_PEEKUSER:
    case PTRACE_POKEUSER:
        return user_word(t, request, address, data);
    case PTRACE_PEEKDATA:
    case PTRACE_POKEDATA:
        return word(t, request, address, data);
    case PTRACE_GETSIGMASK:
        memcpy(data, &t->mask, sizeof t->mask);
        return 0;
    case PTRACE_SETSIGMASK:
        memcpy(&t->mask, data, sizeof t->mask);
        return 0;
    case GET_SYSCALL_INFO:
        return syscall_info(t, data);
    default:
        broken(__FILE__, __LINE__, "ptrace request %#lx", request);
    }
}

static long seize_task(struct task *t, unsigned long options) {
    if (t->state == TASK_DEAD || t->traced)
        return -EPERM;
    t->traced = true;
    t->options = options;
    t->trap_pending = t->group->stop_signal != 0; /* ptrace_attach(): a stopped one traps at once */
    return 0;
}

static long scripted_ptrace(long request, pid_t tid, void *address, void *data) {
    requests[request & 0xffff]++;
    if (before_ptrace)
        before_ptrace(request, tid);
    struct task *t = find_task(tid);
    if (++ptrace_calls == fail_at && t)
        kill_group(t->group->pid);
    if (!t || (t->killed && !t->exiting))
        return -ESRCH;
    if (request == PTRACE_SEIZE)
        return seize_task(t, (unsigned long)data);
    if (!t->traced || t->state == TASK_DEAD)
        return -ESRCH;
    if (request == PTRACE_INTERRUPT) {
        t->trap_pending = !t->exiting;
        return 0;
    }
    if (t->state != TASK_STOPS)
        return -ESRCH;
    if (request == PTRACE_CONT || request == PTRACE_SINGLESTEP || request == PTRACE_SYSCALL ||
        request == PTRACE_DETACH || request == PTRACE_LISTEN)
        return let_go(t, request, (int)(uintptr_t)data);
    return inspect(t, request, (uintptr_t)address, data);
}

static int scripted_kill(pid_t pid, int number) {
    if (!find_group(pid))
        return -ESRCH;
    send_group(pid, number, 0);
    return 0;
}

static int scripted_tgkill(pid_t pid, pid_t tid, int number) {
    struct task *t = find_task(tid);
    if (!t || t->group->pid != pid)
        return -ESRCH;
    send_signal(tid, number, 0);
    if (t->pending_count) {
        t->pending[t->pending_count - 1].si_code = SI_TKILL;
        t->pending[t->pending_count - 1].si_pid = getpid();
    }
    return 0;
}

static ssize_t scripted_vm_readv(pid_t pid, const struct iovec *local, const struct iovec *remote) {
    struct task *t = find_task(pid);
    if (!t || !t->space)
        return -ESRCH;
    ssize_t done = pread(t->space->file, local->iov_base, local->iov_len, (off_t)(uintptr_t)remote->iov_base);
    return done > 0 ? done : -EFAULT;
}

/* Code pages are not writable. */
static ssize_t scripted_vm_writev(pid_t pid, const struct iovec *local, const struct iovec *remote) {
    (void)local;
    (void)remote;
    return find_task(pid) ? -EFAULT : -ESRCH;
}

static bool scripted_find_padding(pid_t pid, uint64_t address, uint64_t *start, uint64_t *end) {
    (void)pid;
    (void)address;
    *start = padding_start;
    *end = padding_end;
    return padding_end > padding_start;
}

static bool scripted_same_memory(pid_t one, pid_t other) {
    struct task *first = find_task(one), *second = find_task(other);
    return first && second && first->space && first->space == second->space;
}

void start_kernel(void) {
    kernel = (struct kernel){
        .ptrace = scripted_ptrace,
        .waitpid = scripted_waitpid,
        .await = scripted_await,
        .tgkill = scripted_tgkill,
        .kill = scripted_kill,
        .vm_readv = scripted_vm_readv,
        .vm_writev = scripted_vm_writev,
        .same_memory = scripted_same_memory,
        .find_padding = scripted_find_padding,
    };
    CHECK(linux_open() >= 0);
}
