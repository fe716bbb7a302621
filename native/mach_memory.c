/* A target's memory as a client sees it: traps hidden in what is read, kept in what is written. */
#include <errno.h>
#include <mach/mach_host.h>
#include <mach/mach_init.h>
#include <mach/task_info.h>

#include "mach_tracer.h"

/* A translated program has pages of 4 KiB on a machine with pages of 16 KiB. */
uint64_t process_page_size(struct process *process) {
    if (process->page_size)
        return process->page_size;
    task_vm_info_data_t info;
    mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
    kern_return_t code = task_info(process->task, TASK_VM_INFO, (task_info_t)&info, &count);
    if (code == KERN_SUCCESS && info.page_size > 0)
        return process->page_size = (uint64_t)info.page_size;
    vm_size_t host = 0;
    mach_port_t self = mach_host_self();
    code = host_page_size(self, &host);
    release_port(self);
    return code == KERN_SUCCESS && host ? host : 4096;
}

int mach_page_size_of(int pid) {
    struct process *process = find_process(pid);
    return process ? (int)process_page_size(process) : -ESRCH;
}

/* A read is all or nothing, so it goes page by page: what is readable before a bad page is given. */
int64_t read_raw(struct process *process, uint64_t address, uint8_t *buffer, uint64_t size) {
    uint64_t page_size = process_page_size(process), done = 0;
    while (done < size) {
        uint64_t at = address + done, left = page_size - at % page_size;
        mach_vm_size_t count = left < size - done ? left : size - done, got = 0;
        kern_return_t code =
            mach_vm_read_overwrite(process->task, at, count, (mach_vm_address_t)(uintptr_t)(buffer + done), &got);
        if (code != KERN_SUCCESS)
            return done ? (int64_t)done : kernel_error(code);
        done += got;
        if (got < count)
            break;
    }
    return (int64_t)done;
}

int64_t mach_read_memory(int pid, uint64_t address, uint8_t *buffer, uint64_t size) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    int64_t done = read_raw(process, address, buffer, size);
    if (done > 0 && process->traps.count)
        hide_traps(&process->traps, address, buffer, (uint64_t)done);
    return done;
}

/* While a page is writable it is not executable: nothing may run meanwhile. */
int64_t mach_write_memory(int pid, uint64_t address, const uint8_t *buffer, uint64_t size, mach_write_report *report) {
    struct process *process = find_process(pid);
    mach_write_report unread;
    if (!process)
        return -ESRCH;
    bool ran = !process->suspended;
    if (ran && task_suspend(process->task) != KERN_SUCCESS)
        ran = false; /* the write itself will say what is wrong with the task */
    int64_t done = write_around_traps(process, address, buffer, size, report ? report : &unread);
    if (ran)
        task_resume(process->task);
    return done;
}

int64_t mach_allocate_memory(int pid, uint64_t size, int protection) {
    struct process *process = find_process(pid);
    mach_vm_address_t address = 0;
    if (!process)
        return -ESRCH;
    kern_return_t code = mach_vm_allocate(process->task, &address, size, VM_FLAGS_ANYWHERE);
    if (code != KERN_SUCCESS)
        return kernel_error(code);
    code = mach_vm_protect(process->task, address, size, FALSE, protection);
    log_call(code, "mach_vm_protect(task=%#x, %#llx, %#llx, 0, %#x)", process->task, (unsigned long long)address,
             (unsigned long long)size, (unsigned)protection);
    if (code == KERN_SUCCESS)
        return (int64_t)address;
    mach_vm_deallocate(process->task, address, size);
    return kernel_error(code);
}

int mach_free_memory(int pid, uint64_t address, uint64_t size) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    return kernel_error(mach_vm_deallocate(process->task, address, size));
}
