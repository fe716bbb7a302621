/* Hardware breakpoints and watchpoints: the slots of a process, set on each of its threads and on the task, from which
 * threads to come take them. */
#include <errno.h>
#include <string.h>

#include "mach_tracer.h"

static struct slot *slot_of(struct hardware *hardware, int slot, int kind) {
    return kind == MACH_WATCH_EXECUTE ? &hardware->execute[slot] : &hardware->watch[slot];
}

uint32_t slot_bit(int slot, int kind) {
    return 1u << (slot + (kind == MACH_WATCH_EXECUTE ? 0 : 16));
}

/* A shared slot is encoded once, from whichever of its two entries is in use. */
static void encode(uint8_t *debug, const struct hardware *hardware, uint32_t lifted) {
    int watch_slots = cpu_slots(MACH_WATCH_WRITE), execute_slots = cpu_slots(MACH_WATCH_EXECUTE);
    for (int i = 0; i < watch_slots; i++) {
        bool there = hardware->watch[i].used && !(lifted & slot_bit(i, MACH_WATCH_WRITE));
        cpu_encode_slot(debug, i, there ? &hardware->watch[i] : NULL, true);
    }
    for (int i = 0; i < execute_slots; i++) {
        bool there = hardware->execute[i].used && !(lifted & slot_bit(i, MACH_WATCH_EXECUTE));
        if (there || !cpu_slot_shared())
            cpu_encode_slot(debug, i, there ? &hardware->execute[i] : NULL, false);
    }
}

bool write_thread_hardware(struct thread *thread) {
    natural_t debug[DEBUG_STATE_MAX / sizeof(natural_t)] = {0};
    mach_msg_type_number_t count = (mach_msg_type_number_t)cpu_debug_count;
    kern_return_t code = thread_get_state(thread->port, cpu_debug_flavor, debug, &count);
    if (code == KERN_SUCCESS) {
        encode((uint8_t *)debug, &thread->process->hardware, thread->lifted_slots);
        code = thread_set_state(thread->port, cpu_debug_flavor, debug, count);
    }
    if (code != KERN_SUCCESS)
        log_call(code, "debug state of thread=%#x", thread->port);
    return code == KERN_SUCCESS;
}

static int write_task_hardware(struct process *process) {
    natural_t debug[DEBUG_STATE_MAX / sizeof(natural_t)] = {0};
    encode((uint8_t *)debug, &process->hardware, 0);
    kern_return_t code =
        task_set_state(process->task, cpu_debug_flavor, debug, (mach_msg_type_number_t)cpu_debug_count);
    if (code != KERN_SUCCESS)
        log_call(code, "task_set_state(task=%#x, debug)", process->task);
    return kernel_error(code);
}

static int write_all(struct process *process) {
    process->hardware.ever_used = true;
    for EACH_THREAD (thread, process)
        if (!write_thread_hardware(thread))
            return -EIO;
    return write_task_hardware(process);
}

static int change(struct process *process, int slot, int kind, struct slot what) {
    struct slot *place = slot_of(&process->hardware, slot, kind), before = *place;
    *place = what;
    int result = write_all(process);
    if (result < 0) {
        *place = before;
        write_all(process);
    }
    return result;
}

static bool is_taken(struct hardware *hardware, int slot, int kind) {
    int other = kind == MACH_WATCH_EXECUTE ? MACH_WATCH_WRITE : MACH_WATCH_EXECUTE;
    return cpu_slot_shared() && slot_of(hardware, slot, other)->used;
}

int mach_hardware_slots(int kind) {
    return cpu_slots(kind);
}

int mach_set_hardware(int pid, int slot, int kind, uint64_t address, uint64_t size) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    if (slot < 0 || slot >= cpu_slots(kind) || !cpu_fits(kind, address, size))
        return -EINVAL;
    if (is_taken(&process->hardware, slot, kind))
        return -EBUSY;
    return change(process, slot, kind, (struct slot){true, kind, address, size});
}

int mach_clear_hardware(int pid, int slot, int kind) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    if (slot < 0 || slot >= cpu_slots(kind))
        return -EINVAL;
    return change(process, slot, kind, (struct slot){0});
}

void clear_hardware(struct process *process) {
    if (!process->hardware.ever_used)
        return;
    memset(&process->hardware, 0, sizeof process->hardware);
    write_all(process);
    process->hardware.ever_used = false;
}

/* The execute slots set at `pc`. */
uint32_t hardware_at(const struct process *process, uint64_t pc) {
    uint32_t bits = 0;
    for (int i = 0; i < SLOT_COUNT; i++)
        if (process->hardware.execute[i].used && process->hardware.execute[i].address == pc)
            bits |= slot_bit(i, MACH_WATCH_EXECUTE);
    return bits;
}
