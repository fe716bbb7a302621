/* In a mount namespace of its own it mounts a file system of one page on argv[1], with a file "inside" and a symbolic
 * link "link" to "/inside"; with argv[2] "chroot" that is then its root directory. "refused" instead of "ready" where
 * the system does not let it. It ends with stdin. */
#define _GNU_SOURCE
#include "program.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

static int refused(const char *what)
{
    say("refused %s\n", what);
    return 3;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) != 0)
        return refused("unshare");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("tmpfs", argv[1], "tmpfs", 0, "size=4k") != 0)
        return refused("mount");
    if (chdir(argv[1]) != 0 || symlink("/inside", "link") != 0)
        return 1;
    int file = open("inside", O_CREAT | O_WRONLY, 0640);
    if (file < 0 || write(file, "hidden\n", 7) != 7 || close(file) != 0)
        return 1;
    if (argc > 2 && strcmp(argv[2], "chroot") == 0 && chroot(".") != 0)
        return refused("chroot");
    ready();
    wait_for_line();
    return 0;
}
