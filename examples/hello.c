/* The program that scripts/run debugs. */
#include <stdio.h>

static int greeted;

static void greet(const char *who) {
    greeted++;
    printf("hello, %s\n", who);
}

int main(void) {
    const char *everybody[] = {"gdb", "lldb"};
    for (int i = 0; i < 2; i++)
        greet(everybody[i]);
    return greeted == 2 ? 0 : 1;
}
