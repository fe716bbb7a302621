/* arm64 as Mach shows it: ARM_THREAD_STATE64 and ARM_DEBUG_STATE64 (mach/arm/_structs.h). */
#include "mach_tracer.h"

#if defined(__aarch64__)
#include <mach/thread_status.h>
#include <stddef.h>
#include <string.h>
#include <sys/sysctl.h>

/* DBGWCR and DBGBCR, ARM DDI 0487 D24.3: enable, privilege EL0 (bits 2:1), access, byte select, mask. */
enum { ENABLE = 1, USER = 2 << 1, LOAD = 1 << 3, STORE = 2 << 3, SELECT_SHIFT = 5, MASK_SHIFT = 24, SINGLE_STEP = 1 };
enum { DATA_DEBUG = 0x102 }; /* EXC_ARM_DA_DEBUG */

const int cpu_general_flavor = ARM_THREAD_STATE64, cpu_general_count = ARM_THREAD_STATE64_COUNT;
const int cpu_debug_flavor = ARM_DEBUG_STATE64, cpu_debug_count = ARM_DEBUG_STATE64_COUNT;
_Static_assert(sizeof(arm_debug_state64_t) == DEBUG_STATE_MAX, "debug state");

enum { PC_OFFSET = 256 };
_Static_assert(sizeof(arm_thread_state64_t) == 272, "x0-x28, fp, lr, sp, pc, cpsr");

uint64_t cpu_pc(const uint8_t *general) {
    uint64_t pc;
    memcpy(&pc, general + PC_OFFSET, sizeof pc);
    return pc;
}

void cpu_set_pc(uint8_t *general, uint64_t pc) {
    memcpy(general + PC_OFFSET, &pc, sizeof pc);
}

bool cpu_step_in_general(void) {
    return false;
}

void cpu_encode_step(uint8_t *state, bool on) {
    arm_debug_state64_t *debug = (arm_debug_state64_t *)state;
    debug->__mdscr_el1 = on ? debug->__mdscr_el1 | SINGLE_STEP : debug->__mdscr_el1 & ~(uint64_t)SINGLE_STEP;
}

int cpu_slots(int kind) {
    uint32_t count = 0;
    size_t size = sizeof count;
    const char *name = kind == MACH_WATCH_EXECUTE ? "hw.optional.breakpoint" : "hw.optional.watchpoint";
    if (sysctlbyname(name, &count, &size, NULL, 0) < 0)
        return 0;
    return count > SLOT_COUNT ? SLOT_COUNT : (int)count;
}

bool cpu_slot_shared(void) {
    return false;
}

static bool is_power_of_two(uint64_t size) {
    return size && !(size & (size - 1));
}

/* Up to 8 bytes by byte select inside an aligned double word; more by the address mask (at least 3 bits, at most 31). */
bool cpu_fits(int kind, uint64_t address, uint64_t size) {
    if (kind == MACH_WATCH_EXECUTE)
        return address % 4 == 0 && size >= 1 && size <= 4;
    if (size >= 1 && size <= 8)
        return address % 8 + size <= 8;
    return is_power_of_two(size) && size <= 1ull << 31 && address % size == 0;
}

static uint64_t watch_control(const struct slot *what) {
    uint64_t access = what->kind == MACH_WATCH_WRITE ? STORE : what->kind == MACH_WATCH_READ ? LOAD : LOAD | STORE;
    uint64_t select = 0xff, mask = 0;
    if (what->size <= 8)
        select = ((1ull << what->size) - 1) << (what->address % 8);
    else
        mask = (uint64_t)__builtin_ctzll(what->size);
    return mask << MASK_SHIFT | select << SELECT_SHIFT | access | USER | ENABLE;
}

void cpu_encode_slot(uint8_t *debug, int slot, const struct slot *what, bool watch) {
    arm_debug_state64_t *state = (arm_debug_state64_t *)debug;
    if (watch) {
        state->__wvr[slot] = what ? what->address & ~7ull : 0;
        state->__wcr[slot] = what ? watch_control(what) : 0;
    } else {
        state->__bvr[slot] = what ? what->address & ~3ull : 0;
        state->__bcr[slot] = what ? 0xful << SELECT_SHIFT | USER | ENABLE | 2 : 0;
    }
}

/* The address is that of the access, which may begin before the watched bytes of its double word. */
static bool touches(const struct slot *what, uint64_t address) {
    if (!what->used)
        return false;
    if (what->size > 8)
        return address - what->address < what->size;
    return (address & ~7ull) == (what->address & ~7ull);
}

int cpu_classify(struct thread *thread, const struct exception *exception, const struct hardware *hardware,
                 uint64_t *slot, bool *watch) {
    uint64_t address = (uint64_t)exception->codes[1];
    *watch = exception->codes[0] == DATA_DEBUG;
    (void)thread;
    if (!*watch && !address)
        return MACH_STOP_STEP;
    const struct slot *slots = *watch ? hardware->watch : hardware->execute;
    for (int i = 0; i < SLOT_COUNT; i++)
        if (*watch ? touches(&slots[i], address) : slots[i].used && slots[i].address == address) {
            *slot = (uint64_t)i;
            return MACH_STOP_HARDWARE;
        }
    return MACH_STOP_BREAKPOINT;
}

/* The watchpoint exception comes before the access: the slot has to be out for the thread to get past it. */
bool cpu_watch_before_access(void) {
    return true;
}

int cpu_trap_adjust(void) {
    return 0;
}

bool cpu_is_trap(const uint8_t *code) {
    uint32_t word;
    memcpy(&word, code, sizeof word);
    return (word & 0xffe0001f) == 0xd4200000; /* brk #imm16 */
}

/* brk #0xf000 is what compilers emit for __builtin_debugtrap: the thread would stop there for ever. */
int cpu_skip_foreign_trap(const uint8_t *code, int size) {
    static const uint8_t debugtrap[4] = {0x00, 0x00, 0x3e, 0xd4};
    return size >= 4 && memcmp(code, debugtrap, sizeof debugtrap) == 0 ? 4 : 0;
}
#endif
