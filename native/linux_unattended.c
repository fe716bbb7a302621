/* What no client debugs any more and the tracer still has to look after, whether a client waits for a stop or not:
 * processes that are followed unseen, and tasks that were dying when they were let go. These take no detach (ptrace(2):
 * ESRCH), and as long as their tracer has not fetched their end nobody else can: their parent would wait for ever. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <sys/wait.h>

void leave_behind(struct thread *thread) {
    leave_process(thread);
    mark_stopped(thread);
    thread->left_behind = true;
    tracer.left_behind++;
}

static bool is_gone(const struct thread *thread) {
    int status;
    return thread->left_behind && kernel.waitpid(thread->tid, &status, __WALL | WNOHANG) != 0;
}

/* waitpid(-1) says nothing of one whose id an execve took. */
static void forget_gone(void) {
    struct thread *thread;
    while (tracer.left_behind && (thread = find_unplaced(is_gone)))
        remove_thread(thread);
}

int linux_unattended(void) {
    if (tracer.left_behind)
        return 1;
    for EACH_PROCESS (process)
        if (process->silent)
            return 1;
    return 0;
}

void linux_attend(void) {
    collect_any();
    forget_gone();
}
