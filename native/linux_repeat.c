/* Packets that come again, carried out with what was worked out when they came first. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <string.h>

static int64_t done(int result, uint8_t *reply, int64_t capacity) {
    if (result < 0 || capacity < 2)
        return RSP_REPEATED_NOT; /* the error comes again, where it is put into words */
    memcpy(reply, "OK", 2);
    return 2;
}

int64_t linux_repeat_insertion(void *with, uint8_t *reply, int64_t capacity) {
    const linux_repeated_trap *trap = with;
    return done(linux_insert_trap(trap->pid, trap->address, trap->code, trap->size, trap->pc_adjust), reply, capacity);
}

int64_t linux_repeat_removal(void *with, uint8_t *reply, int64_t capacity) {
    const linux_repeated_trap *trap = with;
    int result = linux_remove_trap(trap->pid, trap->address);
    if (result != -EFAULT || capacity < 3)
        return done(result, reply, capacity);
    memcpy(reply, "E0e", 3); /* a second try would find no breakpoint to remove, which is no error */
    return 3;
}

static const rsp_form *form_for(const linux_repeated_run *run) {
    const linux_stop *stop = run->stops;
    if (run->found != 1 || stop->tid != run->tid || stop->failure)
        return NULL;
    return stop->kind == LINUX_STOP_STEP ? &run->after_step : stop->kind == LINUX_STOP_BREAKPOINT ? &run->at_breakpoint : NULL;
}

int64_t linux_repeat_run(void *with, uint8_t *reply, int64_t capacity) {
    linux_repeated_run *run = with;
    const struct thread *thread = find_thread(run->tid);
    if (!thread || thread->state != THREAD_STOPPED)
        return RSP_REPEATED_NOT;
    linux_resume(run->actions, run->count);
    run->found = linux_wait(run->stops, run->max, run->budget_us, run->spin_us);
    const rsp_form *form = form_for(run);
    int64_t size = form ? rsp_compose(form, run->stops->registers, run->stops->registers_size, reply, capacity) : -1;
    return size < 0 ? RSP_REPEATED_PARTLY : size;
}
