/* Waits for a line, then sleeps in the kernel by the call named argv[2]: "nanosleep" of argv[1] milliseconds, which the
 * kernel restarts by restart_syscall, or "read" of stdin, which it restarts as it was. Says what the call gave. */
#include "program.h"

#include <errno.h>
#include <time.h>

int main(int argc, char **argv)
{
    long milliseconds = number(argc, argv, 1, 60000);
    const char *call = argc > 2 ? argv[2] : "nanosleep";
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    char byte = 0;
    ready();
    wait_for_line();
    long result = call[0] == 'n' ? nanosleep(&time, NULL) : read(0, &byte, 1);
    say("%s %ld errno %d\n", call, result, result < 0 ? errno : 0);
    return 0;
}
