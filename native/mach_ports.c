/* The exception port of each process, the port set of them all, and the kqueue on which the server waits. */
#include <errno.h>
#include <string.h>
#include <sys/event.h>
#include <unistd.h>

#include "mach_tracer.h"

/* EVFILT_MACHPORT without MACH_RCV_MSG only tells that a message waits in the set; it stays so until it is taken. */
static int watch_set(void) {
    struct kevent64_s change;
    memset(&change, 0, sizeof change);
    change.ident = tracer.set;
    change.filter = EVFILT_MACHPORT;
    change.flags = EV_ADD;
    return kevent64(tracer.queue, &change, 1, NULL, 0, 0, NULL) < 0 ? -errno : 0;
}

int watch_exit(pid_t pid) {
    struct kevent64_s change;
    memset(&change, 0, sizeof change);
    change.ident = (uint64_t)pid;
    change.filter = EVFILT_PROC;
    change.flags = EV_ADD | EV_ONESHOT;
    change.fflags = NOTE_EXIT;
    return kevent64(tracer.queue, &change, 1, NULL, 0, 0, NULL) < 0 ? -errno : 0;
}

int mach_open(void) {
    if (tracer.queue >= 0)
        return tracer.queue;
    kern_return_t code = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &tracer.set);
    if (code != KERN_SUCCESS)
        return kernel_error(code);
    tracer.queue = kqueue();
    int result = tracer.queue < 0 ? -errno : watch_set();
    if (result == 0)
        return tracer.queue;
    if (tracer.queue >= 0)
        close(tracer.queue);
    tracer.queue = -1;
    mach_port_mod_refs(mach_task_self(), tracer.set, MACH_PORT_RIGHT_PORT_SET, -1);
    return result;
}

static int save_ports(struct process *process) {
    struct saved_ports *saved = &process->saved;
    saved->count = EXC_TYPES_COUNT;
    kern_return_t code = task_get_exception_ports(process->task, EXC_MASK_ALL, saved->masks, &saved->count,
                                                  saved->ports, saved->behaviors, saved->flavors);
    if (code != KERN_SUCCESS)
        saved->count = 0;
    return kernel_error(code);
}

static kern_return_t give_back(struct process *process) {
    const struct saved_ports *saved = &process->saved;
    kern_return_t result = KERN_SUCCESS;
    for (mach_msg_type_number_t i = 0; i < saved->count; i++) {
        kern_return_t code = task_set_exception_ports(process->task, saved->masks[i], saved->ports[i],
                                                      saved->behaviors[i], saved->flavors[i]);
        result = code == KERN_SUCCESS ? result : code;
    }
    return result;
}

/* Also when the mask changes, or an exec has made another task: what is ignored goes where it went before us. */
int set_exception_ports(struct process *process) {
    exception_mask_t mask = EXC_MASK_ALL & ~tracer.options.ignored_exceptions;
    if (tracer.options.ignored_exceptions)
        give_back(process);
    kern_return_t code = task_set_exception_ports(process->task, mask, process->port,
                                                  (exception_behavior_t)(EXCEPTION_DEFAULT | MACH_EXCEPTION_CODES),
                                                  THREAD_STATE_NONE);
    log_call(code, "task_set_exception_ports(task=%#x, mask %#x)", process->task, mask);
    return kernel_error(code);
}

void restore_exception_ports(struct process *process) {
    kern_return_t code = give_back(process);
    if (code != KERN_SUCCESS)
        log_call(code, "task_set_exception_ports(task=%#x, the ones before)", process->task);
}

int open_exception_port(struct process *process) {
    mach_port_t self = mach_task_self();
    kern_return_t code = mach_port_allocate(self, MACH_PORT_RIGHT_RECEIVE, &process->port);
    if (code != KERN_SUCCESS) {
        process->port = MACH_PORT_NULL;
        return kernel_error(code);
    }
    code = mach_port_insert_right(self, process->port, process->port, MACH_MSG_TYPE_MAKE_SEND);
    if (code == KERN_SUCCESS)
        code = mach_port_insert_member(self, process->port, tracer.set);
    int result = kernel_error(code);
    if (result == 0)
        result = save_ports(process);
    return result < 0 ? result : set_exception_ports(process);
}

/* The receive right goes, and with it whatever message still waits there; then the send right. */
void close_exception_port(struct process *process) {
    for (mach_msg_type_number_t i = 0; i < process->saved.count; i++)
        release_port(process->saved.ports[i]);
    process->saved.count = 0;
    if (process->port == MACH_PORT_NULL)
        return;
    mach_port_mod_refs(mach_task_self(), process->port, MACH_PORT_RIGHT_RECEIVE, -1);
    release_port(process->port);
    process->port = MACH_PORT_NULL;
}

/* Names in our IPC space, whatever rights they stand for. */
int mach_port_count(void) {
    mach_port_name_array_t names;
    mach_port_type_array_t types;
    mach_msg_type_number_t name_count, type_count;
    kern_return_t code = mach_port_names(mach_task_self(), &names, &name_count, &types, &type_count);
    if (code != KERN_SUCCESS)
        return kernel_error(code);
    vm_deallocate(mach_task_self(), (vm_address_t)(uintptr_t)names, name_count * sizeof *names);
    vm_deallocate(mach_task_self(), (vm_address_t)(uintptr_t)types, type_count * sizeof *types);
    return (int)name_count;
}
