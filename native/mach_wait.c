/* The wait: all-stop. The first event stops every process; all events found are handed out together. */
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "mach_tracer.h"

static int64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000ll + time.tv_nsec / 1000;
}

/* --- handing out ----------------------------------------------------------------- */

static void fill_exception(mach_stop *stop, const struct exception *message) {
    stop->exception = message->type;
    stop->code_count = message->code_count;
    for (int i = 0; i < message->code_count; i++)
        stop->codes[i] = (uint64_t)message->codes[i];
}

static void fill(mach_stop *stop, struct thread *thread, const struct event *event) {
    memset(stop, 0, sizeof *stop);
    stop->pid = thread->process->pid;
    stop->tid = (int64_t)thread->tid;
    stop->kind = event->kind;
    stop->signal = event->signal;
    stop->value = event->value;
    if (thread->unanswered)
        fill_exception(stop, &thread->message);
    if (event->kind == MACH_STOP_HARDWARE && thread->hit_slot)
        stop->codes[stop->code_count++] = event->value & 0xff; /* which watchpoint: a client cannot know otherwise */
    int size = mach_read_state((int64_t)thread->tid, cpu_general_flavor, stop->registers, sizeof stop->registers);
    stop->registers_size = size > 0 ? size : 0;
    stop->pc = size > 0 ? cpu_pc(stop->registers) : 0;
}

static void fill_exit(mach_stop *stop, const struct process *process) {
    int status = process->exit_status;
    memset(stop, 0, sizeof *stop);
    stop->pid = process->pid;
    stop->tid = process->pid;
    stop->kind = WIFSIGNALED(status) ? MACH_STOP_KILLED : MACH_STOP_EXITED;
    stop->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    stop->value = WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : 0;
}

static struct thread *first_event(void) {
    struct thread *first = NULL;
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process)
            if (!process->dead && thread->event.kind && (!first || thread->event.sequence < first->event.sequence))
                first = thread;
    return first;
}

static int take_exits(mach_stop *stops, int max) {
    int count = 0;
    struct process *next;
    for (struct process *process = tracer.processes; process && count < max; process = next) {
        next = process->next;
        if (!process->dead)
            continue;
        fill_exit(&stops[count++], process);
        free_process(process);
    }
    return count;
}

/* An event of no thread in particular. */
static int take_general(mach_stop *stops, int kind) {
    struct process *process = find_process(tracer.interrupt_pid);
    struct event event = {kind, 0, 0, 0};
    if (!process || !process->threads)
        for (process = tracer.processes; process && !process->threads;)
            process = process->next;
    if (!process)
        return 0;
    fill(stops, process->threads, &event);
    stops->exception = stops->code_count = 0;
    return 1;
}

static int take_events(mach_stop *stops, int max) {
    int count = take_exits(stops, max);
    struct thread *thread;
    while (count < max && (thread = first_event())) {
        fill(&stops[count++], thread, &thread->event);
        thread->event.kind = 0;
    }
    if (!count && tracer.interrupt_requested)
        count = take_general(stops, MACH_STOP_INTERRUPT);
    if (!count && tracer.awaited && !mach_running())
        count = take_general(stops, MACH_STOP_NONE_RESUMED);
    if (count)
        tracer.awaited = tracer.interrupt_requested = false;
    return count;
}

/* --- waiting ------------------------------------------------------------------------ */

static bool run_on(void) {
    bool any = false;
    for EACH_PROCESS (process) {
        if (!process->run_again)
            continue;
        process->run_again = false;
        run_process(process);
        any = true;
    }
    return any;
}

/* Until there is news or the time is over. */
static bool wait_for_news(int64_t budget_us, int64_t spin_us) {
    int64_t start = now_us();
    collect(0);
    while (!have_news()) {
        run_on();
        if (!mach_running())
            return tracer.awaited;
        int64_t spent = now_us() - start;
        if (spent >= budget_us)
            return false;
        collect(spent < spin_us ? 0 : budget_us - spent);
    }
    return true;
}

int mach_wait(mach_stop *stops, int max, int64_t budget_us, int64_t spin_us) {
    if (!wait_for_news(budget_us, spin_us))
        return 0;
    stop_all();
    int error = tracer.receive_error;
    tracer.receive_error = 0;
    return error ? error : take_events(stops, max);
}
