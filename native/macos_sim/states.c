/* Register states of Mach from those of ptrace. */
#define MACOS_SIM_KERNEL
#define _GNU_SOURCE
#include <elf.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "kernel.h"

enum { XSAVE_MAX = 16384, FXSAVE = 512, YMMH_OFFSET = 576, YMMH_SIZE = 256, FLOAT_START = 8, AVX_YMMH = 588 };
enum { PRESENT_OFFSET = 512, PRESENT_SSE = 2, PRESENT_X87 = 1, PRESENT_AVX = 4 };

/* Mach's order, in that of user_regs_struct. */
static const size_t general[] = {
    offsetof(struct user_regs_struct, rax), offsetof(struct user_regs_struct, rbx),
    offsetof(struct user_regs_struct, rcx), offsetof(struct user_regs_struct, rdx),
    offsetof(struct user_regs_struct, rdi), offsetof(struct user_regs_struct, rsi),
    offsetof(struct user_regs_struct, rbp), offsetof(struct user_regs_struct, rsp),
    offsetof(struct user_regs_struct, r8),  offsetof(struct user_regs_struct, r9),
    offsetof(struct user_regs_struct, r10), offsetof(struct user_regs_struct, r11),
    offsetof(struct user_regs_struct, r12), offsetof(struct user_regs_struct, r13),
    offsetof(struct user_regs_struct, r14), offsetof(struct user_regs_struct, r15),
    offsetof(struct user_regs_struct, rip), offsetof(struct user_regs_struct, eflags),
    offsetof(struct user_regs_struct, cs),  offsetof(struct user_regs_struct, fs),
    offsetof(struct user_regs_struct, gs),
};
enum { GENERAL = sizeof general / sizeof *general };

static bool get_general(struct sim_thread *thread, uint64_t *values) {
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &registers) < 0)
        return false;
    for (size_t i = 0; i < GENERAL; i++)
        memcpy(&values[i], (uint8_t *)&registers + general[i], 8);
    return true;
}

/* orig_rax >= 0 makes Linux restart the system call the thread was in; a new pc is not to be moved back. */
static bool set_general(struct sim_thread *thread, const uint64_t *values) {
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &registers) < 0)
        return false;
    uint64_t pc = registers.rip;
    for (size_t i = 0; i + 3 < GENERAL; i++)
        memcpy((uint8_t *)&registers + general[i], &values[i], 8);
    if (registers.rip != pc)
        registers.orig_rax = ~0ull;
    return ptrace(PTRACE_SETREGS, thread->tid, NULL, &registers) == 0;
}

static bool get_xsave(struct sim_thread *thread, uint8_t *area, size_t *size) {
    struct iovec vector = {area, XSAVE_MAX};
    memset(area, 0, XSAVE_MAX);
    bool done = ptrace(PTRACE_GETREGSET, thread->tid, (void *)NT_X86_XSTATE, &vector) == 0;
    *size = vector.iov_len;
    return done;
}

/* Both float states begin with 8 reserved bytes and the fxsave image; the AVX one ends with the upper halves. */
static bool get_float(struct sim_thread *thread, uint8_t *state, bool avx) {
    uint8_t area[XSAVE_MAX];
    size_t size;
    if (!get_xsave(thread, area, &size) || (avx && size < YMMH_OFFSET + YMMH_SIZE))
        return false;
    memcpy(state + FLOAT_START, area, FXSAVE);
    if (avx)
        memcpy(state + AVX_YMMH, area + YMMH_OFFSET, YMMH_SIZE);
    return true;
}

static bool set_float(struct sim_thread *thread, const uint8_t *state, bool avx) {
    uint8_t area[XSAVE_MAX];
    uint64_t present;
    size_t size;
    if (!get_xsave(thread, area, &size) || (avx && size < YMMH_OFFSET + YMMH_SIZE))
        return false;
    memcpy(area, state + FLOAT_START, FXSAVE - 48); /* what follows is the kernel's own */
    if (avx)
        memcpy(area + YMMH_OFFSET, state + AVX_YMMH, YMMH_SIZE);
    memcpy(&present, area + PRESENT_OFFSET, sizeof present);
    present |= PRESENT_X87 | PRESENT_SSE | (avx ? PRESENT_AVX : 0);
    memcpy(area + PRESENT_OFFSET, &present, sizeof present);
    struct iovec vector = {area, size};
    return ptrace(PTRACE_SETREGSET, thread->tid, (void *)NT_X86_XSTATE, &vector) == 0;
}

static void *debug_place(int index) {
    return (void *)(offsetof(struct user, u_debugreg) + (size_t)index * 8);
}

static bool get_debug(struct sim_thread *thread, uint64_t *values) {
    for (int i = 0; i < 8; i++)
        values[i] = i == 4 || i == 5 ? 0 : (uint64_t)ptrace(PTRACE_PEEKUSER, thread->tid, debug_place(i), NULL);
    return true;
}

