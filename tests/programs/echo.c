/* Says each line of stdin again with "echo: " before it; stderr gets a word at the start; ends at the end of stdin. */
#include "program.h"

int main(void)
{
    char line[256];
    int lines = 0;
    fputs("stderr word\n", stderr);
    ready();
    while (fgets(line, sizeof line, stdin) != NULL) {
        say("echo: %s", line);
        lines++;
        if (strcmp(line, "quit\n") == 0)
            break;
    }
    say("lines %d\n", lines);
    return 0;
}
