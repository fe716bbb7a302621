/* The one door to the kernel: every ptrace call goes through trace() and is
 * logged there, and every other call goes through the table that tests can
 * replace. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long real_ptrace(long request, pid_t tid, void *address, void *data) {
    /* The raw system call: PEEK requests then store through `data` and give no value of their own. */
    long result = syscall(SYS_ptrace, request, (long)tid, address, data);
    return result < 0 ? -errno : result;
}

static pid_t real_waitpid(pid_t tid, int *status, int options) {
    pid_t got;
    do
        got = waitpid(tid, status, options);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int real_tgkill(pid_t tgid, pid_t tid, int signal) {
    return syscall(SYS_tgkill, tgid, tid, signal) < 0 ? -errno : 0;
}

static int real_kill(pid_t pid, int signal) {
    return kill(pid, signal) < 0 ? -errno : 0;
}

static ssize_t real_vm_readv(pid_t pid, const struct iovec *local, const struct iovec *remote) {
    ssize_t done = process_vm_readv(pid, local, 1, remote, 1, 0);
    return done < 0 ? -errno : done;
}

static ssize_t real_vm_writev(pid_t pid, const struct iovec *local, const struct iovec *remote) {
    ssize_t done = process_vm_writev(pid, local, 1, remote, 1, 0);
    return done < 0 ? -errno : done;
}

static bool real_same_memory(pid_t one, pid_t other) {
    return syscall(SYS_kcmp, one, other, KCMP_VM, 0, 0) == 0;
}

struct kernel kernel = {
    .ptrace = real_ptrace,
    .waitpid = real_waitpid,
    .await = await_child,
    .tgkill = real_tgkill,
    .kill = real_kill,
    .vm_readv = real_vm_readv,
    .vm_writev = real_vm_writev,
    .same_memory = real_same_memory,
    .find_padding = find_padding,
};

static const char *request_name(long request) {
    static const struct {
        long request;
        const char *name;
    } names[] = {
        {PTRACE_PEEKUSER, "PEEKUSER"},     {PTRACE_POKEUSER, "POKEUSER"},     {PTRACE_POKEDATA, "POKEDATA"},
        {PTRACE_CONT, "CONT"},             {PTRACE_KILL, "KILL"},             {PTRACE_SINGLESTEP, "SINGLESTEP"},
        {PTRACE_DETACH, "DETACH"},         {PTRACE_SYSCALL, "SYSCALL"},       {PTRACE_GETEVENTMSG, "GETEVENTMSG"},
        {PTRACE_GETSIGINFO, "GETSIGINFO"}, {PTRACE_SETSIGINFO, "SETSIGINFO"}, {PTRACE_GETREGSET, "GETREGSET"},
        {PTRACE_SETREGSET, "SETREGSET"},   {PTRACE_SEIZE, "SEIZE"},           {PTRACE_INTERRUPT, "INTERRUPT"},
        {PTRACE_LISTEN, "LISTEN"},         {PTRACE_GETSIGMASK, "GETSIGMASK"}, {PTRACE_SETSIGMASK, "SETSIGMASK"},
        {PTRACE_PEEKSIGINFO, "PEEKSIGINFO"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].request == request)
            return names[i].name;
    return "?";
}

static bool only_reads(long request) {
    return request == PTRACE_GETREGSET || request == PTRACE_GETREGS || request == PTRACE_GETSIGINFO ||
           request == PTRACE_PEEKUSER || request == PTRACE_GETEVENTMSG || request == PTRACE_GETSIGMASK;
}

long trace(long request, pid_t tid, uintptr_t address, uintptr_t data) {
    long result = kernel.ptrace(request, tid, (void *)address, (void *)data);
    if (!only_reads(request))
        forget_regset();
    if (tracer.log >= 0)
        dprintf(tracer.log, "[ptrace] ptrace(%s, %d, %#lx, %#lx) = %ld\n", request_name(request), (int)tid,
                (unsigned long)address, (unsigned long)data, result);
    return result;
}
