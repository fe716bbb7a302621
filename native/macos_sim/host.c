/* libproc, sysctl and csops over /proc. */
#define MACOS_SIM_KERNEL
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <libproc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "kernel.h"

/* With no buffer: how many there are. */
int proc_listallpids(void *buffer, int size) {
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    int count = 0, *pids = buffer;
    while (directory && (entry = readdir(directory))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        if (!buffer)
            count++;
        else if (count < size / (int)sizeof *pids)
            pids[count++] = atoi(entry->d_name);
    }
    if (directory)
        closedir(directory);
    return count;
}

static unsigned number_after(const char *text, const char *key, int which) {
    const char *line = strstr(text, key);
    unsigned values[4] = {0};
    if (line)
        sscanf(line + strlen(key), "%u %u %u %u", &values[0], &values[1], &values[2], &values[3]);
    return values[which];
}

int proc_pidinfo(int pid, int flavor, uint64_t argument, void *buffer, int size) {
    struct proc_bsdinfo *info = buffer;
    char path[64], text[4096];
    (void)argument;
    if (flavor != PROC_PIDTBSDINFO || size < (int)sizeof *info)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    size_t got = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    if (!got) {
        errno = ESRCH;
        return 0;
    }
    text[got] = 0;
    memset(info, 0, sizeof *info);
    info->pbi_pid = (uint32_t)pid;
    info->pbi_ppid = number_after(text, "\nPPid:", 0);
    info->pbi_ruid = number_after(text, "\nUid:", 0);
    info->pbi_uid = number_after(text, "\nUid:", 1);
    info->pbi_rgid = number_after(text, "\nGid:", 0);
    info->pbi_gid = number_after(text, "\nGid:", 1);
    sscanf(text, "Name: %15[^\n]", info->pbi_comm);
    return (int)sizeof *info;
}

int proc_pidpath(int pid, void *buffer, uint32_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    ssize_t length = readlink(path, buffer, size - 1);
    if (length < 0)
        return 0;
    ((char *)buffer)[length] = 0;
    return (int)length;
}

static size_t read_whole(int pid, const char *name, uint8_t *buffer, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    FILE *file = fopen(path, "r");
    size_t got = file ? fread(buffer, 1, size, file) : 0;
    if (file)
        fclose(file);
    return got;
}

/* KERN_PROCARGS2: argc, the program's path, NULs up to a word, argv, the environment. */
static int process_arguments(int pid, uint8_t *buffer, size_t *size) {
    char program[1024];
    if (*size < sizeof program + 8 || proc_pidpath(pid, program, sizeof program) <= 0) {
        errno = EINVAL;
        return -1;
    }
    size_t at = sizeof(int) + strlen(program) + 1;
    memset(buffer, 0, *size);
    memcpy(buffer + sizeof(int), program, strlen(program));
    at = (at + 7) & ~(size_t)7;
    size_t length = read_whole(pid, "cmdline", buffer + at, *size - at);
    int count = 0;
    for (size_t i = 0; i < length; i++)
        count += !buffer[at + i];
    memcpy(buffer, &count, sizeof count);
    at += length;
    *size = at + read_whole(pid, "environ", buffer + at, *size - at);
    return 0;
}

int sysctl(int *name, unsigned int length, void *old, size_t *old_size, void *replacement, size_t size) {
    (void)replacement, (void)size;
    if (length == 3 && name[1] == KERN_PROCARGS2)
        return process_arguments(name[2], old, old_size);
    if (length == 4 && name[1] == KERN_PROC && *old_size >= sizeof(struct kinfo_proc)) {
        ((struct kinfo_proc *)old)->kp_proc.p_flag = 0x10; /* P_LP64 */
        return 0;
    }
    errno = ENOENT;
    return -1;
}

int sysctlbyname(const char *name, void *old, size_t *old_size, void *replacement, size_t size) {
    static const struct {
        const char *name;
        uint32_t value;
    } known[] = {{"hw.optional.avx1_0", 1}, {"hw.optional.avx512f", 0}, {"hw.cputype", CPU_TYPE_X86_64}};
    (void)replacement, (void)size;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name) && *old_size >= sizeof known[i].value) {
            memcpy(old, &known[i].value, sizeof known[i].value);
            *old_size = sizeof known[i].value;
            return 0;
        }
    errno = ENOENT;
    return -1;
}

/* Everything may be debugged: CS_GET_TASK_ALLOW, and no entitlements. */
int csops(pid_t pid, unsigned operation, void *data, size_t size) {
    if (kill(pid, 0) < 0)
        return -1;
    if (operation == 0 && size >= 4) {
        memcpy(data, &(uint32_t){4}, 4);
        return 0;
    }
    errno = EINVAL;
    return -1;
}
