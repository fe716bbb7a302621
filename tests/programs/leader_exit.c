/* The main thread ends by pthread_exit; the other one says so when the kernel shows it as a zombie,
 * waits for a line on stdin, then ends the process with status 3. */
#include "program.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>

/* No event tells a thread of its own process that the leader is a zombie: pthread_join returns a moment earlier. */
static int leader_is_zombie(void)
{
    char stat[512];
    int file = open("/proc/self/stat", O_RDONLY);
    ssize_t length = read(file, stat, sizeof stat - 1);
    close(file);
    stat[length > 0 ? length : 0] = 0;
    const char *state = strrchr(stat, ')');
    return state != NULL && state[2] == 'Z';
}

void leader_gone(void)
{
    ready();
}

static void *survivor(void *argument)
{
    pthread_join(*(pthread_t *)argument, NULL);
    while (!leader_is_zombie())
        sched_yield();
    leader_gone();
    wait_for_line();
    exit(3);
}

int main(void)
{
    static pthread_t leader;
    pthread_t thread;
    leader = pthread_self();
    pthread_create(&thread, NULL, survivor, &leader);
    pthread_exit(NULL);
}
