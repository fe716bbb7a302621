/* Locals, globals, a struct and a call chain four frames deep: outer -> middle -> inner. */
#include "program.h"

struct point {
    int x;
    int y;
    const char *name;
};

int global_number = 1234;
const char global_text[] = "global text";
static struct point corner = {3, 4, "corner"};

/* Not called by the program: for a client that calls a function of its own choice. */
int add(int a, int b)
{
    return a + b;
}

int inner(int depth)
{
    int local_number = depth * 2;
    double local_real = 1.5;
    local_number += (int)local_real;
    return local_number;
}

int middle(struct point *where)
{
    int result = inner(where->x);
    result += where->y;
    return result;
}

int outer(void)
{
    int answer = middle(&corner);
    return answer + 1;
}

int main(void)
{
    ready();
    int result = outer();
    global_number = result;
    say("result %d %d %s\n", result, add(1, 2), global_text);
    return 0;
}
