/* What the client wants to hear of. */
#include "linux_tracer.h"

#include <errno.h>
#include <string.h>

void linux_configure(const linux_options *options) {
    tracer.options = *options;
}

void linux_log_to(int fd) {
    tracer.log = fd;
}

int linux_report_thread(int pid, int tid, int clones, int exits) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    int found = tid < 0;
    for EACH_THREAD (thread, process)
        if (tid < 0 || thread->tid == tid) {
            thread->report_clones = clones;
            thread->report_exit = exits;
            found = 1;
        }
    return found ? 0 : -ESRCH;
}

int linux_catch_syscalls(int pid, const int32_t *numbers, int count) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    process->catch_count = count;
    if (tracer.scope)
        interrupt_process(process);
    memset(process->caught, 0, sizeof process->caught);
    for (int i = 0; i < count; i++)
        if (numbers[i] >= 0 && numbers[i] < 512)
            process->caught[numbers[i] / 64] |= 1ull << (numbers[i] % 64);
    return 0;
}
