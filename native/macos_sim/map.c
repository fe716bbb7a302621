/* Address spaces that Python simulates: a task whose calls go to extern "Python" functions (cdef.h). It has one thread
 * that never runs; signals sent to it become soft signals at once. */
#define MACOS_SIM_KERNEL
#include <errno.h>
#include <string.h>

#include "kernel.h"
#include "sim.h"

static struct {
    int (*protect)(int map, uint64_t address, uint64_t size, int protection);
    int (*read)(int map, uint64_t address, uint8_t *data, uint64_t size);
    int (*write)(int map, uint64_t address, const uint8_t *data, uint64_t size);
    int (*region)(int map, uint64_t *address, uint64_t *size, uint32_t *depth, uint32_t *info, uint32_t *count);
    int (*pages)(int map, uint64_t address, uint64_t count, int32_t *dispositions);
} calls;

enum { FIRST_PID = 1 << 28 };
static int page_sizes[64];

void sim_map_calls(int (*protect)(int, uint64_t, uint64_t, int), int (*read)(int, uint64_t, uint8_t *, uint64_t),
                   int (*write)(int, uint64_t, const uint8_t *, uint64_t),
                   int (*region)(int, uint64_t *, uint64_t *, uint32_t *, uint32_t *, uint32_t *),
                   int (*pages)(int, uint64_t, uint64_t, int32_t *)) {
    calls.protect = protect;
    calls.read = read;
    calls.write = write;
    calls.region = region;
    calls.pages = pages;
}

int sim_map_process(int map, int page_size) {
    if (map < 1 || map >= (int)(sizeof page_sizes / sizeof *page_sizes) || sim_find_task(FIRST_PID + map))
        return -EINVAL;
    struct sim_task *task = sim_add_task(FIRST_PID + map);
    task->map = map;
    page_sizes[map] = page_size;
    sim_add_thread(task, FIRST_PID + map)->stopped = true;
    return task->pid;
}

int sim_map_page_size(int map) {
    return page_sizes[map];
}

/* The task dies: its ports are dead from now on. */
int sim_end_process(int pid, int status) {
    struct sim_task *task = sim_find_task(pid);
    if (!task)
        return -ESRCH;
    sim_drop_threads(task);
    task->exited = true;
    task->exit_status = status;
    sim_kill_port(task->name);
    sim_wake();
    return 0;
}

int sim_map_kill(struct sim_task *task, int signal) {
    if (signal == 9)
        return sim_end_process(task->pid, 9);
    if (task->threads && !task->threads->in_exception)
        sim_raise(task->threads, EXC_SOFTWARE, 2, EXC_SOFT_SIGNAL, signal);
    return 0;
}

int sim_raise_exception(int pid, int exception, int64_t code, int64_t subcode) {
    struct sim_task *task = sim_find_task(pid);
    if (!task || !task->threads)
        return -ESRCH;
    sim_raise(task->threads, exception, 2, code, subcode);
    return 0;
}

int sim_post_message(int pid, const uint8_t *message, int size) {
    struct sim_task *task = sim_find_task(pid);
    if (!task || !sim_post(task->actions[EXC_BAD_ACCESS].port, message, (mach_msg_size_t)size))
        return -ESRCH;
    sim_wake();
    return 0;
}

kern_return_t sim_map_protect(int map, uint64_t address, uint64_t size, int protection) {
    return calls.protect(map, address, size, protection);
}

kern_return_t sim_map_read(int map, uint64_t address, void *data, uint64_t size) {
    return calls.read(map, address, data, size);
}

kern_return_t sim_map_write(int map, uint64_t address, const void *data, uint64_t size) {
    return calls.write(map, address, data, size);
}

kern_return_t sim_map_pages(int map, uint64_t address, uint64_t count, int32_t *dispositions) {
    return calls.pages(map, address, count, dispositions);
}

kern_return_t sim_map_region(int map, uint64_t *address, uint64_t *size, natural_t *depth, natural_t *info,
                             natural_t *count) {
    return calls.region(map, address, size, depth, info, count);
}
