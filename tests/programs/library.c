/* The shared library that dlopen.c loads. */
int library_number = 77;

int library_function(int n)
{
    return n + library_number;
}
