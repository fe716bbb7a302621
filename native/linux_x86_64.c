/* What the tracer must know of the x86-64 CPU. A port to another CPU writes
 * one file like this one. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#if !defined(__x86_64__)
#error "a Linux port to this CPU needs its own linux_<cpu>.c"
#endif

#include <cpuid.h>
#include <string.h>
#include <sys/user.h>

static struct user_regs_struct *user(uint8_t *general) {
    return (struct user_regs_struct *)general;
}

static const struct user_regs_struct *const_user(const uint8_t *general) {
    return (const struct user_regs_struct *)general;
}

uint64_t cpu_pc(const uint8_t *general) {
    return const_user(general)->rip;
}

void cpu_set_pc(uint8_t *general, uint64_t pc) {
    user(general)->rip = pc;
}

uint64_t cpu_syscall_number(const uint8_t *general) {
    return const_user(general)->orig_rax;
}

void cpu_prepare_syscall(uint8_t *general, uint64_t instruction, uint64_t number, const uint64_t *arguments) {
    struct user_regs_struct *regs = user(general);
    regs->rip = instruction;
    regs->rax = number;
    /* -1: the kernel must not restart the system call that this stop interrupted. */
    regs->orig_rax = (unsigned long long)-1;
    regs->rdi = arguments[0];
    regs->rsi = arguments[1];
    regs->rdx = arguments[2];
    regs->r10 = arguments[3];
    regs->r8 = arguments[4];
    regs->r9 = arguments[5];
}

/* SYSCALL and SYSENTER are 0f 05 and 0f 34, INT 80h is cd 80. */
bool cpu_may_be_syscall(uint8_t first_byte) {
    return first_byte == 0x0f || first_byte == 0xcd;
}

bool cpu_is_syscall(const uint8_t *instruction) {
    return instruction[0] == 0x0f ? instruction[1] == 0x05 || instruction[1] == 0x34
                                  : instruction[0] == 0xcd && instruction[1] == 0x80;
}

int64_t cpu_syscall_result(const uint8_t *general) {
    return (int64_t)const_user(general)->rax;
}

/* arch/x86/kernel/traps.c: int3 raises SIGTRAP with SI_KERNEL, a debug
 * exception with TRAP_TRACE, TRAP_BRKPT (single step out of a system call) or
 * TRAP_HWBKPT. */
bool cpu_is_trap_instruction(const siginfo_t *info) {
    return info->si_code == SI_KERNEL;
}

bool cpu_may_be_debug_register(const siginfo_t *info) {
    return info->si_code == TRAP_HWBKPT || info->si_code == TRAP_TRACE;
}

#define DEBUG_REGISTER(n) (offsetof(struct user, u_debugreg) + (n) * sizeof(uint64_t))

/* The enabled debug registers that DR6 names: the lowest, and all of them as bits 8 to 11; -1: none. DR6 is cleared:
 * the CPU only ever sets its bits. */
int cpu_debug_register_hit(struct thread *thread) {
    uint64_t status = 0;
    if (trace(PTRACE_PEEKUSER, thread->tid, DEBUG_REGISTER(6), (uintptr_t)&status) < 0)
        return -1;
    int hit = -1, all = 0;
    for (int slot = 3; slot >= 0; slot--)
        if (status & (1u << slot) && thread->process->debug.control & (3ull << (2 * slot))) {
            hit = slot;
            all |= 1 << (8 + slot);
        }
    if (status & 0xf)
        trace(PTRACE_POKEUSER, thread->tid, DEBUG_REGISTER(6), 0);
    return hit < 0 ? hit : hit | all;
}

bool cpu_write_debug_registers(struct thread *thread, const struct debug_registers *debug) {
    /* The kernel checks address and length together when DR7 enables a slot: all off, addresses, on. */
    if (trace(PTRACE_POKEUSER, thread->tid, DEBUG_REGISTER(7), 0) < 0)
        return false;
    for (int slot = 0; slot < 4; slot++)
        if (debug->control & (3ull << (2 * slot)) &&
            trace(PTRACE_POKEUSER, thread->tid, DEBUG_REGISTER(slot), debug->address[slot]) < 0)
            return false;
    return !debug->control || trace(PTRACE_POKEUSER, thread->tid, DEBUG_REGISTER(7), debug->control) == 0;
}

void linux_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t *registers) {
    __cpuid_count(leaf, subleaf, registers[0], registers[1], registers[2], registers[3]);
}
