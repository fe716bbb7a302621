/* Tasks and threads: which there are, their ports, their suspend counts. */
#define MACOS_SIM_KERNEL
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "kernel.h"

struct sim_task *sim_tasks;

struct sim_task *sim_find_task(pid_t pid) {
    for (struct sim_task *task = sim_tasks; task; task = task->next)
        if (task->pid == pid)
            return task;
    return NULL;
}

struct sim_task *sim_add_task(pid_t pid) {
    struct sim_task *task = calloc(1, sizeof *task);
    task->pid = pid;
    task->name = sim_make_port(PORT_TASK, task);
    task->next = sim_tasks;
    sim_tasks = task;
    return task;
}

struct sim_thread *sim_find_tid(struct sim_task *task, pid_t tid) {
    for (struct sim_thread *thread = task->threads; thread; thread = thread->next)
        if (thread->tid == tid)
            return thread;
    return NULL;
}

struct sim_thread *sim_add_thread(struct sim_task *task, pid_t tid) {
    struct sim_thread *thread = calloc(1, sizeof *thread), **end = &task->threads;
    while (*end)
        end = &(*end)->next;
    thread->tid = tid;
    thread->task = task;
    thread->name = sim_make_port(PORT_THREAD, thread);
    return *end = thread;
}

static void free_thread(struct sim_thread *thread) {
    sim_orphan_replies(thread);
    sim_kill_port(thread->name);
    free(thread);
}

void sim_drop_threads(struct sim_task *task) {
    while (task->threads) {
        struct sim_thread *thread = task->threads;
        task->threads = thread->next;
        free_thread(thread);
    }
}

void sim_drop_thread(struct sim_thread *thread) {
    struct sim_thread **link = &thread->task->threads;
    while (*link && *link != thread)
        link = &(*link)->next;
    if (*link)
        *link = thread->next;
    free_thread(thread);
}

void sim_forget_writable(struct sim_task *task) {
    while (task->writable) {
        struct writable_range *range = task->writable;
        task->writable = range->next;
        free(range);
    }
}

void sim_forget_task(struct sim_task *task) {
    struct sim_task **link = &sim_tasks;
    while (*link && *link != task)
        link = &(*link)->next;
    if (*link)
        *link = task->next;
    sim_drop_threads(task);
    sim_forget_writable(task);
    sim_kill_port(task->name);
    free(task);
}

/* Mach needs no ptrace to look at a task; Linux does, so whatever is opened is seized, running. */
bool sim_adopt_running(struct sim_task *task) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)task->pid);
    DIR *directory = opendir(path);
    struct dirent *entry;
    bool leader = false;
    while (directory && (entry = readdir(directory))) {
        pid_t tid = atoi(entry->d_name);
        if (tid <= 0 || sim_find_tid(task, tid))
            continue;
        if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC) < 0)
            continue;
        leader |= tid == task->pid;
        sim_add_thread(task, tid);
    }
    if (directory)
        closedir(directory);
    task->headless = !leader && task->threads && sim_main_thread_has_ended(task);
    return leader || task->headless;
}

struct sim_task *sim_task_of(task_t name) {
    struct sim_task *task = sim_object(name, PORT_TASK);
    return task && !task->exited ? task : NULL;
}

struct sim_thread *sim_thread_of(thread_act_t name) {
    return sim_object(name, PORT_THREAD);
}

/* --- the calls --------------------------------------------------------------------------- */

/* No such process and no right to it are the same to the caller: KERN_FAILURE. */
kern_return_t task_for_pid(mach_port_name_t self, int pid, mach_port_name_t *name) {
    struct sim_task *task = sim_find_task(pid);
    (void)self;
    if (!task) {
        task = sim_add_task(pid);
        if (!sim_adopt_running(task)) {
            sim_forget_task(task);
            return KERN_FAILURE;
        }
    }
    if (task->exited)
        return KERN_FAILURE;
    *name = sim_give_right(task->name);
    return KERN_SUCCESS;
}

kern_return_t pid_for_task(mach_port_name_t name, int *pid) {
    struct sim_task *task = sim_task_of(name);
    *pid = task ? task->pid : -1;
    return task ? KERN_SUCCESS : KERN_FAILURE;
}

kern_return_t task_suspend(task_t name) {
    struct sim_task *task = sim_task_of(name);
    if (!task)
        return MACH_SEND_INVALID_DEST;
    if (task->suspend_count++ == 0)
        sim_stop_task(task);
    return sim_task_of(name) ? KERN_SUCCESS : KERN_TERMINATED;
}

