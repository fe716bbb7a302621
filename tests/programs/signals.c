/* Handles SIGUSR1, SIGUSR2 and SIGALRM and says so; SIGUSR2 ends it.
 * With the argument "self" it raises SIGUSR1 and then SIGUSR2 itself. */
#include "program.h"

#include <signal.h>

volatile int handled;
static volatile sig_atomic_t finished;

void handler(int signal)
{
    handled++;
    if (signal == SIGUSR2)
        finished = 1;
    say("got %d\n", signal);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = handler};
    sigset_t all, none;
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    /* Blocked but in sigsuspend, so that none comes between the test of `finished` and the wait. */
    sigfillset(&all);
    sigdelset(&all, SIGTERM);
    sigemptyset(&none);
    ready();
    if (argc > 1 && strcmp(argv[1], "self") == 0) {
        raise(SIGUSR1);
        raise(SIGUSR2);
        say("handled %d\n", handled);
        return 0;
    }
    sigprocmask(SIG_SETMASK, &all, NULL);
    while (!finished)
        sigsuspend(&none);
    say("handled %d\n", handled);
    return 0;
}
