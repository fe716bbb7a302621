/* Of the scripted kernel: the calls that the tracer makes. */
#define _GNU_SOURCE
#include "scripted_tasks.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GET_SYSCALL_INFO 0x420e

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