/* Linux checks each register when it is written: none may be enabled with another's address. */
static bool set_debug(struct sim_thread *thread, const uint64_t *values) {
    bool done = ptrace(PTRACE_POKEUSER, thread->tid, debug_place(7), 0L) == 0;
    for (int i = 0; i < 4; i++)
        done &= ptrace(PTRACE_POKEUSER, thread->tid, debug_place(i), values[i]) == 0;
    done &= ptrace(PTRACE_POKEUSER, thread->tid, debug_place(6), values[6]) == 0;
    return done && ptrace(PTRACE_POKEUSER, thread->tid, debug_place(7), values[7]) == 0;
}

static mach_msg_type_number_t words_of(int flavor) {
    switch (flavor) {
    case x86_THREAD_STATE64:
        return x86_THREAD_STATE64_COUNT;
    case x86_FLOAT_STATE64:
        return x86_FLOAT_STATE64_COUNT;
    case x86_AVX_STATE64:
        return x86_AVX_STATE64_COUNT;
    case x86_EXCEPTION_STATE64:
        return x86_EXCEPTION_STATE64_COUNT;
    case x86_DEBUG_STATE64:
        return x86_DEBUG_STATE64_COUNT;
    }
    return 0;
}

static bool get_state(struct sim_thread *thread, int flavor, natural_t *state) {
    switch (flavor) {
    case x86_THREAD_STATE64:
        return get_general(thread, (uint64_t *)state);
    case x86_FLOAT_STATE64:
    case x86_AVX_STATE64:
        return get_float(thread, (uint8_t *)state, flavor == x86_AVX_STATE64);
    case x86_DEBUG_STATE64:
        return get_debug(thread, (uint64_t *)state);
    }
    return flavor == x86_EXCEPTION_STATE64;
}

static bool set_state(struct sim_thread *thread, int flavor, const natural_t *state) {
    switch (flavor) {
    case x86_THREAD_STATE64:
        return set_general(thread, (const uint64_t *)state);
    case x86_FLOAT_STATE64:
    case x86_AVX_STATE64:
        return set_float(thread, (const uint8_t *)state, flavor == x86_AVX_STATE64);
    case x86_DEBUG_STATE64:
        return set_debug(thread, (const uint64_t *)state);
    }
    return false;
}

/* A state of a simulated map's one thread is just memory. */
static natural_t *map_state(int flavor) {
    static uint64_t states[32][96];
    return flavor >= 0 && flavor < 32 ? (natural_t *)states[flavor] : NULL;
}

/* A running thread is stopped for the moment, as the kernel does it. */
static kern_return_t with_stopped(thread_act_t name, int flavor, natural_t *state, bool set) {
    struct sim_thread *thread = sim_thread_of(name);
    if (!thread)
        return MACH_SEND_INVALID_DEST;
    if (!words_of(flavor))
        return KERN_INVALID_ARGUMENT;
    if (thread->task->map) {
        natural_t *kept = map_state(flavor);
        memcpy(set ? kept : state, set ? state : kept, words_of(flavor) * sizeof *state);
        return KERN_SUCCESS;
    }
    bool running = !thread->stopped;
    if (running) {
        thread->suspend_count++;
        sim_stop(thread);
        if (sim_thread_of(name) != thread)
            return KERN_TERMINATED;
        thread->suspend_count--;
    }
    bool done = set ? set_state(thread, flavor, state) : get_state(thread, flavor, state);
    if (running)
        sim_settle(thread);
    return done ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
}

kern_return_t thread_get_state(thread_act_t name, thread_state_flavor_t flavor, thread_state_t state,
                               mach_msg_type_number_t *count) {
    uint64_t room[512] = {0};
    mach_msg_type_number_t words = words_of(flavor);
    if (words > *count)
        return KERN_INVALID_ARGUMENT;
    kern_return_t code = with_stopped(name, flavor, (natural_t *)room, false);
    if (code != KERN_SUCCESS)
        return code;
    memcpy(state, room, words * sizeof *state);
    *count = words;
    return KERN_SUCCESS;
}

kern_return_t thread_set_state(thread_act_t name, thread_state_flavor_t flavor, thread_state_t state,
                               mach_msg_type_number_t count) {
    uint64_t room[512] = {0};
    mach_msg_type_number_t words = words_of(flavor);
    if (count < words)
        return KERN_INVALID_ARGUMENT;
    memcpy(room, state, words * sizeof *state);
    return with_stopped(name, flavor, (natural_t *)room, true);
}

kern_return_t task_set_state(task_t name, thread_state_flavor_t flavor, thread_state_t state,
                             mach_msg_type_number_t count) {
    struct sim_task *task = sim_task_of(name);
    if (!task)
        return MACH_SEND_INVALID_DEST;
    if (flavor != x86_DEBUG_STATE64 || count < x86_DEBUG_STATE64_COUNT)
        return KERN_INVALID_ARGUMENT;
    memcpy(&task->debug, state, sizeof task->debug);
    task->debug_set = true;
    return KERN_SUCCESS;
}
