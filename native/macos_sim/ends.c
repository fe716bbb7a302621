/* Ends of threads that Linux does not tell of. */
#define MACOS_SIM_KERNEL
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "kernel.h"

static bool is_zombie(pid_t pid, pid_t tid) {
    char path[96], line[512];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)tid);
    FILE *file = fopen(path, "r");
    const char *name_end = file && fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    if (file)
        fclose(file);
    return name_end && name_end[1] == ' ' && name_end[2] == 'Z';
}

bool sim_main_thread_has_ended(const struct sim_task *task) {
    return is_zombie(task->pid, task->pid);
}

/* True: the main thread had ended and is off the list. */
bool sim_drop_ended_main_thread(struct sim_task *task) {
    struct sim_thread *thread = sim_find_tid(task, task->pid);
    if (!thread || thread->stopped || task->map || !sim_main_thread_has_ended(task))
        return false;
    sim_drop_thread(thread);
    return true;
}

/* A thread that was killed while its clone was under way: nobody has told of it, and Linux keeps the end of the process
 * back until it has been waited for. */
bool sim_reap_unknown(struct sim_task *task) {
    char path[64];
    struct dirent *entry;
    bool any = false;
    if (!task->killed || task->exited)
        return false;
    snprintf(path, sizeof path, "/proc/%d/task", (int)task->pid);
    DIR *directory = opendir(path);
    while (directory && (entry = readdir(directory))) {
        pid_t tid = atoi(entry->d_name);
        int status;
        if (tid > 0 && tid != task->pid && !sim_find_tid(task, tid) && is_zombie(task->pid, tid))
            any |= waitpid(tid, &status, __WALL | WNOHANG) == tid;
    }
    if (directory)
        closedir(directory);
    return any;
}
