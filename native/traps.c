/* The list of a process' traps, and what it does to reads and writes of memory. */
#include "traps.h"

#include <stdlib.h>
#include <string.h>

int trap_index(const struct trap_list *list, uint64_t address) {
    int low = 0, high = list->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (list->items[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct trap *trap_at(const struct trap_list *list, uint64_t address) {
    int index = trap_index(list, address);
    bool there = index < list->count && list->items[index].address == address;
    return there ? &list->items[index] : NULL;
}

bool begins_before_end(const struct trap *trap, uint64_t address, uint64_t size) {
    return trap->address <= address || trap->address - address < size;
}

bool reserve_trap(struct trap_list *list) {
    if (list->count < list->capacity)
        return true;
    int capacity = list->capacity ? 2 * list->capacity : 16;
    struct trap *grown = realloc(list->items, (size_t)capacity * sizeof *grown);
    if (!grown)
        return false;
    list->items = grown;
    list->capacity = capacity;
    return true;
}

void list_trap(struct trap_list *list, const struct trap *trap) {
    struct trap *place = &list->items[trap_index(list, trap->address)];
    memmove(place + 1, place, (size_t)(&list->items[list->count++] - place) * sizeof *place);
    *place = *trap;
}

void unlist_trap(struct trap_list *list, struct trap *trap) {
    memmove(trap, trap + 1, (size_t)(&list->items[--list->count] - trap) * sizeof *trap);
}

/* The part of `trap` that lies in [address, address+size): offsets into both; 0: none. */
static uint64_t overlap(const struct trap *trap, uint64_t address, uint64_t size, uint64_t *in_trap,
                        uint64_t *in_range) {
    uint64_t start = trap->address > address ? trap->address : address;
    uint64_t trap_end = trap->address + trap->size, range_end = address + size;
    uint64_t end = trap_end < range_end ? trap_end : range_end;
    *in_trap = start - trap->address;
    *in_range = start - address;
    return end > start ? end - start : 0;
}

/* The first trap that may reach into what begins at `address`. */
static struct trap *first_reaching(const struct trap_list *list, uint64_t address) {
    return &list->items[trap_index(list, address >= PATCH_MAX ? address - PATCH_MAX + 1 : 0)];
}

#define EACH_TRAP_IN(trap, list, address, size)                                                           \
    (struct trap *trap = first_reaching(list, address), *last = &(list)->items[(list)->count];            \
     trap < last && begins_before_end(trap, address, size); trap++)

void hide_traps(const struct trap_list *list, uint64_t address, uint8_t *buffer, uint64_t size) {
    for EACH_TRAP_IN (trap, list, address, size) {
        uint64_t in_trap, in_range, length = overlap(trap, address, size, &in_trap, &in_range);
        if (length && trap->planted)
            memcpy(buffer + in_range, trap->original + in_trap, length);
    }
}

uint8_t *merge_traps(struct trap_list *list, uint64_t address, const uint8_t *wanted, uint64_t size) {
    uint8_t *merged = malloc(size ? size : 1);
    if (!merged)
        return NULL;
    memcpy(merged, wanted, size);
    for EACH_TRAP_IN (trap, list, address, size) {
        uint64_t in_trap, in_range, length = overlap(trap, address, size, &in_trap, &in_range);
        if (!length || !trap->planted)
            continue;
        memcpy(trap->original + in_trap, wanted + in_range, length);
        memcpy(merged + in_range, trap->code + in_trap, length);
    }
    return merged;
}
