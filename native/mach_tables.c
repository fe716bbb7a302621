/* Processes and their threads, and the port rights that stand for them. */
#include <errno.h>
#include <stdlib.h>

#include "mach_tracer.h"

struct process *find_process(pid_t pid) {
    for EACH_PROCESS (process)
        if (process->pid == pid && !process->dead)
            return process;
    return NULL;
}

struct process *add_process(pid_t pid) {
    struct process *process = calloc(1, sizeof *process);
    if (!process)
        return NULL;
    struct process **end = &tracer.processes;
    while (*end)
        end = &(*end)->next;
    process->pid = pid;
    return *end = process;
}

void release_port(mach_port_t port) {
    if (MACH_PORT_VALID(port))
        mach_port_deallocate(mach_task_self(), port);
}

/* A reply that will never be sent: the send-once right tells the kernel so, which then goes on without us. */
static void free_thread(struct thread *thread) {
    if (thread->unanswered)
        release_port(thread->message.reply_port);
    release_port(thread->port);
    if (thread->process->stepping_over == thread)
        thread->process->stepping_over = NULL;
    free(thread);
}

void drop_threads(struct process *process) {
    struct thread *next;
    for (struct thread *thread = process->threads; thread; thread = next) {
        next = thread->next;
        free_thread(thread);
    }
    process->threads = NULL;
}

void free_process(struct process *process) {
    struct process **link = &tracer.processes;
    while (*link && *link != process)
        link = &(*link)->next;
    if (*link)
        *link = process->next;
    drop_threads(process);
    close_exception_port(process);
    release_port(process->task);
    free(process->traps.items);
    free(process);
}

struct thread *find_thread(int64_t tid) {
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process)
            if (thread->tid == (uint64_t)tid)
                return thread;
    return NULL;
}

static struct thread *known_by_port(struct process *process, thread_act_t port) {
    for EACH_THREAD (thread, process)
        if (thread->port == port)
            return thread;
    return NULL;
}

static uint64_t thread_identity(thread_act_t port) {
    thread_identifier_info_data_t info;
    mach_msg_type_number_t count = THREAD_IDENTIFIER_INFO_COUNT;
    kern_return_t code = thread_info(port, THREAD_IDENTIFIER_INFO, (thread_info_t)&info, &count);
    return code == KERN_SUCCESS ? info.thread_id : 0;
}

/* Takes over one send right. In one IPC space a port has one name, so a thread keeps its name while a right is held. */
static struct thread *adopt_thread(struct process *process, thread_act_t port) {
    uint64_t tid = thread_identity(port);
    struct thread *thread = tid ? calloc(1, sizeof *thread) : NULL;
    if (!thread) {
        release_port(port);
        return NULL;
    }
    struct thread **end = &process->threads;
    while (*end)
        end = &(*end)->next;
    thread->process = process;
    thread->port = port;
    thread->tid = tid;
    thread->present = true;
    *end = thread;
    /* Its debug registers are the task's (task_set_state). To write them now would clear dr6, which says what an
     * exception that is the first sign of the thread was. */
    return thread;
}

/* The thread that a message is about; takes over the right that came with it. */
struct thread *thread_of_port(struct process *process, thread_act_t port) {
    struct thread *thread = known_by_port(process, port);
    if (!thread)
        return adopt_thread(process, port);
    release_port(port);
    return thread;
}

static void remove_absent(struct process *process) {
    struct thread **link = &process->threads;
    while (*link) {
        struct thread *thread = *link;
        if (thread->present) {
            link = &thread->next;
            continue;
        }
        *link = thread->next;
        free_thread(thread);
    }
}

/* task_threads gives one more right to every thread, and the list in memory of ours. */
void refresh_threads(struct process *process) {
    thread_act_array_t list;
    mach_msg_type_number_t count;
    kern_return_t code = task_threads(process->task, &list, &count);
    if (code != KERN_SUCCESS) {
        log_call(code, "task_threads(task=%#x)", process->task);
        return;
    }
    for EACH_THREAD (thread, process)
        thread->present = false;
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        struct thread *thread = thread_of_port(process, list[i]);
        if (thread)
            thread->present = true;
    }
    vm_deallocate(mach_task_self(), (vm_address_t)(uintptr_t)list, count * sizeof *list);
    remove_absent(process);
}

int mach_threads(int pid, int64_t *tids, int max) {
    struct process *process = find_process(pid);
    int count = 0;
    if (!process)
        return -ESRCH;
    for EACH_THREAD (thread, process) {
        if (count < max)
            tids[count] = (int64_t)thread->tid;
        count++;
    }
    return count;
}
