/* What the kernel has to tell: exception messages and ends of processes. */
#include <errno.h>
#include <string.h>
#include <sys/event.h>
#include <sys/wait.h>
#include <time.h>

#include "mach_tracer.h"

enum { EVENTS_AT_ONCE = 16 };

/* KERN_SUCCESS when there was a message, whatever it was. */
static kern_return_t receive_one(int timeout_ms) {
    union {
        mach_msg_header_t header;
        uint8_t room[MESSAGE_ROOM];
    } buffer;
    struct exception message;
    memset(&buffer.header, 0, sizeof buffer.header);
    kern_return_t code = mach_msg(&buffer.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_INTERRUPT, 0,
                                  sizeof buffer, tracer.set, (mach_msg_timeout_t)timeout_ms, MACH_PORT_NULL);
    if (code != KERN_SUCCESS)
        return code;
    if (decode_exception(&buffer.header, &message)) {
        log_call(code, "mach_msg(exception %d, codes %#llx %#llx, thread=%#x)", message.type,
                 (unsigned long long)message.codes[0], (unsigned long long)message.codes[1], message.thread);
        handle_message(&message);
    } else {
        log_call(code, "mach_msg(message %d, not an exception)", buffer.header.msgh_id);
        mach_msg_destroy(&buffer.header);
    }
    return KERN_SUCCESS;
}

/* Takes every message that waits, and those that come within timeout_ms of one another; false: none. */
bool drain(int timeout_ms) {
    kern_return_t code;
    bool any = false;
    while ((code = receive_one(timeout_ms)) == KERN_SUCCESS || code == MACH_RCV_INTERRUPTED || code == MACH_RCV_TOO_LARGE)
        any = true;
    if (code != MACH_RCV_TIMED_OUT) {
        log_call(code, "mach_msg(receive)");
        tracer.receive_error = kernel_error(code);
    }
    return any;
}

static void reap(pid_t pid) {
    struct process *process = find_process(pid);
    int status = 0;
    if (!process || waitpid(pid, &status, 0) != pid)
        return;
    process->exit_status = status;
    process->dead = true;
}

/* Waits at most timeout_us for something and takes all there is; false: nothing. */
bool collect(int64_t timeout_us) {
    struct kevent64_s events[EVENTS_AT_ONCE];
    struct timespec timeout = {timeout_us / 1000000, timeout_us % 1000000 * 1000};
    int count = kevent64(tracer.queue, NULL, 0, events, EVENTS_AT_ONCE, 0, &timeout);
    bool any = false;
    for (int i = 0; i < count; i++) {
        if (events[i].filter == EVFILT_PROC)
            reap((pid_t)events[i].ident);
        else
            drain(0);
        any = true;
    }
    return any;
}

bool have_news(void) {
    if (tracer.receive_error || tracer.interrupt_requested)
        return true;
    for EACH_PROCESS (process) {
        if (process->dead)
            return true;
        for EACH_THREAD (thread, process)
            if (thread->event.kind)
                return true;
    }
    return false;
}