kern_return_t task_resume(task_t name) {
    struct sim_task *task = sim_task_of(name);
    if (!task)
        return MACH_SEND_INVALID_DEST;
    if (!task->suspend_count)
        return KERN_FAILURE;
    if (--task->suspend_count == 0)
        sim_settle_task(task);
    return KERN_SUCCESS;
}

kern_return_t thread_suspend(thread_act_t name) {
    struct sim_thread *thread = sim_thread_of(name);
    if (!thread)
        return MACH_SEND_INVALID_DEST;
    if (thread->suspend_count++ == 0)
        sim_stop(thread);
    return KERN_SUCCESS;
}

kern_return_t thread_resume(thread_act_t name) {
    struct sim_thread *thread = sim_thread_of(name);
    if (!thread)
        return MACH_SEND_INVALID_DEST;
    if (!thread->suspend_count)
        return KERN_FAILURE;
    thread->suspend_count--;
    sim_settle(thread);
    return KERN_SUCCESS;
}

kern_return_t thread_abort_safely(thread_act_t name) {
    return sim_thread_of(name) ? KERN_SUCCESS : MACH_SEND_INVALID_DEST;
}

kern_return_t task_threads(task_t name, thread_act_array_t *list, mach_msg_type_number_t *count) {
    struct sim_task *task = sim_task_of(name);
    mach_msg_type_number_t total = 0, i = 0;
    if (!task)
        return MACH_SEND_INVALID_DEST;
    sim_drop_ended_main_thread(task);
    for (struct sim_thread *thread = task->threads; thread; thread = thread->next)
        total++;
    *list = mmap(NULL, (total ? total : 1) * sizeof **list, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (struct sim_thread *thread = task->threads; thread; thread = thread->next)
        (*list)[i++] = sim_give_right(thread->name);
    *count = total;
    return KERN_SUCCESS;
}

kern_return_t task_info(task_t name, task_flavor_t flavor, task_info_t info, mach_msg_type_number_t *count) {
    struct sim_task *task = sim_task_of(name);
    if (!task)
        return MACH_SEND_INVALID_DEST;
    memset(info, 0, *count * sizeof *info);
    if (flavor == TASK_VM_INFO) {
        ((task_vm_info_data_t *)info)->page_size = sim_page_size(task);
        return KERN_SUCCESS;
    }
    if (flavor == MACH_TASK_BASIC_INFO) {
        ((mach_task_basic_info_data_t *)info)->suspend_count = task->suspend_count;
        return KERN_SUCCESS;
    }
    if (flavor != TASK_DYLD_INFO)
        return KERN_INVALID_ARGUMENT;
    /* An ELF program has no dyld: only a program that has not run yet is told apart from one that has. */
    ((task_dyld_info_data_t *)info)->all_image_info_format = 1;
    return task->fresh ? KERN_SUCCESS : KERN_FAILURE;
}

kern_return_t host_page_size(host_t host, vm_size_t *size) {
    (void)host;
    *size = 4096;
    return KERN_SUCCESS;
}

static void read_line(pid_t pid, pid_t tid, const char *what, char *buffer, int size) {
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)pid, (int)tid, what);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(buffer, size, file))
        buffer[0] = 0;
    buffer[strcspn(buffer, "\n")] = 0;
    if (file)
        fclose(file);
}

kern_return_t thread_info(thread_act_t name, thread_flavor_t flavor, thread_info_t info,
                          mach_msg_type_number_t *count) {
    struct sim_thread *thread = sim_thread_of(name);
    if (!thread)
        return MACH_SEND_INVALID_DEST;
    memset(info, 0, *count * sizeof *info);
    if (flavor == THREAD_IDENTIFIER_INFO)
        ((thread_identifier_info_data_t *)info)->thread_id = (uint64_t)thread->tid;
    else if (flavor == THREAD_BASIC_INFO) {
        ((thread_basic_info_data_t *)info)->suspend_count = thread->suspend_count;
        ((thread_basic_info_data_t *)info)->run_state = thread->stopped ? 3 : 1; /* TH_STATE_WAITING, RUNNING */
    } else if (flavor == THREAD_EXTENDED_INFO)
        read_line(thread->task->pid, thread->tid, "comm", ((thread_extended_info_data_t *)info)->pth_name, 64);
    else
        return KERN_INVALID_ARGUMENT;
    return KERN_SUCCESS;
}
