/* What mach_*.c uses of <sys/event.h>. */
#ifndef MACOS_SIM_EVENT_H
#define MACOS_SIM_EVENT_H
#include <stdint.h>
#include <time.h>

#define EVFILT_PROC (-5)
#define EVFILT_MACHPORT (-8)
#define EV_ADD 0x0001
#define EV_ONESHOT 0x0010
#define NOTE_EXIT 0x80000000u

struct kevent64_s {
    uint64_t ident;
    int16_t filter;
    uint16_t flags;
    uint32_t fflags;
    int64_t data;
    uint64_t udata;
    uint64_t ext[2];
};
int kqueue(void);
int kevent64(int queue, const struct kevent64_s *changes, int change_count, struct kevent64_s *events, int event_count,
             unsigned int flags, const struct timespec *timeout);
#endif
