/* Software breakpoints. A client never sees a trap in what it reads and never loses one by what it writes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mach_tracer.h"

/* The index of the first trap at or after `address`. */
static int trap_index(const struct process *process, uint64_t address) {
    int low = 0, high = process->trap_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (process->traps[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct trap *find_trap(struct process *process, uint64_t address) {
    int index = trap_index(process, address);
    bool there = index < process->trap_count && process->traps[index].address == address;
    return there ? &process->traps[index] : NULL;
}

/* The part of `trap` that lies in [address, address + size): offsets into both; the length, 0: none. */
static uint64_t overlap(const struct trap *trap, uint64_t address, uint64_t size, uint64_t *in_trap,
                        uint64_t *in_range) {
    uint64_t start = trap->address > address ? trap->address : address;
    uint64_t trap_end = trap->address + trap->size, range_end = address + size;
    uint64_t end = trap_end < range_end ? trap_end : range_end;
    *in_trap = start - trap->address;
    *in_range = start - address;
    return end > start ? end - start : 0;
}

static int first_overlapping(const struct process *process, uint64_t address) {
    uint64_t reach = sizeof process->traps->code - 1;
    return trap_index(process, address > reach ? address - reach : 0);
}

void hide_traps(const struct process *process, uint64_t address, uint8_t *buffer, uint64_t size) {
    for (int i = first_overlapping(process, address); i < process->trap_count; i++) {
        const struct trap *trap = &process->traps[i];
        uint64_t in_trap, in_range, length = overlap(trap, address, size, &in_trap, &in_range);
        if (trap->address >= address + size)
            break;
        if (length && trap->planted)
            memcpy(buffer + in_range, trap->original + in_trap, length);
    }
}

/* What the client wants below each planted trap is noted; the trap itself goes into memory. */
static void merge_traps(struct process *process, uint64_t address, const uint8_t *buffer, uint8_t *merged,
                        uint64_t size) {
    for (int i = first_overlapping(process, address); i < process->trap_count; i++) {
        struct trap *trap = &process->traps[i];
        uint64_t in_trap, in_range, length = overlap(trap, address, size, &in_trap, &in_range);
        if (!length || !trap->planted)
            continue;
        memcpy(trap->original + in_trap, buffer + in_range, length);
        memcpy(merged + in_range, trap->code + in_trap, length);
    }
}

int64_t write_around_traps(struct process *process, uint64_t address, const uint8_t *buffer, uint64_t size,
                           mach_write_report *report) {
    uint64_t page_size = process_page_size(process);
    if (!process->trap_count)
        return task_write(process->task, page_size, address, buffer, size, report);
    uint8_t *merged = malloc(size ? size : 1);
    if (!merged)
        return -ENOMEM;
    memcpy(merged, buffer, size);
    merge_traps(process, address, buffer, merged, size);
    int64_t done = task_write(process->task, page_size, address, merged, size, report);
    free(merged);
    return done;
}

/* Read back: a write that counts as done but is not there would lose the breakpoint in silence. */
static int put_code(struct process *process, uint64_t address, const uint8_t *code, int size) {
    mach_write_report report;
    uint8_t present[sizeof((struct trap *)0)->code];
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

static bool make_room(struct process *process) {
    if (process->trap_count < process->trap_capacity)
        return true;
    int capacity = process->trap_capacity ? 2 * process->trap_capacity : 16;
    struct trap *grown = realloc(process->traps, (size_t)capacity * sizeof *grown);
    if (!grown)
        return false;
    process->traps = grown;
    process->trap_capacity = capacity;
    return true;
}

static int insert_trap(struct process *process, struct trap *trap) {
    int64_t got = read_raw(process, trap->address, trap->original, trap->size);
    if (got != trap->size)
        return got < 0 ? (int)got : -EFAULT;
    if (!make_room(process))
        return -ENOMEM;
    int result = put_code(process, trap->address, trap->code, trap->size);
    if (result < 0) {
        /* The page may have been written and not put back: no trap without an entry. */
        put_code(process, trap->address, trap->original, trap->size);
        return result;
    }
    int index = trap_index(process, trap->address);
    memmove(&process->traps[index + 1], &process->traps[index],
            (size_t)(process->trap_count - index) * sizeof *process->traps);
    process->traps[index] = *trap;
    process->trap_count++;
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
    process->trap_count--;
    memmove(trap, trap + 1, (size_t)(process->trap_count - (trap - process->traps)) * sizeof *trap);
    return result < 0 ? result : 1;
}

void lift_traps(struct process *process) {
    for (int i = 0; i < process->trap_count; i++)
        lift_trap(process, &process->traps[i]);
    process->trap_count = 0;
}

void forget_traps(struct process *process) {
    process->trap_count = 0;
}

int mach_lift_all(int pid) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    lift_traps(process);
    clear_hardware(process);
    return 0;
}
