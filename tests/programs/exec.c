/* Becomes the program argv[1] with the arguments after it. */
#include "program.h"

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    ready();
    execv(argv[1], argv + 1);
    return 127;
}
