/* clone(2) with CLONE_VM and without CLONE_THREAD: a task with a pid of its own that runs in its parent's memory.
 * The first one makes a second one, which outlives it; with the argument "exec" it becomes /bin/true instead.
 * The program says how the first one ended, and ends when the second one has been through in_second(). */
#define _GNU_SOURCE
#include "program.h"

#include <sched.h>
#include <sys/wait.h>

#define STACK (64 * 1024)

volatile int first_is_gone, second_is_through;

__attribute__((noinline)) void in_second(void)
{
    second_is_through = 1;
}

__attribute__((noinline)) void in_first(void)
{
    __asm__ volatile("");
}

static int begin(int (*run)(void *))
{
    char *stack = malloc(STACK);
    return stack ? clone(run, stack + STACK, CLONE_VM | CLONE_FS | CLONE_FILES, NULL) : -1;
}

static int second(void *nothing)
{
    (void)nothing;
    while (!first_is_gone)
        sched_yield();
    in_second();
    return 0;
}

static int first(void *command)
{
    in_first();
    if (command) {
        execl("/bin/true", "true", (char *)NULL);
        return 127;
    }
    return begin(second) > 0 ? 3 : 1;
}

static int first_for_exec(void *nothing)
{
    (void)nothing;
    return first("exec");
}

int main(int argc, char **argv)
{
    int exec = argc > 1 && strcmp(argv[1], "exec") == 0, status = -1;
    ready();
    int child = begin(exec ? first_for_exec : first);
    if (waitpid(child, &status, __WALL) != child)
        return 1;
    say("first ended with %d\n", status);
    first_is_gone = 1;
    while (!exec && !second_is_through)
        sched_yield();
    return 0;
}
