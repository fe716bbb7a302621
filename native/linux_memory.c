/* The target's memory and the traps planted in it. A client never sees a trap
 * in what it reads and never loses one by what it writes. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void forget_memory(struct process *process) {
    if (process->memory_fd >= 0)
        close(process->memory_fd);
    process->memory_fd = -1;
}

/* proc(5): /proc/PID/mem ignores page protection (FOLL_FORCE) for a tracer.
 * It is opened by way of a thread that lives: a zombie leader has no memory. */
static int memory_file(struct process *process) {
    struct thread *thread = live_thread(process);
    if (process->memory_fd < 0 && thread) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/mem", (int)thread->tid);
        process->memory_fd = open(path, O_RDWR | O_CLOEXEC);
    }
    return process->memory_fd;
}

static int64_t read_forced(struct process *process, uint64_t address, uint8_t *buffer, uint64_t size) {
    int fd = memory_file(process);
    ssize_t done = fd < 0 ? -1 : pread(fd, buffer, size, (off_t)address);
    return done < 0 ? 0 : done;
}

static int64_t write_forced(struct process *process, uint64_t address, const uint8_t *buffer, uint64_t size) {
    int fd = memory_file(process);
    ssize_t done = fd < 0 ? -1 : pwrite(fd, buffer, size, (off_t)address);
    return done < 0 ? 0 : done;
}

/* Where /proc/PID/mem is not to be had (an LSM, a mount without it): a word at
 * a time through ptrace, which forces protections as well. */
static int64_t write_words(struct thread *thread, uint64_t address, const uint8_t *buffer, uint64_t size) {
    uint64_t done = 0;
    while (done < size) {
        uint64_t word, at = address + done, base = at & ~7ull, skip = at - base;
        uint64_t count = 8 - skip < size - done ? 8 - skip : size - done;
        if (trace(PTRACE_PEEKDATA, thread->tid, base, (uintptr_t)&word) < 0)
            break;
        memcpy((uint8_t *)&word + skip, buffer + done, count);
        if (trace(PTRACE_POKEDATA, thread->tid, base, (uintptr_t)word) < 0)
            break;
        done += count;
    }
    return (int64_t)done;
}

/* process_vm_readv pins pages and copies straight; for a few bytes a pread of /proc/PID/mem costs half as much
 * (0.9 against 1.6 us for 8 bytes, Linux 6.18), for 64 KiB three times as much. */
#define SMALL_READ 1024

int64_t read_memory_raw(struct process *process, uint64_t address, uint8_t *buffer, uint64_t size) {
    struct thread *thread = live_thread(process);
    if (!thread)
        return -ESRCH;
    uint64_t done = size <= SMALL_READ ? (uint64_t)read_forced(process, address, buffer, size) : 0;
    while (done < size) {
        struct iovec local = {buffer + done, size - done};
        struct iovec remote = {(void *)(uintptr_t)(address + done), size - done};
        int64_t got = kernel.vm_readv(thread->tid, &local, &remote);
        if (got <= 0)
            got = read_forced(process, address + done, buffer + done, size - done);
        if (got <= 0)
            break;
        done += (uint64_t)got;
    }
    return done || !size ? (int64_t)done : -EFAULT;
}

static int64_t write_raw(struct process *process, uint64_t address, const uint8_t *buffer, uint64_t size) {
    struct thread *thread = live_thread(process);
    if (!thread)
        return -ESRCH;
    uint64_t done = 0;
    while (done < size) {
        struct iovec local = {(void *)(buffer + done), size - done};
        struct iovec remote = {(void *)(uintptr_t)(address + done), size - done};
        int64_t put = kernel.vm_writev(thread->tid, &local, &remote);
        if (put <= 0)
            put = write_forced(process, address + done, buffer + done, size - done);
        if (put <= 0 && thread->state == THREAD_STOPPED)
            put = write_words(thread, address + done, buffer + done, size - done);
        if (put <= 0)
            break;
        done += (uint64_t)put;
    }
    return done || !size ? (int64_t)done : -EFAULT;
}

/* --- traps ----------------------------------------------------------------- */

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

/* The part of `trap` that lies in [address, address+size): offsets into both; 0: none. */
static uint64_t overlap(const struct trap *trap, uint64_t address, uint64_t size, uint64_t *in_trap, uint64_t *in_range) {
    uint64_t start = trap->address > address ? trap->address : address;
    uint64_t trap_end = trap->address + trap->size, range_end = address + size;
    uint64_t end = trap_end < range_end ? trap_end : range_end;
    *in_trap = start - trap->address;
    *in_range = start - address;
    return end > start ? end - start : 0;
}

