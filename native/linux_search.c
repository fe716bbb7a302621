/* Finding bytes in the target's memory, planted traps hidden. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What fits the second cache of a CPU beside what else is there. */
#define PIECE (128u * 1024)

static int search(int pid, uint64_t address, uint64_t length, const uint8_t *pattern, uint64_t size, uint8_t *room,
                  uint64_t *found) {
    uint64_t done = 0, kept = 0;
    while (done < length) {
        uint64_t want = length - done < PIECE ? length - done : PIECE;
        *found = address + done;
        if (*found < address)
            return -EFAULT;
        int64_t got = linux_read_memory(pid, *found, room + kept, want);
        if (got <= 0)
            return got ? (int)got : -EFAULT;
        uint64_t there = kept + (uint64_t)got;
        const uint8_t *hit = memmem(room, there, pattern, size);
        if (hit) {
            *found += (uint64_t)(hit - room) - kept;
            return 1;
        }
        done += (uint64_t)got;
        kept = there < size - 1 ? there : size - 1;
        memmove(room, room + there - kept, kept);
    }
    return 0;
}

int linux_search_memory(int pid, uint64_t address, uint64_t length, const uint8_t *pattern, uint64_t size, uint64_t *found) {
    *found = address;
    if (!size)
        return -EINVAL;
    if (size > length)
        return 0;
    uint8_t *room = malloc(PIECE + size);
    if (!room)
        return -ENOMEM;
    int result = search(pid, address, length, pattern, size, room, found);
    free(room);
    return result;
}
