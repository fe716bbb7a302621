/* Register sets, siginfo and debug registers of stopped threads. The general
 * set is kept until the thread runs. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

static long regset(long request, pid_t tid, int type, void *buffer, size_t *size) {
    struct iovec vector = {buffer, *size};
    long result = trace(request, tid, (uintptr_t)type, (uintptr_t)&vector);
    *size = vector.iov_len;
    return result;
}

bool load_general(struct thread *thread) {
    if (thread->general_valid)
        return true;
    thread->general_size = cpu_read_general(thread->tid, thread->general);
    if (thread->general_size < 0)
        return false;
    return thread->general_valid = true;
}

uint64_t thread_pc(struct thread *thread) {
    return load_general(thread) ? cpu_pc(thread->general) : 0;
}

uint64_t peek_pc(struct thread *thread) {
    uint64_t pc = 0;
    if (thread->general_valid)
        return cpu_pc(thread->general);
    return cpu_peek_pc(thread->tid, &pc) < 0 ? 0 : pc;
}

void set_thread_pc(struct thread *thread, uint64_t pc) {
    if (!load_general(thread))
        return;
    cpu_set_pc(thread->general, pc);
    cpu_write_general(thread->tid, thread->general);
}

bool load_siginfo(struct thread *thread) {
    if (!thread->siginfo_valid)
        thread->siginfo_valid = trace(PTRACE_GETSIGINFO, thread->tid, 0, (uintptr_t)&thread->siginfo) == 0;
    return thread->siginfo_valid;
}

/* The stopped thread `tid`, or NULL with *error set. */
static struct thread *stopped(int tid, int *error) {
    struct thread *thread = find_thread(tid);
    *error = !thread || !thread->process ? -ESRCH : -EBUSY;
    return thread && thread->process && thread->state == THREAD_STOPPED ? thread : NULL;
}

/* The register set that was read last. A stopped thread's registers change by a request of its tracer only (ptrace(2)),
 * so that it holds until there is one that does more than read: trace() says so. */
static struct {
    pid_t tid; /* 0: none */
    int type;
    size_t size;
    uint8_t data[4096];
} last;

void forget_regset(void) {
    last.tid = 0;
}

static int read_kept(pid_t tid, int type, void *buffer, size_t size) {
    size_t got = size;
    if (last.tid == tid && last.type == type && last.size == size) {
        memcpy(buffer, last.data, size);
        return (int)size;
    }
    long result = regset(PTRACE_GETREGSET, tid, type, buffer, &got);
    if (result < 0)
        return (int)result;
    if (got == size && size <= sizeof last.data) {
        last.tid = tid;
        last.type = type;
        last.size = size;
        memcpy(last.data, buffer, size);
    }
    return (int)got;
}

int linux_read_regset(int tid, int type, uint8_t *buffer, int size) {
    int error;
    struct thread *thread = stopped(tid, &error);
    if (!thread)
        return error;
    if (type == NT_PRSTATUS) {
        if (!load_general(thread))
            return -ESRCH;
        if (size > thread->general_size)
            size = thread->general_size;
        memcpy(buffer, thread->general, (size_t)size);
        return size;
    }
    return read_kept(tid, type, buffer, (size_t)size);
}

int linux_write_regset(int tid, int type, const uint8_t *buffer, int size) {
    int error;
    struct thread *thread = stopped(tid, &error);
    if (!thread)
        return error;
    size_t length = (size_t)size;
    if (type != NT_PRSTATUS) {
        long result = regset(PTRACE_SETREGSET, tid, type, (void *)buffer, &length);
        return result < 0 ? (int)result : (int)length;
    }
    if (!load_general(thread) || size != thread->general_size)
        return size == thread->general_size ? -ESRCH : -EINVAL;
    long result = cpu_write_general(tid, buffer);
    thread->general_valid = false; /* the kernel may have changed what it was given */
    thread->restarts_at = 0;
    if (cpu_pc(buffer) != thread->trap_address)
        thread->at_trap = false;
    return result < 0 ? (int)result : size;
}

int linux_read_siginfo(int tid, uint8_t *buffer) {
    int error;
    struct thread *thread = stopped(tid, &error);
    if (!thread)
        return error;
    if (!load_siginfo(thread))
        return -EINVAL;
    memcpy(buffer, &thread->siginfo, SIGINFO_SIZE);
    return SIGINFO_SIZE;
}

int linux_write_siginfo(int tid, const uint8_t *buffer) {
    int error;
    struct thread *thread = stopped(tid, &error);
    if (!thread)
        return error;
    thread->siginfo_valid = false;
    long result = trace(PTRACE_SETSIGINFO, tid, 0, (uintptr_t)buffer);
    return result < 0 ? (int)result : SIGINFO_SIZE;
}

int linux_set_debug_registers(int pid, const uint64_t *addresses, uint64_t control) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    memcpy(process->debug.address, addresses, sizeof process->debug.address);
    process->debug.control = control;
    process->debug.generation++;
    if (tracer.scope)
        interrupt_process(process);
    return 0;
}
