/* Which processes and threads there are, and which of them run. */
#include "linux_tracer.h"

#include <stdlib.h>
#include <unistd.h>

struct tracer tracer = {.wakeup = -1, .log = -1, .print_to = -1, .options = {.program_signals = ~0ull, .report_execs = 1}};

#define BUCKETS 1024
static struct thread *buckets[BUCKETS];

static struct thread **bucket(pid_t tid) {
    return &buckets[(unsigned)tid % BUCKETS];
}

struct process *find_process(pid_t pid) {
    for EACH_PROCESS (process)
        if (process->pid == pid)
            return process;
    return NULL;
}

struct thread *find_thread(pid_t tid) {
    struct thread *thread = *bucket(tid);
    while (thread && thread->tid != tid)
        thread = thread->hash_next;
    return thread;
}

struct process *add_process(pid_t pid) {
    struct process *process = calloc(1, sizeof *process);
    if (!process)
        abort();
    process->pid = pid;
    process->memory_fd = -1;
    struct process **link = &tracer.processes;
    while (*link)
        link = &(*link)->next;
    *link = process;
    return process;
}

void free_process(struct process *process) {
    while (process->threads)
        remove_thread(process->threads);
    struct process **link = &tracer.processes;
    while (*link != process)
        link = &(*link)->next;
    *link = process->next;
    forget_memory(process);
    drop_points(process);
    free(process->traps.items);
    free(process);
}

static void hash_insert(struct thread *thread) {
    struct thread **head = bucket(thread->tid);
    thread->hash_next = *head;
    *head = thread;
}

static void hash_remove(struct thread *thread) {
    struct thread **link = bucket(thread->tid);
    while (*link != thread)
        link = &(*link)->hash_next;
    *link = thread->hash_next;
}

struct thread *add_thread(struct process *process, pid_t tid) {
    struct thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        abort();
    thread->tid = tid;
    thread->starting = true;
    thread->state = THREAD_STOPPED;
    hash_insert(thread);
    if (process)
        adopt_thread(process, thread);
    return thread;
}

void adopt_thread(struct process *process, struct thread *thread) {
    struct thread **link = &process->threads;
    while (*link)
        link = &(*link)->next;
    *link = thread;
    thread->process = process;
    thread->group = process->pid;
    process->live += thread->state != THREAD_EXITING;
}

void leave_process(struct thread *thread) {
    struct process *process = thread->process;
    process->live -= thread->state != THREAD_EXITING;
    struct thread **link = &process->threads;
    while (*link != thread)
        link = &(*link)->next;
    *link = thread->next;
    thread->next = NULL;
    thread->process = NULL;
}

void remove_thread(struct thread *thread) {
    if (thread->state == THREAD_RUNNING)
        mark_stopped(thread);
    if (thread->process)
        leave_process(thread);
    tracer.left_behind -= thread->left_behind;
    hash_remove(thread);
    free(thread);
}

void rename_thread(struct thread *thread, pid_t tid) {
    hash_remove(thread);
    thread->tid = tid;
    hash_insert(thread);
}

struct thread *live_thread(struct process *process) {
    for EACH_THREAD (thread, process)
        if (thread->state != THREAD_EXITING)
            return thread;
    return NULL;
}

struct thread *find_unplaced(bool (*wanted)(const struct thread *thread)) {
    for (int i = 0; i < BUCKETS; i++)
        for (struct thread *thread = buckets[i]; thread; thread = thread->hash_next)
            if (!thread->process && wanted(thread))
                return thread;
    return NULL;
}

void mark_running(struct thread *thread) {
    if (thread->state == THREAD_RUNNING)
        return;
    thread->state = THREAD_RUNNING;
    thread->general_valid = thread->siginfo_valid = false;
    thread->run_previous = NULL;
    thread->run_next = tracer.running_list;
    if (thread->run_next)
        thread->run_next->run_previous = thread;
    tracer.running_list = thread;
    tracer.running++;
}

void mark_stopped(struct thread *thread) {
    if (thread->state != THREAD_RUNNING)
        return;
    thread->state = THREAD_STOPPED;
    if (thread->run_previous)
        thread->run_previous->run_next = thread->run_next;
    else
        tracer.running_list = thread->run_next;
    if (thread->run_next)
        thread->run_next->run_previous = thread->run_previous;
    tracer.running--;
}

void mark_exiting(struct thread *thread) {
    if (thread->state == THREAD_EXITING)
        return;
    mark_stopped(thread);
    thread->state = THREAD_EXITING;
    thread->event.kind = 0;
    if (thread->process)
        thread->process->live--;
}
