/* A busy loop that makes no system call: only an interrupt stops it. SIGTERM ends it with status 7. */
#include "program.h"

#include <signal.h>

static volatile sig_atomic_t done;
volatile unsigned long spins;

static void finish(int signal)
{
    (void)signal;
    done = 1;
}

int main(void)
{
    signal(SIGTERM, finish);
    ready();
    while (!done)
        spins++;
    return 7;
}
