/* Becomes the program argv[1], by an execv in a thread that is not the leader while another thread waits. */
#include "program.h"

#include <pthread.h>

static pthread_barrier_t started;

static void *waiter(void *argument)
{
    pthread_barrier_wait(&started);
    for (;;)
        pause();
    return argument;
}

static void *replacer(void *argument)
{
    char **command = argument;
    pthread_barrier_wait(&started);
    execv(command[0], command);
    _exit(127);
}

int main(int argc, char **argv)
{
    pthread_t first, second;
    if (argc < 2)
        return 2;
    ready();
    pthread_barrier_init(&started, NULL, 3);
    pthread_create(&first, NULL, waiter, NULL);
    pthread_create(&second, NULL, replacer, argv + 1);
    pthread_barrier_wait(&started);
    for (;;)
        pause();
}
