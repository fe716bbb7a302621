/* A waitpid that sleeps, but not for ever.
 *
 * To sleep in waitpid and be woken by the stop itself takes a third of what it takes by way of SIGCHLD and poll(2), and
 * leaves the processor to the target, which a waitpid in a loop does not. A timer that ticks while somebody sleeps here
 * ends the sleep; it is set once for many waits, since setting it costs as much as a system call. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Ignored by default, so that one that comes late does no harm. */
#define TICK SIGURG
#define TICK_NS 2000000

static timer_t timer;
static bool timer_made;
static volatile sig_atomic_t sleeping, ticking;

static int set_timer(long nanoseconds) {
    struct itimerspec period = {{0, nanoseconds}, {0, nanoseconds}};
    return timer_settime(timer, 0, &period, NULL);
}

/* The tick that finds nobody asleep is the last. One that came between the test and the sleep is followed by another. */
static void on_tick(int number) {
    (void)number;
    int saved = errno;
    if (!sleeping) {
        ticking = 0;
        set_timer(0);
    }
    errno = saved;
}

static bool make_timer(void) {
    struct sigaction action = {.sa_handler = on_tick}; /* without SA_RESTART: it ends the sleep */
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = TICK};
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    sigemptyset(&action.sa_mask);
    return sigaction(TICK, &action, NULL) == 0 && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
}

/* A forked server has the variables, but not the timer (timer_create(2)). */
static bool tick(void) {
    if (timer_made && set_timer(TICK_NS) == 0)
        return (ticking = true);
    timer_made = make_timer();
    return (ticking = timer_made && set_timer(TICK_NS) == 0);
}

pid_t await_child(pid_t tid, int *status) {
    sleeping = true;
    bool limited = ticking || tick();
    pid_t got = waitpid(tid, status, limited ? __WALL : __WALL | WNOHANG);
    int error = errno;
    sleeping = false;
    if (got >= 0)
        return got;
    return error == EINTR ? 0 : -error;
}
