/* Memory that is a file's, and somebody cuts the file off: where there is no file any more the kernel raises SIGBUS
 * (mmap(2)), which would end the process, and with it what it debugs. */

#define _GNU_SOURCE
#include "rsp.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__APPLE__) && !defined(MAP_ANONYMOUS)
#define MAP_ANONYMOUS MAP_ANON
#endif

/* Written by one thread, which is the one that meets the fault, too. */
static rsp_room *guarded;
static struct sigaction before;
static int installed;

static rsp_room *room_at(const uint8_t *address)
{
    for (rsp_room *one = guarded; one; one = one->next)
        if (address >= one->start && address < one->start + one->mapped)
            return one;
    return NULL;
}

/* Memory that is nobody's takes the place of what is lost, from the page of `address` on. */
static int replace(rsp_room *room, uint8_t *address)
{
    uintptr_t page = (uintptr_t)address & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
    size_t size = (size_t)((uintptr_t)room->start + (uintptr_t)room->mapped - page);
    return mmap((void *)page, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
    (void)context;
    int told = errno;
    rsp_room *room = info->si_code > 0 ? room_at(info->si_addr) : NULL;
    if (room && replace(room, info->si_addr)) {
        room->lost = 1;
    } else {
        /* It is not ours: it comes once more, to whom it would have come. */
        sigaction(SIGBUS, &before, NULL);
        installed = 0;
        if (info->si_code <= 0)
            raise(signal);
    }
    errno = told;
}

static int guard(void)
{
    if (installed)
        return 0;
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &before) < 0)
        return -errno;
    installed = 1;
    return 0;
}

static void leave(rsp_room *room)
{
    for (rsp_room **link = &guarded; *link; link = &(*link)->next) {
        if (*link != room)
            continue;
        *link = room->next;
        munmap(room->start, (size_t)room->mapped);
        return;
    }
}

int rsp_map(rsp_room *room, int descriptor, int64_t mapped)
{
    int failed = guard();
    if (failed)
        return failed;
    void *start = mmap(NULL, (size_t)mapped, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (start == MAP_FAILED)
        return -errno;
    rsp_withdraw(room);
    leave(room);
    room->start = start;
    room->mapped = mapped;
    room->descriptor = descriptor;
    room->next = guarded;
    guarded = room;
    return 0;
}

void rsp_unmap(rsp_room *room)
{
    rsp_withdraw(room);
    leave(room);
    room->start = NULL;
    room->ahead = NULL;
    room->size = room->mapped = room->low = 0;
}
