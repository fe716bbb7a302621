/* A global counter goes 0 -> 10 -> 20 -> 30; another one beside it changes too, unwatched. */
#include "program.h"

volatile long counter;
volatile long beside;

void change(void)
{
    beside++;
    counter += 10;
}

int main(void)
{
    ready();
    for (int i = 0; i < 3; i++)
        change();
    say("counter %ld\n", counter);
    return 0;
}
