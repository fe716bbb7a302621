/* Starts /bin/true by vfork and again by posix_spawn, and says how they ended. */
#include "program.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static char *command[] = {"/bin/true", NULL};

static int by_vfork(void)
{
    int status = -1;
    pid_t child = vfork();
    if (child == 0) {
        execve(command[0], command, environ);
        _exit(127);
    }
    return waitpid(child, &status, 0) == child ? status : -1;
}

static int by_posix_spawn(void)
{
    int status = -1;
    pid_t child;
    if (posix_spawn(&child, command[0], NULL, NULL, command, environ) != 0)
        return -1;
    return waitpid(child, &status, 0) == child ? status : -1;
}

int main(void)
{
    ready();
    int first = by_vfork();
    int second = by_posix_spawn();
    say("vfork %d posix_spawn %d\n", first, second);
    return first | second;
}
