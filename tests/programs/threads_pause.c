/* argv[1] threads (500) beside the main one, all asleep in pause(). */
#include "program.h"

#include <pthread.h>

static pthread_barrier_t started;

static void *worker(void *argument)
{
    pthread_barrier_wait(&started);
    for (;;)
        pause();
    return argument;
}

int main(int argc, char **argv)
{
    long count = number(argc, argv, 1, 500);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 * 1024);
    pthread_barrier_init(&started, NULL, (unsigned)count + 1);
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &small, worker, NULL) != 0)
            return 1;
    }
    pthread_barrier_wait(&started);
    ready();
    for (;;)
        pause();
}
