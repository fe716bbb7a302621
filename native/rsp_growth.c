/* A file that grows before it is written to. New pages are the dearest part of a large body: a thread has them ready,
 * on another processor if there is one. */

#define _GNU_SOURCE
#include "rsp.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* linux/mman.h since Linux 5.14; an older kernel refuses it, and each page comes with a fault. */
#if defined(__linux__) && !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif

enum { ZEROS = 4096, MOST_AHEAD = 16 * RSP_STEP, KEPT = 32 * RSP_STEP };
enum { FAILED = -1, NOTHING = 0 };

/* `asked`: the rooms with something to do, linked by `next_asked`; their fields `ready` and `wanted` are behind the lock,
 * too. `busy`: the one that the thread is about. */
struct rsp_ahead {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t called;
    pthread_cond_t done;
    rsp_room *asked;
    rsp_room *busy;
    int ending;
};

/* Pages that a write has brought, many at a time, cost a quarter of those that faults bring one by one, and they have
 * their place on the disk. */
static int add_pages(const rsp_room *room, int64_t size)
{
    static const uint8_t zeros[ZEROS];
    struct iovec parts[RSP_STEP / ZEROS];
    struct stat status;
    for (size_t i = 0; i < RSP_STEP / ZEROS; i++)
        parts[i] = (struct iovec){(void *)(uintptr_t)zeros, ZEROS};
    if (fstat(room->descriptor, &status) < 0)
        return -errno;
    if (status.st_size < size)
        return -ESTALE;
    for (ssize_t written = 0, more; written < RSP_STEP; written += more) {
        more = pwritev(room->descriptor, parts, (int)((RSP_STEP - written + ZEROS - 1) / ZEROS), size + written);
        if (more < 0)
            return -errno;
    }
#ifdef MADV_POPULATE_WRITE
    if (size + RSP_STEP <= room->mapped)
        madvise(room->start + size, RSP_STEP, MADV_POPULATE_WRITE);
#endif
    return 0;
}

/* What was written long before `end` need not stay in this process's memory. */
static void forget(rsp_room *room, int64_t end)
{
    for (; end - room->forgotten >= 2 * KEPT; room->forgotten += KEPT)
        madvise(room->start + room->forgotten, KEPT, MADV_DONTNEED);
}

static void unqueue(rsp_ahead *ahead, const rsp_room *room)
{
    for (rsp_room **link = &ahead->asked; *link; link = &(*link)->next_asked)
        if (*link == room) {
            *link = room->next_asked;
            return;
        }
}

static void leave(rsp_ahead *ahead, rsp_room *room, int64_t wanted)
{
    unqueue(ahead, room);
    room->wanted = wanted;
}

static void serve(rsp_ahead *ahead, rsp_room *room)
{
    if (room->wanted <= room->ready) {
        leave(ahead, room, NOTHING);
        return;
    }
    int64_t ready = room->ready, end = room->wanted_at;
    ahead->busy = room;
    pthread_mutex_unlock(&ahead->lock);
    int failed = add_pages(room, ready);
    forget(room, end);
    pthread_mutex_lock(&ahead->lock);
    ahead->busy = NULL;
    if (failed)
        leave(ahead, room, FAILED);
    else
        room->ready = ready + RSP_STEP;
    pthread_cond_broadcast(&ahead->done);
}

static void *run(void *argument)
{
    rsp_ahead *ahead = argument;
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->ending)
        if (ahead->asked)
            serve(ahead, ahead->asked);
        else
            pthread_cond_wait(&ahead->called, &ahead->lock);
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

/* Signals are for those who wait for them: the thread starts with all of them blocked. */
static int start(rsp_ahead *ahead)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&ahead->thread, NULL, run, ahead);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

rsp_ahead *rsp_start_ahead(void)
{
    rsp_ahead *ahead = calloc(1, sizeof *ahead);
    if (!ahead)
        return NULL;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->called, NULL);
    pthread_cond_init(&ahead->done, NULL);
    if (!start(ahead))
        return ahead;
    free(ahead);
    return NULL;
}

void rsp_end_ahead(rsp_ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    ahead->ending = 1;
    pthread_cond_signal(&ahead->called);
    pthread_mutex_unlock(&ahead->lock);
    pthread_join(ahead->thread, NULL);
    free(ahead);
}

/* From here on the thread is not about this room. */
void rsp_withdraw(rsp_room *room)
{
    rsp_ahead *ahead = room->ahead;
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->lock);
    while (ahead->busy == room)
        pthread_cond_wait(&ahead->done, &ahead->lock);
    leave(ahead, room, NOTHING);
    if (room->ready > room->size)
        room->size = room->ready;
    pthread_mutex_unlock(&ahead->lock);
}

/* A short session has a small file, a busy one seldom waits. */
static int64_t low(const rsp_room *room)
{
    int64_t most = room->size < MOST_AHEAD ? room->size : MOST_AHEAD;
    return room->ahead && room->size < room->mapped ? most / 2 : 0;
}

void rsp_call_ahead(rsp_room *room, int64_t end)
{
    rsp_ahead *ahead = room->ahead;
    pthread_mutex_lock(&ahead->lock);
    if (room->ready > room->size)
        room->size = room->ready;
    room->low = room->wanted == FAILED ? 0 : low(room);
    if (room->size - end < room->low && !room->wanted) {
        room->wanted = end + 2 * room->low < room->mapped ? end + 2 * room->low : room->mapped;
        room->wanted_at = end;
        room->next_asked = ahead->asked;
        ahead->asked = room;
        pthread_cond_signal(&ahead->called);
    }
    pthread_mutex_unlock(&ahead->lock);
}

static int map_enough(rsp_room *room, int64_t end)
{
    int failed = 0;
    while (!failed && end > room->mapped)
        failed = rsp_map(room, room->descriptor, 2 * room->mapped);
    return failed;
}

int rsp_grow(rsp_room *room, int64_t end, int64_t size)
{
    struct stat status;
    rsp_withdraw(room);
    if (room->lost || fstat(room->descriptor, &status) < 0 || status.st_size < room->size)
        return -ESTALE;
    int failed = map_enough(room, end + size);
    while (!failed && room->size < end + size) {
        failed = add_pages(room, room->size);
        room->size += failed ? 0 : RSP_STEP;
    }
    forget(room, end);
    room->ready = room->size;
    room->low = failed ? 0 : low(room);
    return failed;
}
