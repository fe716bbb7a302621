/* Exceptions: how a trap or a signal of Linux becomes a Mach message, and what the answer does. */
#define MACOS_SIM_KERNEL
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "kernel.h"

enum { FAULT_ADDRESS_UNKNOWN = 0 };

#pragma pack(push, 4)
struct raise_message {
    mach_msg_header_t header;
    mach_msg_body_t body;
    mach_msg_port_descriptor_t thread, task;
    NDR_record_t format;
    int exception, code_count;
    int64_t codes[2];
};
#pragma pack(pop)

static mach_port_t port_for(const struct sim_task *task, int exception) {
    mach_port_t port = task->actions[exception].port;
    return sim_port_receives(port) ? port : MACH_PORT_NULL;
}

static bool is_soft(const struct sim_thread *thread) {
    return thread->exception == EXC_SOFTWARE && thread->codes[0] == EXC_SOFT_SIGNAL;
}

static int unix_signal(const struct sim_thread *thread) {
    switch (thread->exception) {
    case EXC_BAD_ACCESS:
        return thread->codes[0] == KERN_INVALID_ADDRESS ? 11 : 10;
    case EXC_BAD_INSTRUCTION:
        return 4;
    case EXC_ARITHMETIC:
        return 8;
    }
    return 5;
}

/* Nobody handled it: a signal, which a traced process tells of in its turn. */
static void unhandled(struct sim_thread *thread) {
    int signal = is_soft(thread) ? (int)thread->codes[1] : unix_signal(thread);
    bool told = is_soft(thread);
    thread->in_exception = false;
    if (thread->task->traced && !told && port_for(thread->task, EXC_SOFTWARE)) {
        sim_raise(thread, EXC_SOFTWARE, 2, EXC_SOFT_SIGNAL, signal);
        return;
    }
    thread->deliver = sim_to_linux(signal);
    sim_settle(thread);
}

static void post(struct sim_thread *thread, mach_port_t port) {
    struct raise_message message = {
        .header =
            {
                .msgh_bits = MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, MACH_MSG_TYPE_MOVE_SEND),
                .msgh_size = sizeof message,
                .msgh_remote_port = sim_make_port(PORT_REPLY, thread),
                .msgh_id = 2405,
            },
        .body = {2},
        .thread = {.name = thread->name, .disposition = MACH_MSG_TYPE_MOVE_SEND, .type = MACH_MSG_PORT_DESCRIPTOR},
        .task = {.name = thread->task->name, .disposition = MACH_MSG_TYPE_MOVE_SEND, .type = MACH_MSG_PORT_DESCRIPTOR},
        .format = NDR_record,
        .exception = thread->exception,
        .code_count = thread->code_count,
    };
    memcpy(message.codes, thread->codes, sizeof message.codes);
    message.header.msgh_size -= (mach_msg_size_t)(2 - thread->code_count) * 8;
    sim_post(port, &message, message.header.msgh_size);
    sim_wake();
}

void sim_raise(struct sim_thread *thread, int exception, int code_count, int64_t code, int64_t subcode) {
    thread->exception = exception;
    thread->code_count = code_count;
    thread->codes[0] = code;
    thread->codes[1] = subcode;
    thread->in_exception = true;
    mach_port_t port = port_for(thread->task, exception);
    if (!port) {
        unhandled(thread);
        return;
    }
    thread->signal_stop = is_soft(thread);
    post(thread, port);
}

void sim_answer(struct sim_thread *thread, kern_return_t result) {
    if (!thread->in_exception)
        return;
    if (result != KERN_SUCCESS) {
        unhandled(thread);
        return;
    }
    thread->in_exception = false;
    thread->task->fresh = false;
    sim_settle(thread);
}

/* --- what Linux says ------------------------------------------------------------------------- */

