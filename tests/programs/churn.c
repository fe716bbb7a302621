/* Threads are created and die all the time: argv[1] creators (4), each makes argv[2] threads (0: without end)
 * one after another; each of those calls born(). Prints how many there were. */
#include "program.h"

#include <pthread.h>

static long limit;
static long births;

void born(void)
{
    __atomic_add_fetch(&births, 1, __ATOMIC_SEQ_CST);
}

static void *mayfly(void *argument)
{
    born();
    return argument;
}

static void *creator(void *argument)
{
    for (long i = 0; limit == 0 || i < limit; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, mayfly, NULL) != 0)
            _exit(1);
        pthread_join(thread, NULL);
    }
    return argument;
}

int main(int argc, char **argv)
{
    long count = number(argc, argv, 1, 4);
    pthread_t *creators = calloc((size_t)count, sizeof *creators);
    limit = number(argc, argv, 2, 0);
    ready();
    for (long i = 0; i < count; i++)
        pthread_create(&creators[i], NULL, creator, NULL);
    for (long i = 0; i < count; i++)
        pthread_join(creators[i], NULL);
    say("births %ld\n", births);
    return 0;
}
