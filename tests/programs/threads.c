/* Five threads with a thread-local each; all_here() is called by the main thread while all five wait.
 * The workers end, and then the program, when stdin ends or a line comes. */
#define _GNU_SOURCE /* pthread_setname_np */
#include "program.h"

#include <pthread.h>

enum { WORKERS = 5 };

static __thread int thread_local_number;
static pthread_barrier_t arrived, leave;

static void *worker(void *argument)
{
    char name[16];
    thread_local_number = 100 + (int)(long)argument;
    snprintf(name, sizeof name, "worker-%d", (int)(long)argument);
    pthread_setname_np(pthread_self(), name);
    pthread_barrier_wait(&arrived);
    pthread_barrier_wait(&leave);
    return NULL;
}

void all_here(void)
{
    ready();
}

int main(void)
{
    pthread_t workers[WORKERS];
    thread_local_number = 99;
    pthread_barrier_init(&arrived, NULL, WORKERS + 1);
    pthread_barrier_init(&leave, NULL, WORKERS + 1);
    for (long i = 0; i < WORKERS; i++)
        pthread_create(&workers[i], NULL, worker, (void *)i);
    pthread_barrier_wait(&arrived);
    all_here();
    wait_for_line();
    pthread_barrier_wait(&leave);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    return 0;
}
