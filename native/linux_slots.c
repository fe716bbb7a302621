/* Leaving a trap without lifting it: the instruction below it is executed at another place, in a slot of the module's
 * padding (linux_padding.c), from where a jump leads back; a jump is carried out right here. No other thread has to
 * stop for that, and the thread need not stop again.
 *
 * A slot is a patch in the list of traps, so that reads do not see it and detaching takes it out. A thread whose stop
 * finds it in a slot is put back to where it would be without: nobody ever sees it there, least of all a signal
 * handler. That is why a slot can be used by any number of threads and for as long as its trap is planted. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* A slot that is there as it was made: clients take their breakpoints out at every stop, and put them in again. */
static bool is_intact(struct process *process, const struct trap *slot, const struct trap *wanted) {
    uint8_t present[PATCH_MAX];
    return slot->moved_from == wanted->moved_from && slot->size == wanted->size &&
           !memcmp(slot->code, wanted->code, wanted->size) &&
           read_memory_raw(process, slot->address, present, slot->size) == slot->size &&
           !memcmp(present, slot->code, slot->size);
}

/* A thread may be in it, or may come there again by its trap. */
static bool in_use(struct process *process, const struct trap *slot, const struct trap *asking) {
    for EACH_THREAD (thread, process)
        if (thread->slot == slot->address)
            return true;
    return slot->moved_from != asking->address && find_trap(process, slot->moved_from);
}

/* The address of a slot for `trap`; 0: there is no room. */
static uint64_t make_slot(struct process *process, const struct trap *trap, const uint8_t *code,
                          const struct instruction *instruction) {
    uint64_t start, end;
    struct trap wanted = {.pc_adjust = NOT_A_TRAP, .planted = true, .moved_from = trap->address,
                          .moved_length = (uint8_t)instruction->length};
    if (!kernel.find_padding(process->pid, trap->address, &start, &end))
        return 0;
    for (wanted.address = start; wanted.address + PATCH_MAX <= end; wanted.address += PATCH_MAX) {
        wanted.size = (uint8_t)cpu_move(code, instruction, trap->address, wanted.address, wanted.code);
        const struct trap *known = find_trap(process, wanted.address);
        if (!wanted.size)
            return 0;
        if (known && is_intact(process, known, &wanted))
            return wanted.address;
        if (known && in_use(process, known, trap))
            continue;
        if (known)
            remove_slot(process, wanted.address);
        return add_slot(process, &wanted) ? wanted.address : 0;
    }
    return 0;
}

/* Decides once for each planted trap. */
static void choose(struct process *process, struct trap *trap) {
    uint8_t code[INSTRUCTION_MAX] = {0};
    struct instruction instruction;
    uint64_t address = trap->address, slot = 0;
    linux_read_memory(process->pid, address, code, sizeof code);
    bool jump = cpu_is_jump(code);
    if (!jump && cpu_decode(code, &instruction))
        slot = make_slot(process, trap, code, &instruction);
    trap = find_trap(process, address); /* the list may have moved */
    trap->slot = slot;
    trap->way = jump ? WAY_JUMP : slot ? WAY_SLOT : WAY_STEP;
}

/* In memory that several processes share (vfork), and for a thread that is to get a signal first, everybody else has
 * to stop: see step_over(). */
bool leaves_alone(struct thread *thread) {
    struct process *process = thread->process;
    if (thread->deliver || thread->group_stopped || process->silent || process->shares_memory)
        return false;
    struct trap *trap = find_trap(process, thread->trap_address);
    if (!trap)
        return true;
    if (!load_general(thread) || !cpu_is_64_bit(thread->general))
        return false;
    if (trap->way == WAY_UNKNOWN) {
        choose(process, trap);
        trap = find_trap(process, thread->trap_address);
    }
    /* A step ends behind the jump: nothing is executed that could end it. */
    return trap->way == WAY_SLOT || (trap->way == WAY_JUMP && thread->resume_kind == LINUX_CONTINUE);
}

/* Just before the thread runs. */
void enter_slot(struct thread *thread) {
    struct process *process = thread->process;
    const struct trap *trap = find_trap(process, thread->trap_address);
    if (!load_general(thread))
        return;
    if (!trap) {
        set_thread_pc(thread, thread->trap_address);
        return;
    }
    if (trap->way == WAY_SLOT) {
        thread->slot = trap->slot;
        set_thread_pc(thread, trap->slot);
        return;
    }
    uint8_t code[INSTRUCTION_MAX] = {0};
    linux_read_memory(process->pid, trap->address, code, sizeof code);
    cpu_set_pc(thread->general, trap->address);
    cpu_jump(code, thread->general);
    set_thread_pc(thread, cpu_pc(thread->general));
}

/* sigaction(2): the faulting instruction's address is told to handlers of these. */
static void correct_siginfo(struct thread *thread, int signal, uint64_t slot, uint64_t address) {
    if ((signal != SIGILL && signal != SIGFPE && signal != SIGSEGV && signal != SIGBUS) || !load_siginfo(thread) ||
        thread->siginfo.si_code <= 0 || (uint64_t)(uintptr_t)thread->siginfo.si_addr != slot)
        return;
    thread->siginfo.si_addr = (void *)(uintptr_t)address;
    trace(PTRACE_SETSIGINFO, thread->tid, 0, (uintptr_t)&thread->siginfo);
}

void leave_slot(struct thread *thread, int signal) {
    uint64_t at = thread->slot, pc = thread_pc(thread);
    const struct trap *slot = find_trap(thread->process, at);
    thread->slot = 0;
    if (!slot || pc < at || pc >= at + slot->size)
        return;
    uint64_t address = slot->moved_from;
    if (pc != at) { /* it has been executed, the jump not */
        set_thread_pc(thread, address + slot->moved_length);
        return;
    }
    set_thread_pc(thread, address);
    correct_siginfo(thread, signal, at, address);
    thread->at_trap = find_trap(thread->process, address) != NULL;
    thread->trap_address = address;
}

/* A step of the CPU takes ten times as long. */
bool carry_out_jump(struct thread *thread, uint64_t pc) {
    struct process *process = thread->process;
    uint8_t code[INSTRUCTION_MAX] = {0};
    if (process->silent || process->debug.control || find_trap(process, pc))
        return false;
    linux_read_memory(process->pid, pc, code, JUMP_MAX);
    if (!cpu_is_jump(code) || !load_general(thread) || !cpu_is_64_bit(thread->general))
        return false;
    cpu_jump(code, thread->general);
    set_thread_pc(thread, cpu_pc(thread->general));
    return true;
}
