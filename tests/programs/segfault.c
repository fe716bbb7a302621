/* Reads the address argv[1] (0); "protected" reads a page with no permission, "write" writes a read-only one. */
#include "program.h"

#include <sys/mman.h>

volatile long sink;

void touch(volatile char *address, int writing)
{
    if (writing)
        *address = 1;
    else
        sink = *address;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "0";
    int writing = strcmp(what, "write") == 0;
    volatile char *address;
    if (writing || strcmp(what, "protected") == 0)
        address = mmap(NULL, 4096, writing ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    else
        address = (volatile char *)strtoul(what, NULL, 0);
    say("ready %p\n", (void *)address);
    touch(address, writing);
    say("not reached\n");
    return 0;
}
