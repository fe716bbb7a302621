/* Five neighbouring pages and what they allow: read-write, read-only, none, read-execute, then a hole (unmapped).
 * Each mapped page is filled with its own letter before it is protected: W, R, N, X. Ends when stdin ends or a
 * line comes, with status 0 if the pages still hold what they held. */
#include "program.h"

#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 5 };

unsigned char *pages;

static const struct {
    char letter;
    int protection;
} layout[PAGES - 1] = {{'W', PROT_READ | PROT_WRITE}, {'R', PROT_READ}, {'N', PROT_NONE}, {'X', PROT_READ | PROT_EXEC}};

static int intact(void)
{
    for (int i = 0; i < PAGES - 1; i++) {
        mprotect(pages + i * PAGE, PAGE, PROT_READ);
        for (int j = 0; j < PAGE; j++)
            if (pages[i * PAGE + j] != layout[i].letter)
                return 0;
    }
    return 1;
}

void mapped(void)
{
    say("ready %p\n", (void *)pages);
}

int main(void)
{
    pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return 2;
    for (int i = 0; i < PAGES - 1; i++) {
        memset(pages + i * PAGE, layout[i].letter, PAGE);
        mprotect(pages + i * PAGE, PAGE, layout[i].protection);
    }
    munmap(pages + (PAGES - 1) * PAGE, PAGE);
    mapped();
    wait_for_line();
    return intact() ? 0 : 1;
}
