/* A process that leads no process group: a forked child spins in its parent's group and says its own pid.
 * The parent waits for it and ends as it did; the child ends when its parent does. */
#include "program.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

volatile unsigned long spins;

void spin(void)
{
    for (;;)
        spins++;
}

int main(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        say("ready %d\n", (int)getpid());
        spin();
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
