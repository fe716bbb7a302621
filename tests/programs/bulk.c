/* argv[1] MiB (16) of known memory at `block`: byte i is (i * 7 + i / 4096) mod 256. For big reads and writes. */
#include "program.h"

unsigned char *block;

int main(int argc, char **argv)
{
    size_t size = (size_t)number(argc, argv, 1, 16) << 20;
    block = aligned_alloc(4096, size);
    if (block == NULL)
        return 1;
    for (size_t i = 0; i < size; i++)
        block[i] = (unsigned char)(i * 7 + i / 4096);
    say("ready %p\n", (void *)block);
    for (;;)
        pause();
}
