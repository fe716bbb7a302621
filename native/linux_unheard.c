/* A fork child of which the client is to hear by its parent's event: from the fork until that event is handed out.
 * SIGKILL, an execve of another thread or a detach may take the parent's event away; then nobody would ever ask for the
 * child, which leaves as one that nobody wanted to hear of. And its own end is told after its beginning. */
#define _GNU_SOURCE
#include "linux_tracer.h"

static bool tells_of(const struct event *event, const struct process *child) {
    return (event->kind == LINUX_STOP_FORK || event->kind == LINUX_STOP_VFORK) && (pid_t)event->value == child->pid;
}

void heard_of_child(const struct event *event) {
    for EACH_PROCESS (child)
        if (child->announcer && tells_of(event, child)) {
            child->announcer = 0;
            if (child->dead)
                wake_up(); /* that is news now */
        }
}

static struct process *find_unheard(void) {
    for EACH_PROCESS (child) {
        const struct thread *parent = child->announcer ? find_thread(child->announcer) : NULL;
        if (child->announcer && (!parent || !tells_of(&parent->event, child)))
            return child;
    }
    return NULL;
}

void release_unheard(void) {
    struct process *child;
    while ((child = find_unheard())) {
        child->announcer = 0;
        if (child->dead)
            free_process(child);
        else if (child->threads && child->threads->state == THREAD_STOPPED && !child->threads->starting)
            release_process(child, false);
        else
            child->release_child = true; /* when it stops or ends */
    }
}
