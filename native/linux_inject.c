/* One system call run by a stopped thread on our behalf, from an
 * instruction for it that is there already: no code page is touched. Registers,
 * signal mask, siginfo and a pending system call restart are as before. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

static long set_general(struct thread *thread, const uint8_t *general) {
    thread->general_valid = false;
    return cpu_write_general(thread->tid, general);
}

static void put(uint8_t *general, uint32_t offset, int width, uint64_t value) {
    for (int byte = 0; byte < width; byte++, value >>= 8)
        general[offset + (uint32_t)byte] = (uint8_t)value;
}

static uint64_t get(const uint8_t *general, uint32_t offset, int width) {
    uint64_t value = 0;
    for (int byte = width - 1; byte >= 0; byte--)
        value = value << 8 | general[offset + (uint32_t)byte];
    return value;
}

static void prepare(uint8_t *general, const linux_syscall *call) {
    int width = call->width;
    cpu_set_pc(general, call->instruction);
    put(general, call->number_offset, width, call->number);
    /* -1: the kernel must not restart the system call that this stop interrupted. */
    put(general, call->restart_offset, width, ~0ull);
    for (int i = 0; i < call->count; i++)
        put(general, call->argument_offsets[i], width, call->arguments[i]);
}

/* All of it within the general registers. */
static bool makes_sense(const linux_syscall *call, int size) {
    int64_t last = size - call->width;
    bool fits = call->width > 0 && call->width <= 8 && call->count >= 0 && call->count <= 6 &&
                call->number_offset <= last && call->result_offset <= last && call->restart_offset <= last;
    for (int i = 0; fits && i < call->count; i++)
        fits = call->argument_offsets[i] <= last;
    return fits;
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

int linux_inject_syscall(int tid, linux_syscall *call) {
    struct thread *thread = find_thread(tid);
    if (!thread || !thread->process)
        return -ESRCH;
    if (thread->state != THREAD_STOPPED || thread->in_kernel)
        return -EBUSY;
    if (!load_general(thread))
        return -ESRCH;
    if (!makes_sense(call, thread->general_size))
        return -EINVAL;
    uint64_t mask, all = ~0ull;
    uint8_t saved[GENERAL_MAX], changed[GENERAL_MAX];
    siginfo_t info;
    bool has_info = thread->stop_signal && trace(PTRACE_GETSIGINFO, tid, 0, (uintptr_t)&info) == 0;
    memcpy(saved, thread->general, sizeof saved);
    memcpy(changed, saved, sizeof changed);
    prepare(changed, call);
    if (trace(PTRACE_GETSIGMASK, tid, sizeof mask, (uintptr_t)&mask) < 0 || set_general(thread, changed) < 0)
        return -ESRCH;
    trace(PTRACE_SETSIGMASK, tid, sizeof all, (uintptr_t)&all);
    if (!step(thread))
        return -ESRCH;
    bool read = load_general(thread);
    call->result = read ? get(thread->general, call->result_offset, call->width) : 0;
    set_general(thread, saved);
    trace(PTRACE_SETSIGMASK, tid, sizeof mask, (uintptr_t)&mask);
    thread->injectable = true; /* the step's SIGTRAP is a signal-delivery-stop */
    if (has_info)
        trace(PTRACE_SETSIGINFO, tid, 0, (uintptr_t)&info);
    thread->siginfo_valid = false;
    return read ? 0 : -ESRCH;
}
