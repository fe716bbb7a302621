/* Software breakpoints. A client never sees a trap in what it reads and never loses one by what it writes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mach_tracer.h"

struct trap *find_trap(struct process *process, uint64_t address) {
    return trap_at(&process->traps, address);
}

int64_t write_around_traps(struct process *process, uint64_t address, const uint8_t *buffer, uint64_t size,
                           mach_write_report *report) {
    uint64_t page_size = process_page_size(process);
    if (!process->traps.count)
        return task_write(process->task, page_size, address, buffer, size, report);
    uint8_t *merged = merge_traps(&process->traps, address, buffer, size);
    if (!merged)
        return -ENOMEM;
    int64_t done = task_write(process->task, page_size, address, merged, size, report);
    free(merged);
    return done;
}

/* Read back: a write that counts as done but is not there would lose the breakpoint in silence. */
static int put_code(struct process *process, uint64_t address, const uint8_t *code, int size) {
    mach_write_report report;
    uint8_t present[PATCH_MAX];
    int64_t done = task_write(process->task, process_page_size(process), address, code, (uint64_t)size, &report);
    if (report.restore_error)
        return report.restore_error;
    if (done != size)
        return report.error ? report.error : -EFAULT;
    if (read_raw(process, address, present, (uint64_t)size) != size || memcmp(present, code, (size_t)size) != 0)
        return -EIO;
    return 0;
}

void plant_trap(struct process *process, struct trap *trap) {
    trap->planted = put_code(process, trap->address, trap->code, trap->size) == 0;
}

/* Puts the original bytes back, unless something else is there now; < 0: nothing can be read there. */
int lift_trap(struct process *process, const struct trap *trap) {
    uint8_t present[sizeof trap->code];
    int64_t got = trap->planted ? read_raw(process, trap->address, present, trap->size) : 0;
    if (got == trap->size && memcmp(present, trap->code, trap->size) == 0)
        put_code(process, trap->address, trap->original, trap->size);
    return got < 0 ? (int)got : 0;
}

static int insert_trap(struct process *process, struct trap *trap) {
    int64_t got = read_raw(process, trap->address, trap->original, trap->size);
    if (got != trap->size)
        return got < 0 ? (int)got : -EFAULT;
    if (!reserve_trap(&process->traps))
        return -ENOMEM;
    int result = put_code(process, trap->address, trap->code, trap->size);
    if (result < 0) {
        /* The page may have been written and not put back: no trap without an entry. */
        put_code(process, trap->address, trap->original, trap->size);
        return result;
    }
    list_trap(&process->traps, trap);
    return 0;
}

int mach_insert_trap(int pid, uint64_t address, const uint8_t *code, int size, int pc_adjust) {
    struct process *process = find_process(pid);
    struct trap trap = {.address = address, .size = (uint8_t)size, .pc_adjust = (uint8_t)pc_adjust, .planted = true};
    if (!process)
        return -ESRCH;
    if (size < 1 || (size_t)size > sizeof trap.code)
        return -EINVAL;
    struct trap *known = find_trap(process, address);
    if (known && known->planted)
        return 0;
    if (known)
        mach_remove_trap(pid, address);
    memcpy(trap.code, code, (size_t)size);
    return insert_trap(process, &trap);
}

int mach_remove_trap(int pid, uint64_t address) {
    struct process *process = find_process(pid);
    struct trap *trap = process ? find_trap(process, address) : NULL;
    if (!process)
        return -ESRCH;
    if (!trap)
        return 0;
    int result = lift_trap(process, trap);
    unlist_trap(&process->traps, trap);
    return result < 0 ? result : 1;
}

void lift_traps(struct process *process) {
    for (int i = 0; i < process->traps.count; i++)
        lift_trap(process, &process->traps.items[i]);
    process->traps.count = 0;
}

void forget_traps(struct process *process) {
    process->traps.count = 0;
}

int mach_lift_all(int pid) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    lift_traps(process);
    clear_hardware(process);
    return 0;
}
