/* Counts down from argv[1] (1000) again and again: two instructions for each number between the symbols
 * countdown_start and countdown_end, and one before them. */
#include "program.h"

int main(int argc, char **argv)
{
    long from = number(argc, argv, 1, 1000);
    ready();
    for (;;) {
        long left = from;
        __asm__ volatile(".globl countdown_start, countdown_end\n"
                         "countdown_start: nop\n"
                         "0: sub $1, %0\n"
                         "jnz 0b\n"
                         "countdown_end: nop"
                         : "+r"(left));
    }
}
