/* Ends with status argv[1] (42). */
#include "program.h"

int main(int argc, char **argv)
{
    ready();
    return (int)number(argc, argv, 1, 42);
}
