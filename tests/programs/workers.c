/* argv[1] threads (3) work until the program is killed: ticks[i] grows, and beat(i) is called each time. */
#include "program.h"

#include <pthread.h>
#include <time.h>

volatile long ticks[16];

void beat(long which)
{
    (void)which;
}

static void *worker(void *argument)
{
    const struct timespec moment = {0, 1000000};
    long which = (long)argument;
    for (;;) {
        ticks[which]++;
        beat(which);
        nanosleep(&moment, NULL);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    long count = number(argc, argv, 1, 3);
    pthread_t thread;
    for (long i = 1; i <= count; i++)
        if (pthread_create(&thread, NULL, worker, (void *)i) != 0)
            return 1;
    ready();
    worker(NULL);
}
