/* Loads the shared library argv[1] (library.so beside the program), calls its function and lets it go again. */
#include "program.h"

#include <dlfcn.h>

void loaded(int result)
{
    say("loaded %d\n", result);
}

void unloaded(void)
{
    say("unloaded\n");
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    ready();
    void *library = dlopen(argv[1], RTLD_NOW);
    if (library == NULL)
        return 3;
    int (*function)(int) = (int (*)(int))dlsym(library, "library_function");
    loaded(function(23));
    dlclose(library);
    unloaded();
    return 0;
}
