/* What every test program needs: words written at once, whatever stdout is.
 * write(2) is used because a debugger may end a program before stdio's buffers are flushed. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* printf of at most 511 bytes in one write. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof line - 1)
        length = sizeof line - 1;
    if (write(1, line, (size_t)length) != length)
        _exit(99);
}

static inline void ready(void)
{
    say("ready\n");
}

/* Wait for one line or the end of stdin; 0 at the end. */
static inline int wait_for_line(void)
{
    char byte;
    while (read(0, &byte, 1) == 1)
        if (byte == '\n')
            return 1;
    return 0;
}

/* The number given as argument `index`, or `otherwise`. */
static inline long number(int argc, char **argv, int index, long otherwise)
{
    return index < argc ? strtol(argv[index], NULL, 0) : otherwise;
}

#endif
