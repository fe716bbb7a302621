/* Forks; parent and child call in_parent() and in_child(), both call in_both(). The parent's status is the child's + 1. */
#include "program.h"

#include <sys/wait.h>

void in_both(void)
{
}

int in_child(void)
{
    say("child %d\n", (int)getpid());
    return 5;
}

int in_parent(int status)
{
    say("parent %d\n", WEXITSTATUS(status));
    return WEXITSTATUS(status) + 1;
}

int main(void)
{
    int status;
    ready();
    pid_t child = fork();
    in_both();
    if (child == 0)
        _exit(in_child());
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 1;
    return in_parent(status);
}
