/* argv[1] threads (100) call hit() argv[2] times each (20), all at once; prints the total.
 * The threads start when a line comes on stdin or it ends, or at once when there is a third argument. */
#include "program.h"

#include <pthread.h>

static long times;
static long total;
static pthread_barrier_t start;

void hit(long turn)
{
    __atomic_add_fetch(&total, 1, __ATOMIC_SEQ_CST);
    (void)turn;
}

static void *worker(void *argument)
{
    pthread_barrier_wait(&start);
    for (long i = 0; i < times; i++)
        hit(i);
    return argument;
}

int main(int argc, char **argv)
{
    long count = number(argc, argv, 1, 100);
    pthread_t *workers = calloc((size_t)count, sizeof *workers);
    times = number(argc, argv, 2, 20);
    pthread_barrier_init(&start, NULL, (unsigned)count + 1);
    for (long i = 0; i < count; i++)
        if (pthread_create(&workers[i], NULL, worker, NULL) != 0)
            return 1;
    ready();
    if (argc <= 3)
        wait_for_line();
    pthread_barrier_wait(&start);
    for (long i = 0; i < count; i++)
        pthread_join(workers[i], NULL);
    say("total %ld\n", total);
    return 0;
}
