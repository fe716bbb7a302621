/* Calls pause(2) again and again, always by the one system call instruction at `blocking`; SIGUSR1 ends a call. */
#include "program.h"

#include <signal.h>
#include <sys/syscall.h>

static volatile int calls;

static void nothing(int signal)
{
    (void)signal;
}

int main(void)
{
    signal(SIGUSR1, nothing);
    ready();
    for (;;) {
        long result;
        calls++;
        __asm__ volatile(".globl blocking\n"
                         "blocking: syscall"
                         : "=a"(result)
                         : "a"(SYS_pause)
                         : "rcx", "r11", "memory");
    }
}
