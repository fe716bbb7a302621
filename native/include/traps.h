/* The traps in a process' memory: bytes that a client never sees in what it reads and never loses by what it writes. */
#ifndef PYDBGSERVER_TRAPS_H
#define PYDBGSERVER_TRAPS_H

#include <stdbool.h>
#include <stdint.h>

#define PATCH_MAX 32

/* A trap; on Linux also a slot with the moved instruction of one (linux_slots.c). */
struct trap {
    uint64_t address;
    uint8_t size, pc_adjust;
    bool planted; /* false: it is not in memory now (Linux: the page went away while the trap was out) */
    uint8_t code[PATCH_MAX], original[PATCH_MAX];
    /* Linux only */
    uint8_t way; /* enum way */
    uint8_t moved_length;
    uint64_t slot;       /* WAY_SLOT: where the instruction is */
    uint64_t moved_from; /* of a slot: the trap's address */
};

struct trap_list {
    struct trap *items; /* ascending by address */
    int count, capacity;
};

/* The index of the first trap at or after `address`. */
int trap_index(const struct trap_list *list, uint64_t address);
struct trap *trap_at(const struct trap_list *list, uint64_t address);
/* Whether the trap begins before the end of [address, address+size), which may be that of the address space. */
bool begins_before_end(const struct trap *trap, uint64_t address, uint64_t size);
/* Room for one more; false: there is no memory for it. */
bool reserve_trap(struct trap_list *list);
/* Room has been reserved. */
void list_trap(struct trap_list *list, const struct trap *trap);
void unlist_trap(struct trap_list *list, struct trap *trap);
/* Puts the original bytes into what was read of memory. */
void hide_traps(const struct trap_list *list, uint64_t address, uint8_t *buffer, uint64_t size);
/* What is to be written for `wanted`: it becomes the original bytes of the planted traps, which stay. To be freed. */
uint8_t *merge_traps(struct trap_list *list, uint64_t address, const uint8_t *wanted, uint64_t size);

#endif
