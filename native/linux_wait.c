/* The wait: how the server learns that something has happened, and what it is told.
 *
 * All-stop: the first event makes every other thread stop; when the last has
 * stopped, all events found are handed out together. Non-stop: linux_nonstop.c. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void wake_up(void) {
    uint64_t one = 1;
    if (write(tracer.wakeup, &one, sizeof one) < 0) { /* only when the counter is full: readable anyway */
    }
}

static void on_child(int number) {
    (void)number;
    int saved = errno;
    wake_up();
    errno = saved;
}

int linux_open(void) {
    if (tracer.wakeup < 0)
        tracer.wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (tracer.wakeup < 0 || sigaction(SIGCHLD, &action, NULL) < 0)
        return -errno;
    return tracer.wakeup;
}

int linux_clear_wakeup(void) {
    uint64_t count;
    return read(tracer.wakeup, &count, sizeof count) > 0;
}

int linux_running(void) {
    return tracer.running;
}

int64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000ll + time.tv_nsec / 1000;
}

/* Through the descriptor, not sigtimedwait: with other threads about, one of them may get the signal. */
static void sleep_for_child(const sigset_t *unblocked, int64_t us) {
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    struct pollfd wakeup = {tracer.wakeup, POLLIN, 0};
    ppoll(&wakeup, 1, &time, unblocked);
    linux_clear_wakeup();
}

static void sleep_for_any(const sigset_t *unblocked, int64_t us) {
    int status;
    if (tracer.running > FEW) {
        sleep_for_child(unblocked, us);
        collect_any();
        return;
    }
    pid_t tid = kernel.await(-1, &status);
    if (tid > 0)
        dispatch(tid, status);
}

/* Who stops with many others does so in about the order in which they were told to: to sleep until the last has is to be
 * woken once, and leaves the processors to them. */
static void sleep_for_many(void) {
    struct thread *last = NULL;
    for (struct thread *thread = tracer.running_list; thread; thread = thread->run_next)
        if (thread->interrupt_sent)
            last = thread;
    int status;
    if (last && kernel.await(last->tid, &status) == last->tid)
        handle_status(last, status);
    collect_running();
}

/* All have stopped for an event whose thread is gone (an exec or SIGKILL took it): run again. */
static void undo_stop(void) {
    tracer.stopping = false;
    run_resumed();
}

/* Times in microseconds since the wait began. */
struct spinning {
    unsigned seen;    /* of tracer.statuses */
    int64_t active;   /* when the last status came */
    int64_t previous; /* when it was asked last, -1: then it slept */
};

/* A yield that takes this long has let somebody else run: with more to run than there are processors, a sleeper gets
 * its turn sooner than one that yields. */
#define CROWDED_US 100
#define SLEEPS_WHEN_CROWDED 64

/* Whether to ask again at once: for `spin_us` after each status, unless the machine is busy. */
static bool spins_on(struct spinning *spinning, int64_t now, int64_t spin_us) {
    static int sleeps;
    bool crowded = spinning->previous >= 0 && now - spinning->previous > CROWDED_US;
    if (spinning->seen != tracer.statuses)
        spinning->active = now;
    if (crowded)
        sleeps = SLEEPS_WHEN_CROWDED;
    spinning->seen = tracer.statuses;
    bool spins = now - spinning->active < spin_us && !sleeps;
    sleeps -= sleeps > 0;
    spinning->previous = spins ? now : -1;
    return spins;
}

/* Collects until everything has stopped or the time is over. Who runs is asked by id; the wake-up that led here may have
 * been for one that no longer counts as running (its death has to be fetched, or another's execve waits for ever), so
 * that everybody is heard once before the caller waits for the next. */
static bool run_until_stopped(const sigset_t *unblocked, int64_t budget_us, int64_t spin_us) {
    int64_t start = budget_us > 0 ? now_us() : 0;
    struct spinning spinning = {tracer.statuses, 0, -1};
    bool heard_all = budget_us <= 0;
    if (heard_all)
        collect_any();
    for (;;) {
        if (tracer.stopping && stop_complete() && !have_events())
            undo_stop();
        if (tracer.stopping) {
            stop_all();
            if (dying())
                collect_any();
            if (stop_complete())
                return true;
        }
        if (!tracer.running && !dying()) {
            if (tracer.stopping)
                return true;
            /* What stays stopped may have reported its end since. */
            collect_any();
            if (!tracer.running && !dying())
                return none_resumed();
        }
        int64_t spent = budget_us > 0 ? now_us() - start : 0;
        if (spent >= budget_us && heard_all)
            return false;
        if (spent >= budget_us) {
            heard_all = true;
            collect_any();
        } else if (tracer.stopping && tracer.running > FEW) {
            sleep_for_many();
        } else if (spins_on(&spinning, spent, spin_us)) {
            sched_yield();
            collect_running();
        } else {
            sleep_for_any(unblocked, budget_us - spent);
        }
    }
}

static void forget_resumption(void) {
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process)
            thread->resumed = false;
}

/* From a resume to the end of the wait after it SIGCHLD is blocked, so that a stop found by spinning costs no handler
 * run and no wake-up afterwards; and while many are told to stop, so that the handler does not run for each. */
static sigset_t mask_before;
static bool child_signal_held;

bool hold_child_signal(void) {
    if (child_signal_held)
        return false;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &child, &mask_before);
    child_signal_held = true;
    return true;
}

void release_child_signal(void) {
    child_signal_held = false;
    pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
}

/* Between two looks of a wait: at first only the processor is given up, for `spin_us` in all. */
void wait_a_moment(int64_t spent_us, int64_t budget_us, int64_t spin_us) {
    if (spent_us < spin_us)
        sched_yield();
    else
        sleep_for_child(&mask_before, budget_us - spent_us);
}

/* With nothing running, the SIGCHLD of the stops just collected must not wake anybody up;
 * one that came for another reason (a stopped thread was killed) is looked into before it is forgotten. */
void settle(void) {
    struct timespec none = {0, 0};
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    bool pending = sigtimedwait(&child, NULL, &none) == SIGCHLD;
    if (pending || linux_clear_wakeup())
        collect_any();
}

int linux_wait(linux_stop *stops, int max, int64_t budget_us, int64_t spin_us) {
    hold_child_signal();
    if (tracer.scope)
        return nonstop_wait(stops, max, budget_us, spin_us);
    bool done;
    do {
        done = run_until_stopped(&mask_before, budget_us, spin_us);
        if (done && !tracer.running)
            settle();
    } while (done && !(stop_complete() && (have_events() || none_resumed())) && tracer.processes);
    int count = done ? take_events(stops, max) : 0;
    if (done) {
        tracer.stopping = count == max;
        tracer.interrupt_requested &= tracer.stopping;
        forget_resumption();
    }
    release_child_signal();
    return count;
}
