/* System calls made in the target: mprotect and mmap for the simulated address space.
 *
 * The instruction is one of the vdso's, so that no code page is touched. All signals are blocked meanwhile, and
 * orig_rax -1 keeps Linux from restarting the call the thread was in. */
#define MACOS_SIM_KERNEL
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "kernel.h"

#ifndef PTRACE_GETSIGMASK
#define PTRACE_GETSIGMASK 0x420a
#define PTRACE_SETSIGMASK 0x420b
#endif
enum { MASK_SIZE = 8, VDSO_MAX = 16384, ATTEMPTS = 8 };

static uint64_t find_vdso(pid_t pid) {
    char path[64], line[512];
    unsigned long start = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strstr(line, "[vdso]") && sscanf(line, "%lx", &start) == 1)
            break;
    if (file)
        fclose(file);
    return start;
}

static uint64_t find_syscall(pid_t pid) {
    uint64_t start = find_vdso(pid);
    uint8_t code[VDSO_MAX];
    struct iovec local = {code, sizeof code}, remote = {(void *)(uintptr_t)start, sizeof code};
    ssize_t got = start ? process_vm_readv(pid, &local, 1, &remote, 1, 0) : -1;
    if (got < 0 && start) {
        local.iov_len = remote.iov_len = 4096;
        got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    }
    for (ssize_t i = 0; i + 1 < got; i++)
        if (code[i] == 0x0f && code[i + 1] == 0x05)
            return start + (uint64_t)i;
    return 0;
}

/* Steps until the call is done; stops for other reasons (a PTRACE_INTERRUPT under way) are stepped past. */
static bool run_call(struct sim_thread *thread, uint64_t instruction, struct user_regs_struct *registers) {
    for (int i = 0; i < ATTEMPTS; i++) {
        int status;
        if (ptrace(PTRACE_SINGLESTEP, thread->tid, NULL, 0L) < 0 ||
            waitpid(thread->tid, &status, __WALL) != thread->tid || !WIFSTOPPED(status) ||
            ptrace(PTRACE_GETREGS, thread->tid, NULL, registers) < 0)
            return false;
        if (registers->rip == instruction + 2)
            return true;
    }
    return false;
}

static int64_t call_in(struct sim_thread *thread, uint64_t instruction, long number, const uint64_t arguments[6]) {
    struct user_regs_struct saved, registers;
    siginfo_t info;
    uint64_t mask, all = ~0ull;
    bool has_info = ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info) == 0;
    if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &saved) < 0 ||
        ptrace(PTRACE_GETSIGMASK, thread->tid, (void *)MASK_SIZE, &mask) < 0)
        return -ESRCH;
    registers = saved;
    registers.rip = instruction;
    registers.rax = (unsigned long)number;
    registers.orig_rax = ~0ull;
    registers.rdi = arguments[0];
    registers.rsi = arguments[1];
    registers.rdx = arguments[2];
    registers.r10 = arguments[3];
    registers.r8 = arguments[4];
    registers.r9 = arguments[5];
    registers.eflags &= ~0x100ul;
    ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)MASK_SIZE, &all);
    ptrace(PTRACE_SETREGS, thread->tid, NULL, &registers);
    int64_t result = run_call(thread, instruction, &registers) ? (int64_t)registers.rax : -ESRCH;
    ptrace(PTRACE_SETREGS, thread->tid, NULL, &saved);
    ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)MASK_SIZE, &mask);
    if (has_info)
        ptrace(PTRACE_SETSIGINFO, thread->tid, NULL, &info);
    return result;
}

int64_t sim_remote_call(struct sim_task *task, long number, const uint64_t arguments[6]) {
    struct sim_thread *thread = sim_borrow(task);
    uint64_t instruction = thread ? find_syscall(thread->tid) : 0;
    if (!instruction)
        return -ESRCH;
    int64_t result = call_in(thread, instruction, number, arguments);
    sim_give_back(task);
    return result;
}
