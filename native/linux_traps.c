/* The traps in the target's memory: planting, lifting, and what becomes of them when processes come and go. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct trap *find_trap(struct process *process, uint64_t address) {
    return trap_at(&process->traps, address);
}

/* A child in its parent's memory meets the parent's traps, those planted since it was born too. */
struct trap *find_shared_trap(struct process *process, uint64_t address) {
    struct trap *trap = find_trap(process, address);
    if (trap || !process->silent)
        return trap;
    for EACH_PROCESS (other)
        if (!other->silent && (trap = find_trap(other, address)) && kernel.same_memory(other->pid, process->pid))
            return trap;
    return NULL;
}

/* Plants a trap that is known but may not be there any more: in memory shared with a vfork parent the client has
 * removed the parent's, or the page was mapped anew. */
static int plant_again(struct process *process, struct trap *trap) {
    uint8_t present[sizeof trap->code];
    if (read_memory_raw(process, trap->address, present, trap->size) != trap->size)
        return -EFAULT;
    if (!memcmp(present, trap->code, trap->size))
        return 0;
    memcpy(trap->original, present, trap->size);
    trap->planted = true;
    trap->way = WAY_UNKNOWN;
    return write_code(process, trap->address, trap->code, trap->size) ? 0 : -EFAULT;
}

/* The bytes that are there are kept, and the trap is listed. */
static int plant(struct process *process, struct trap *trap) {
    if (read_memory_raw(process, trap->address, trap->original, trap->size) != trap->size)
        return -EFAULT;
    if (!reserve_trap(&process->traps))
        return -ENOMEM;
    if (!write_code(process, trap->address, trap->code, trap->size))
        return -EFAULT;
    list_trap(&process->traps, trap);
    return 0;
}

bool add_slot(struct process *process, const struct trap *slot) {
    struct trap planted = *slot;
    return plant(process, &planted) == 0;
}

int linux_insert_trap(int pid, uint64_t address, const uint8_t *code, int size, int pc_adjust) {
    struct process *process = find_process(pid);
    struct trap trap = {.address = address, .size = (uint8_t)size, .pc_adjust = (uint8_t)pc_adjust, .planted = true};
    if (!process)
        return -ESRCH;
    if (size < 1 || (size_t)size > sizeof trap.code)
        return -EINVAL;
    struct trap *known = find_trap(process, address);
    if (known)
        return plant_again(process, known);
    memcpy(trap.code, code, (size_t)size);
    return plant(process, &trap);
}

/* process_vm_readv(2): EFAULT where nothing is mapped, ESRCH for a process that is dying. */
static bool is_unmapped(struct process *process, uint64_t address) {
    uint8_t byte;
    struct iovec local = {&byte, 1}, remote = {(void *)(uintptr_t)address, 1};
    struct thread *thread = live_thread(process);
    return thread && kernel.vm_readv(thread->tid, &local, &remote) == -EFAULT;
}

/* Puts the original bytes back, unless the page now holds something else: it
 * was unmapped and mapped anew, or the program wrote over the trap.
 * -EFAULT: there is no page any more. */
static int lift(struct process *process, const struct trap *trap) {
    uint8_t present[sizeof trap->code];
    if (!trap->planted)
        return 0;
    if (read_memory_raw(process, trap->address, present, trap->size) != trap->size)
        return is_unmapped(process, trap->address) ? -EFAULT : 0;
    if (memcmp(present, trap->code, trap->size) == 0)
        write_code(process, trap->address, trap->original, trap->size);
    return 0;
}

static int remove_listed(struct process *process, struct trap *trap) {
    int result = lift(process, trap);
    unlist_trap(&process->traps, trap);
    return result;
}

int linux_remove_trap(int pid, uint64_t address) {
    struct process *process = find_process(pid);
    struct trap *trap = process ? find_trap(process, address) : NULL;
    if (!process)
        return -ESRCH;
    drop_point(process, address, false);
    if (!trap || trap->pc_adjust == NOT_A_TRAP)
        return 0;
    int result = remove_listed(process, trap);
    return result < 0 ? result : 1;
}

void remove_slot(struct process *process, uint64_t address) {
    remove_listed(process, find_trap(process, address));
}

void lift_traps(struct process *process) {
    for (int i = 0; i < process->traps.count; i++)
        lift(process, &process->traps.items[i]);
    process->traps.count = 0;
}

/* All but those whose commands go on without a client. */
static void lift_temporary(struct process *process) {
    struct trap_list *list = &process->traps;
    int kept = 0;
    for (int i = 0; i < list->count; i++)
        if (is_persistent(process, list->items[i].address)) {
            list->items[kept] = list->items[i];
            list->items[kept++].way = WAY_UNKNOWN; /* its slot goes */
        } else {
            lift(process, &list->items[i]);
        }
    list->count = kept;
}

int linux_lift_all(int pid) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    lift_temporary(process);
    for (int i = process->point_count - 1; i >= 0; i--)
        if (process->points[i].hardware || !is_persistent(process, process->points[i].address))
            drop_point(process, process->points[i].address, process->points[i].hardware);
    memset(process->debug.address, 0, sizeof process->debug.address);
    process->debug.control = 0;
    if (process->debug.generation)
        process->debug.generation++;
    return 0;
}

bool copy_traps(struct process *child, const struct process *parent) {
    const struct trap_list *list = &parent->traps;
    size_t size = (size_t)list->count * sizeof *list->items;
    struct trap *items = malloc(size ? size : 1);
    if (!items)
        return false;
    if (size)
        memcpy(items, list->items, size);
    child->traps = (struct trap_list){items, list->count, list->count};
    return true;
}