static int first_overlapping(const struct process *process, uint64_t address) {
    return trap_index(process, address >= sizeof process->traps->code ? address - sizeof process->traps->code + 1 : 0);
}

static bool starts_before(const struct process *process, int index, uint64_t address, uint64_t size) {
    uint64_t trap = process->traps[index].address;
    return trap <= address || trap - address < size;
}

static void hide_traps(const struct process *process, uint64_t address, uint8_t *buffer, uint64_t size) {
    for (int i = first_overlapping(process, address); i < process->trap_count && starts_before(process, i, address, size);
         i++) {
        const struct trap *trap = &process->traps[i];
        uint64_t in_trap, in_range, length = overlap(trap, address, size, &in_trap, &in_range);
        if (length && trap->planted)
            memcpy(buffer + in_range, trap->original + in_trap, length);
    }
}

int64_t linux_read_memory(int pid, uint64_t address, uint8_t *buffer, uint64_t size) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    int64_t done = read_memory_raw(process, address, buffer, size);
    if (done > 0 && process->trap_count)
        hide_traps(process, address, buffer, (uint64_t)done);
    return done;
}

/* Writes what the client wants to be there below each planted trap, and the trap itself into memory. */
static int64_t write_around_traps(struct process *process, uint64_t address, const uint8_t *buffer, uint64_t size) {
    uint8_t *merged = malloc(size);
    if (!merged)
        return -ENOMEM;
    memcpy(merged, buffer, size);
    for (int i = first_overlapping(process, address); i < process->trap_count && starts_before(process, i, address, size);
         i++) {
        struct trap *trap = &process->traps[i];
        uint64_t in_trap, in_range, length = overlap(trap, address, size, &in_trap, &in_range);
        if (!length || !trap->planted)
            continue;
        memcpy(trap->original + in_trap, buffer + in_range, length);
        memcpy(merged + in_range, trap->code + in_trap, length);
    }
    int64_t done = write_raw(process, address, merged, size);
    free(merged);
    return done;
}

/* The instructions there may be others now. */
static void reconsider_ways(struct process *process, uint64_t address, uint64_t size) {
    uint64_t first = address >= INSTRUCTION_MAX ? address - INSTRUCTION_MAX : 0;
    for (int i = trap_index(process, first); i < process->trap_count && starts_before(process, i, address, size); i++)
        process->traps[i].way = WAY_UNKNOWN;
}

int64_t linux_write_memory(int pid, uint64_t address, const uint8_t *buffer, uint64_t size) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    if (process->trap_count) {
        reconsider_ways(process, address, size);
        return write_around_traps(process, address, buffer, size);
    }
    return write_raw(process, address, buffer, size);
}

bool write_code(struct process *process, uint64_t address, const uint8_t *bytes, int size) {
    /* Code pages are never writable in practice: straight to the way that ignores protection. */
    if (write_forced(process, address, bytes, (uint64_t)size) == size)
        return true;
    return write_raw(process, address, bytes, (uint64_t)size) == size;
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
    if (process->trap_count == process->trap_capacity) {
        int capacity = process->trap_capacity ? 2 * process->trap_capacity : 16;
        struct trap *grown = realloc(process->traps, (size_t)capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        process->traps = grown;
        process->trap_capacity = capacity;
    }
    if (!write_code(process, trap->address, trap->code, trap->size))
        return -EFAULT;
    int index = trap_index(process, trap->address);
    memmove(&process->traps[index + 1], &process->traps[index],
            (size_t)(process->trap_count - index) * sizeof *process->traps);
    process->traps[index] = *trap;
    process->trap_count++;
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
    int index = (int)(trap - process->traps);
    process->trap_count--;
    memmove(trap, trap + 1, (size_t)(process->trap_count - index) * sizeof *trap);
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
    for (int i = 0; i < process->trap_count; i++)
        lift(process, &process->traps[i]);
    process->trap_count = 0;
}

int linux_lift_all(int pid) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    int kept = 0;
    for (int i = 0; i < process->trap_count; i++)
        if (is_persistent(process, process->traps[i].address)) {
            process->traps[kept] = process->traps[i];
            process->traps[kept++].way = WAY_UNKNOWN; /* its slot goes */
        } else {
            lift(process, &process->traps[i]);
        }
    process->trap_count = kept;
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
    size_t size = (size_t)parent->trap_count * sizeof *parent->traps;
    child->traps = malloc(size ? size : 1);
    if (!child->traps)
        return false;
    if (size)
        memcpy(child->traps, parent->traps, size);
    child->trap_count = child->trap_capacity = parent->trap_count;
    return true;
}
