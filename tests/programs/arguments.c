/* Prints its arguments, its working directory, the variables whose name starts with TEST_, whether the stack is
 * randomized (ADDR_NO_RANDOMIZE), the blocked and ignored signals and the open descriptors, one a line. */
#include "program.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/personality.h>

extern char **environ;

static void say_signals(void)
{
    sigset_t blocked;
    struct sigaction action;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int signal = 1; signal < NSIG; signal++) {
        if (sigismember(&blocked, signal) == 1)
            say("blocked %d\n", signal);
        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            say("ignored %d\n", signal);
    }
}

int main(int argc, char **argv)
{
    char directory[PATH_MAX];
    for (int i = 0; i < argc; i++)
        say("argument %d [%s]\n", i, argv[i]);
    say("directory [%s]\n", getcwd(directory, sizeof directory));
    for (char **variable = environ; *variable != NULL; variable++)
        if (strncmp(*variable, "TEST_", 5) == 0)
            say("variable [%s]\n", *variable);
    say("randomized %d\n", (personality(0xffffffff) & ADDR_NO_RANDOMIZE) == 0);
    say("group %d\n", getpgrp() == getpid());
    say_signals();
    for (int file = 0; file < 256; file++)
        if (fcntl(file, F_GETFD) != -1)
            say("descriptor %d\n", file);
    ready();
    return 0;
}
