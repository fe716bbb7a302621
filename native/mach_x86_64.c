/* x86_64 as Mach shows it: x86_THREAD_STATE64 and x86_DEBUG_STATE64 (mach/i386/thread_status.h). */
#include "mach_tracer.h"

#if defined(__x86_64__)
#include <mach/thread_status.h>
#include <stddef.h>
#include <string.h>

enum { TRAP_FLAG = 0x100, EXECUTE_FIELD = 0, WRITE_FIELD = 1, ACCESS_FIELD = 3, SLOTS = 4 };

const int cpu_general_flavor = x86_THREAD_STATE64, cpu_general_count = x86_THREAD_STATE64_COUNT;
const int cpu_debug_flavor = x86_DEBUG_STATE64, cpu_debug_count = x86_DEBUG_STATE64_COUNT;

static uint64_t load(const uint8_t *state, size_t offset) {
    uint64_t value;
    memcpy(&value, state + offset, sizeof value);
    return value;
}

static void store(uint8_t *state, size_t offset, uint64_t value) {
    memcpy(state + offset, &value, sizeof value);
}

uint64_t cpu_pc(const uint8_t *general) {
    return load(general, offsetof(x86_thread_state64_t, __rip));
}

void cpu_set_pc(uint8_t *general, uint64_t pc) {
    store(general, offsetof(x86_thread_state64_t, __rip), pc);
}

bool cpu_step_in_general(void) {
    return true;
}

void cpu_encode_step(uint8_t *state, bool on) {
    const size_t at = offsetof(x86_thread_state64_t, __rflags);
    uint64_t flags = load(state, at);
    store(state, at, on ? flags | TRAP_FLAG : flags & ~(uint64_t)TRAP_FLAG);
}

int cpu_slots(int kind) {
    return kind == MACH_WATCH_READ ? 0 : SLOTS;
}

bool cpu_slot_shared(void) {
    return true;
}

/* A debug register watches 1, 2, 4 or 8 bytes aligned to themselves; there is no kind for reads alone. */
bool cpu_fits(int kind, uint64_t address, uint64_t size) {
    if (kind == MACH_WATCH_EXECUTE)
        return size >= 1;
    bool length = size == 1 || size == 2 || size == 4 || size == 8;
    return kind != MACH_WATCH_READ && length && address % size == 0;
}

static unsigned field(const struct slot *what) {
    static const uint8_t lengths[] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};
    if (what->kind == MACH_WATCH_EXECUTE)
        return EXECUTE_FIELD;
    unsigned access = what->kind == MACH_WATCH_WRITE ? WRITE_FIELD : ACCESS_FIELD;
    return (unsigned)lengths[what->size] << 2 | access;
}

/* `what` NULL: the slot goes out. Its length and kind go too, or they would be ORed into the next one's. Status bits
 * of an earlier hit are sticky: they are cleared with every change. */
void cpu_encode_slot(uint8_t *debug, int slot, const struct slot *what, bool watch) {
    const size_t control = offsetof(x86_debug_state64_t, __dr7);
    uint64_t value = load(debug, control) & ~(3ull << 2 * slot | 0xfull << (16 + 4 * slot));
    (void)watch;
    if (what)
        value |= 1ull << 2 * slot | (uint64_t)field(what) << (16 + 4 * slot);
    store(debug, control, value);
    store(debug, (size_t)slot * 8, what ? what->address : 0);
    store(debug, offsetof(x86_debug_state64_t, __dr6), 0);
}

static uint64_t take_status(struct thread *thread) {
    x86_debug_state64_t debug;
    mach_msg_type_number_t count = x86_DEBUG_STATE64_COUNT;
    if (thread_get_state(thread->port, x86_DEBUG_STATE64, (thread_state_t)&debug, &count) != KERN_SUCCESS)
        return 0;
    uint64_t status = debug.__dr6;
    if (status & 0xf) {
        debug.__dr6 = 0;
        thread_set_state(thread->port, x86_DEBUG_STATE64, (thread_state_t)&debug, count);
    }
    return status;
}

/* A step and a watchpoint are the same exception; dr6 tells which slots were hit: one instruction may touch several. */
int cpu_classify(struct thread *thread, const struct exception *exception, const struct hardware *hardware,
                 uint64_t *slot, bool *watch) {
    if (exception->codes[0] != EXC_I386_SGL)
        return MACH_STOP_BREAKPOINT;
    uint64_t status = hardware->ever_used ? take_status(thread) : 0, hit = 0;
    for (int i = 0; i < SLOTS; i++)
        if (hardware->execute[i].used || hardware->watch[i].used)
            hit |= status & 1ull << i;
    if (hit) {
        *slot = (uint64_t)__builtin_ctzll(hit) | hit << 8;
        *watch = hardware->watch[__builtin_ctzll(hit)].used;
        return MACH_STOP_HARDWARE;
    }
    return MACH_STOP_STEP;
}

bool cpu_watch_before_access(void) {
    return false;
}

int cpu_trap_adjust(void) {
    return 1;
}

bool cpu_is_trap(const uint8_t *code) {
    return code[0] == 0xcc;
}

/* int3 has been executed: the pc is past it already. */
int cpu_skip_foreign_trap(const uint8_t *code, int size) {
    (void)code, (void)size;
    return 0;
}
#endif
