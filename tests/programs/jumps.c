/* What carries a step elsewhere than to the next line: a signal with a handler, longjmp, and with argument "exec"
 * another program (this one with the argument "again"). A thread counts all the while. */
#include "program.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

static jmp_buf place;
volatile long handled, turns;

static void handler(int signal)
{
    (void)signal;
    handled++;
}

static void *count(void *argument)
{
    for (;;)
        turns++;
    return argument;
}

static void spin(void)
{
    for (volatile long i = 0; i < 100000; i++)
        ;
}

static void see_others_run(void)
{
    for (long before = turns; turns < before + 1000;)
        ;
}

static void jump(void)
{
    longjmp(place, 7); /* step: longjmp */
}

int main(int argc, char **argv)
{
    pthread_t thread;
    if (argc > 1 && !strcmp(argv[1], "again"))
        return 3;
    signal(SIGUSR1, handler);
    pthread_create(&thread, NULL, count, NULL);
    while (!turns)
        ;
    ready();
    spin(); /* step: spin */
    see_others_run(); /* step: see others run */
    raise(SIGUSR1); /* step: signal */
    int value = setjmp(place); /* step: setjmp */
    if (!value)
        jump(); /* step: jump */
    say("jumped %d handled %ld\n", value, handled); /* step: jumped */
    if (argc > 1)
        execl(argv[0], argv[0], "again", NULL); /* step: exec */
    return 0;
}
