/* The answer to an exception: until it is given, the thread stays where it is. */
#include <sys/ptrace.h>

#include "mach_tracer.h"

static void send_reply(const struct exception *message, kern_return_t result) {
    natural_t buffer[EXCEPTION_REPLY_SIZE / sizeof(natural_t)];
    mach_msg_header_t *header = (mach_msg_header_t *)buffer;
    encode_reply(message, result, buffer);
    kern_return_t code = mach_msg(header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, EXCEPTION_REPLY_SIZE, 0, MACH_PORT_NULL, 0,
                                  MACH_PORT_NULL);
    if (code != KERN_SUCCESS) {
        /* The thread is gone: its send-once right is a dead name now, and still ours. */
        log_call(code, "mach_msg(reply to exception %d)", message->type);
        release_port(message->reply_port);
    }
}

static int allowed(int signal) {
    return signal > 0 && signal <= 64 && !(tracer.options.program_signals >> (signal - 1) & 1) ? 0 : signal;
}

/* A soft signal is what the process gets when the thread goes on: PT_THUPDATE says which (0: none). Any other exception
 * becomes its signal if nobody handles it; the kernel tells of that signal in a message of its own, which is expected. */
void answer(struct thread *thread, int signal) {
    struct process *process = thread->process;
    if (!thread->unanswered)
        return;
    thread->unanswered = false;
    signal = allowed(signal);
    if (is_soft_signal(&thread->message)) {
        traced_call(PT_THUPDATE, process->pid, (uintptr_t)thread->port, signal);
        send_reply(&thread->message, KERN_SUCCESS);
        return;
    }
    if (signal)
        process->pass_once |= 1ull << (signal - 1);
    send_reply(&thread->message, signal ? KERN_FAILURE : KERN_SUCCESS);
}

void answer_all(struct process *process) {
    for EACH_THREAD (thread, process) {
        answer(thread, thread->deliver);
        thread->deliver = 0;
    }
}

/* A message about a task that is not debugged here. */
void refuse(const struct exception *message) {
    send_reply(message, KERN_FAILURE);
    release_port(message->thread);
    release_port(message->task);
}
