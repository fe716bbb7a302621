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

/* PTRACE_GETREGS gives a 64-bit tracer the 64-bit structure whatever mode the thread is in (arch/x86/kernel/ptrace.c,
 * arch_ptrace); PTRACE_GETREGSET goes by the code segment of the moment, so that its layout may change at any step. */
int cpu_read_general(pid_t tid, uint8_t *general) {
    long result = trace(PTRACE_GETREGS, tid, 0, (uintptr_t)general);
    return result < 0 ? (int)result : (int)sizeof(struct user_regs_struct);
}

/* arch/x86/kernel/signal.c takes -ERESTART* out of the whole of rax (syscall_get_error), unless the thread is still in
 * a 32-bit call. Who writes eax writes its low half. */
#define CODE_SEGMENT_32 0x23

long cpu_write_general(pid_t tid, const uint8_t *general) {
    struct user_regs_struct regs = *const_user(general);
    if (regs.cs == CODE_SEGMENT_32)
        regs.rax = (unsigned long long)(int32_t)regs.rax;
    return trace(PTRACE_SETREGS, tid, 0, (uintptr_t)&regs);
}

uint64_t cpu_pc(const uint8_t *general) {
    return const_user(general)->rip;
}

long cpu_peek_pc(pid_t tid, uint64_t *pc) {
    return trace(PTRACE_PEEKUSER, tid, offsetof(struct user, regs.rip), (uintptr_t)pc);
}

void cpu_set_pc(uint8_t *general, uint64_t pc) {
    user(general)->rip = pc;
}

/* The call's number is 32 bits wide in every mode; -1 stands for none. */
uint64_t cpu_syscall_number(const uint8_t *general) {
    return (uint32_t)const_user(general)->orig_rax;
}

/* SYSCALL and SYSENTER are 0f 05 and 0f 34, INT 80h is cd 80. */
bool cpu_may_be_syscall(uint8_t first_byte) {
    return first_byte == 0x0f || first_byte == 0xcd;
}

bool cpu_is_syscall(const uint8_t *instruction) {
    return instruction[0] == 0x0f ? instruction[1] == 0x05 || instruction[1] == 0x34
                                  : instruction[0] == 0xcd && instruction[1] == 0x80;
}

/* errno.h of the kernel: ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK. With orig_rax still set the
 * thread goes back to the instruction, two bytes before, when it runs (arch/x86/kernel/signal.c). */
uint64_t cpu_restarts_at(const uint8_t *general) {
    const struct user_regs_struct *regs = const_user(general);
    int32_t result = (int32_t)regs->rax; /* and of eax in a 32-bit program */
    bool restarts = result == -512 || result == -513 || result == -514 || result == -516;
    return restarts && (int32_t)regs->orig_rax >= 0 ? regs->rip - 2 : 0;
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

bool cpu_is_debug_register(const siginfo_t *info) {
    return info->si_code == TRAP_HWBKPT;
}

/* How far before the PC the trap was that has been taken away since it was hit; 0: the program's own int3 (cc or
 * cd 03) is in the two bytes there. */
int cpu_lifted_trap(const uint8_t *before_pc) {
    bool own = before_pc[1] == 0xcc || (before_pc[0] == 0xcd && before_pc[1] == 0x03);
    return own ? 0 : 1;
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

/* DR7: two bits for each slot from bit 16 on, 0 for instructions (Intel SDM vol. 3, 18.2.4). */
bool cpu_executes(const struct debug_registers *debug, int slot) {
    return (debug->control >> (16 + 4 * slot) & 3) == 0;
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
