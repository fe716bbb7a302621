/* Calls tick() argv[1] times (10), then ends with status 0: breakpoints, conditions, ignore counts. */
#include "program.h"

static volatile int total;

int tick(int i)
{
    total += i;
    return total;
}

int main(int argc, char **argv)
{
    long times = number(argc, argv, 1, 10);
    ready();
    for (int i = 0; i < times; i++)
        tick(i);
    say("total %d\n", total);
    return 0;
}
