/* One system call run by a stopped thread on our behalf, from a `syscall`
 * instruction that is there already: no code page is touched. Registers,
 * signal mask, siginfo and a pending system call restart are as before. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

static long set_general(struct thread *thread, uint8_t *general) {
    struct iovec vector = {general, (size_t)thread->general_size};
    thread->general_valid = false;
    return trace(PTRACE_SETREGSET, thread->tid, NT_PRSTATUS, (uintptr_t)&vector);
}

/* True when the injected instruction has been executed. With every signal blocked only a PTRACE_INTERRUPT
 * left over from before, or death, can come instead. */
static bool step(struct thread *thread) {
    int status;
    do {
        if (trace(PTRACE_SINGLESTEP, thread->tid, 0, 0) < 0 || !wait_for(thread, &status))
            return false;
        if (!WIFSTOPPED(status)) {
            handle_status(thread, status);
            return false;
        }
    } while (status >> 16);
    return true;
}

int linux_inject_syscall(int tid, uint64_t instruction, uint64_t number, const uint64_t *arguments, int64_t *result) {
    struct thread *thread = find_thread(tid);
    if (!thread || !thread->process)
        return -ESRCH;
    if (thread->state != THREAD_STOPPED || thread->in_kernel)
        return -EBUSY;
    if (!load_general(thread))
        return -ESRCH;
    uint64_t mask, all = ~0ull;
    uint8_t saved[GENERAL_MAX], call[GENERAL_MAX];
    siginfo_t info;
    bool has_info = thread->stop_signal && trace(PTRACE_GETSIGINFO, tid, 0, (uintptr_t)&info) == 0;
    memcpy(saved, thread->general, sizeof saved);
    memcpy(call, saved, sizeof call);
    cpu_prepare_syscall(call, instruction, number, arguments);
    if (trace(PTRACE_GETSIGMASK, tid, sizeof mask, (uintptr_t)&mask) < 0 || set_general(thread, call) < 0)
        return -ESRCH;
    trace(PTRACE_SETSIGMASK, tid, sizeof all, (uintptr_t)&all);
    if (!step(thread))
        return -ESRCH;
    bool read = load_general(thread);
    *result = read ? cpu_syscall_result(thread->general) : -ESRCH;
    set_general(thread, saved);
    trace(PTRACE_SETSIGMASK, tid, sizeof mask, (uintptr_t)&mask);
    thread->injectable = true; /* the step's SIGTRAP is a signal-delivery-stop */
    if (has_info)
        trace(PTRACE_SETSIGINFO, tid, 0, (uintptr_t)&info);
    thread->siginfo_valid = false;
    return read ? 0 : -ESRCH;
}