static void raise_trap(struct sim_thread *thread, const siginfo_t *info) {
    if (info->si_code == SI_KERNEL) /* int3 */
        sim_raise(thread, EXC_BREAKPOINT, 2, EXC_I386_BPT, 0);
    else if (info->si_code == TRAP_TRACE || info->si_code == TRAP_HWBKPT || info->si_code == TRAP_BRKPT)
        sim_raise(thread, EXC_BREAKPOINT, 2, EXC_I386_SGL, 0);
    else
        sim_raise(thread, EXC_SOFTWARE, 2, EXC_SOFT_SIGNAL, SIGTRAP);
}

static void raise_fault(struct sim_thread *thread, const siginfo_t *info) {
    if (info->si_code == SEGV_MAPERR)
        sim_raise(thread, EXC_BAD_ACCESS, 2, KERN_INVALID_ADDRESS, (int64_t)(uintptr_t)info->si_addr);
    else if (info->si_code == SEGV_ACCERR)
        sim_raise(thread, EXC_BAD_ACCESS, 2, KERN_PROTECTION_FAILURE, (int64_t)(uintptr_t)info->si_addr);
    else
        sim_raise(thread, EXC_BAD_ACCESS, 2, EXC_I386_GPFLT, FAULT_ADDRESS_UNKNOWN);
}

/* si_code > 0: the processor, not somebody's kill(). */
void sim_signal_stop(struct sim_thread *thread, int signal) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    bool hardware = ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info) == 0 && info.si_code > 0;
    if (hardware && signal == SIGTRAP)
        raise_trap(thread, &info);
    else if (hardware && signal == SIGSEGV)
        raise_fault(thread, &info);
    else if (hardware && signal == SIGBUS)
        sim_raise(thread, EXC_BAD_ACCESS, 2, KERN_PROTECTION_FAILURE, (int64_t)(uintptr_t)info.si_addr);
    else if (hardware && signal == SIGILL)
        sim_raise(thread, EXC_BAD_INSTRUCTION, 2, EXC_I386_INVOP, 0);
    else if (hardware && signal == SIGFPE)
        sim_raise(thread, EXC_ARITHMETIC, 2, EXC_I386_DIV, 0);
    else if (thread->task->traced)
        sim_raise(thread, EXC_SOFTWARE, 2, EXC_SOFT_SIGNAL, sim_to_darwin(signal));
    else {
        thread->deliver = signal;
        sim_settle(thread);
    }
}

/* --- ports of a task ---------------------------------------------------------------------------- */

kern_return_t task_get_exception_ports(task_t name, exception_mask_t mask, exception_mask_t *masks,
                                       mach_msg_type_number_t *count, mach_port_t *ports,
                                       exception_behavior_t *behaviors, thread_state_flavor_t *flavors) {
    struct sim_task *task = sim_task_of(name);
    mach_msg_type_number_t used = 0;
    if (!task)
        return MACH_SEND_INVALID_DEST;
    for (int type = 1; type < EXC_TYPES_COUNT; type++) {
        if (!(mask >> type & 1) || used == *count)
            continue;
        masks[used] = 1u << type;
        ports[used] = task->actions[type].port ? sim_give_right(task->actions[type].port) : MACH_PORT_NULL;
        behaviors[used] = task->actions[type].behavior;
        flavors[used++] = task->actions[type].flavor;
    }
    *count = used;
    return KERN_SUCCESS;
}

kern_return_t task_set_exception_ports(task_t name, exception_mask_t mask, mach_port_t port,
                                       exception_behavior_t behavior, thread_state_flavor_t flavor) {
    struct sim_task *task = sim_task_of(name);
    if (!task)
        return MACH_SEND_INVALID_DEST;
    if (mask & ~EXC_MASK_ALL)
        return KERN_INVALID_ARGUMENT;
    for (int type = 1; type < EXC_TYPES_COUNT; type++)
        if (mask >> type & 1)
            task->actions[type] = (struct exception_action){port, behavior, flavor};
    return KERN_SUCCESS;
}
