/* Starting a program: the child prepares itself, waits until it is traced,
 * and execs; what fails comes back through a pipe with the step that failed. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct report {
    int32_t stage, error;
};

struct pipes {
    int go[2];     /* parent -> child: you are traced now */
    int report[2]; /* child -> parent: what failed; closed by a successful exec */
};

/* --- in the child: async-signal-safe calls only -------------------------------------- */

static void fail(const struct pipes *pipes, int stage) {
    struct report report = {stage, errno};
    if (write(pipes->report[1], &report, sizeof report) < 0) { /* the parent sees the exit status */
    }
    _exit(127);
}

static void warn(const struct pipes *pipes, int stage) {
    struct report report = {-stage, errno};
    if (write(pipes->report[1], &report, sizeof report) < 0) { /* only a warning */
    }
}

static void own_session(const linux_launch_spec *spec, const struct pipes *pipes) {
    if (spec->new_session || spec->terminal >= 0) {
        if (setsid() < 0)
            fail(pipes, LINUX_STAGE_SESSION);
    } else if (setpgid(0, 0) < 0) {
        fail(pipes, LINUX_STAGE_SESSION);
    }
    if (spec->foreground) {
        signal(SIGTTOU, SIG_IGN);
        tcsetpgrp(STDIN_FILENO, getpid());
    }
}

/* It does not become the controlling terminal, as in lldb-server: with the death of a session's leader the kernel sends
 * SIGHUP to everything in the foreground of its terminal (tty_jobctrl.c, disassociate_ctty), such as a forked child
 * that is still debugged. */
static void own_terminal(const linux_launch_spec *spec, const struct pipes *pipes) {
    if (spec->terminal < 0)
        return;
    for (int fd = 0; fd < 3; fd++)
        if (dup2(spec->terminal, fd) < 0)
            fail(pipes, LINUX_STAGE_TERMINAL);
}

static void redirect(const struct pipes *pipes, const char *path, int fd, int flags, int stage) {
    if (!path)
        return;
    int opened = open(path, flags, 0666);
    if (opened < 0 || dup2(opened, fd) < 0)
        fail(pipes, stage);
    if (opened != fd)
        close(opened);
}

static void reset_signals(void) {
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_strays(const struct pipes *pipes) {
    int low = pipes->go[0] < pipes->report[1] ? pipes->go[0] : pipes->report[1];
    int high = pipes->go[0] < pipes->report[1] ? pipes->report[1] : pipes->go[0];
    if (low > 3)
        syscall(SYS_close_range, 3, low - 1, 0);
    if (high > low + 1)
        syscall(SYS_close_range, low + 1, high - 1, 0);
    syscall(SYS_close_range, high + 1, ~0u, 0);
}

static void fix_addresses(const linux_launch_spec *spec, const struct pipes *pipes) {
    if (!spec->disable_aslr)
        return;
    int present = personality(0xffffffff);
    if (present < 0 || personality((unsigned)present | ADDR_NO_RANDOMIZE) < 0)
        warn(pipes, LINUX_STAGE_EXEC); /* seccomp profiles of containers refuse it */
}

static void run_child(const linux_launch_spec *spec, const struct pipes *pipes) {
    own_session(spec, pipes);
    own_terminal(spec, pipes);
    redirect(pipes, spec->stdin_path, 0, O_RDONLY | O_NOCTTY, LINUX_STAGE_STDIN);
    redirect(pipes, spec->stdout_path, 1, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, LINUX_STAGE_STDOUT);
    redirect(pipes, spec->stderr_path, 2, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, LINUX_STAGE_STDERR);
    if (spec->directory && chdir(spec->directory) < 0)
        fail(pipes, LINUX_STAGE_DIRECTORY);
    if (setgid(getgid()) < 0)
        fail(pipes, LINUX_STAGE_SESSION);
    reset_signals();
    fix_addresses(spec, pipes);
    close_strays(pipes);
    char byte;
    if (read(pipes->go[0], &byte, 1) != 1)
        _exit(127);
    close(pipes->go[0]);
    /* ETXTBSY: somebody still has the file open for writing (a compiler, a copy): give it 2.5 s. */
    for (int attempt = 0; attempt < 50; attempt++) {
        execve(spec->path, spec->argv, spec->envp);
        if (errno != ETXTBSY)
            break;
        usleep(50000);
    }
    fail(pipes, LINUX_STAGE_EXEC);
}

/* --- in the parent ------------------------------------------------------------------------ */

/* Reads the child's reports: warnings into the spec, -errno of the step that failed. */
static int read_reports(linux_launch_spec *spec, int fd) {
    struct report report;
    int error = 0;
    while (read(fd, &report, sizeof report) == sizeof report) {
        if (report.stage < 0) {
            spec->aslr_refused = 1;
            continue;
        }
        spec->stage = report.stage;
        error = -report.error;
    }
    return error;
}

/* Until the program is there, nobody stops what the shell and the wrapper start beside it: shells run commands when they
 * begin (zsh's .zshenv; bash's .bashrc where it finds SSH_CLIENT), and wait for them. */
#define OPTIONS_BEFORE_EXEC (PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

/* Follows the child to its last exec. 0, or the wait status with which it ended. */
static int run_to_exec(pid_t pid, int execs) {
    int status;
    while (execs > 0) {
        if (kernel.waitpid(pid, &status, __WALL) != pid)
            return 127 << 8;
        if (!WIFSTOPPED(status))
            return status;
        int event = status >> 16, signal = event ? 0 : WSTOPSIG(status);
        if (event == PTRACE_EVENT_EXEC && --execs == 0)
            return 0;
        trace(PTRACE_CONT, pid, 0, (uintptr_t)(signal == SIGTRAP ? 0 : signal));
    }
    return 0;
}

static int start_tracing(linux_launch_spec *spec, pid_t pid, const struct pipes *pipes) {
    long result = trace(PTRACE_SEIZE, pid, 0, OPTIONS_BEFORE_EXEC);
    if (result < 0) {
        kernel.kill(pid, SIGKILL);
        kernel.waitpid(pid, &(int){0}, __WALL);
        /* A child that had failed before it was seized is a zombie, which ptrace(2) refuses with EPERM. */
        int failed = read_reports(spec, pipes->report[0]);
        if (!failed)
            spec->stage = LINUX_STAGE_SEIZE;
        return failed ? failed : (int)result;
    }
    if (write(pipes->go[1], "g", 1) < 0) { /* the child is gone: its status says so */
    }
    int status = run_to_exec(pid, spec->execs);
    int error = read_reports(spec, pipes->report[0]);
    if (status) {
        if (!error) {
            spec->stage = LINUX_STAGE_EXITED;
            spec->exit_status = status;
        }
        return error ? error : -ENOEXEC;
    }
    trace(PTRACE_SETOPTIONS, pid, 0, trace_options(true));
    return 0;
}

static int adopt(pid_t pid) {
    struct process *process = add_process(pid);
    process->launched = true;
    struct thread *thread = add_thread(process, pid);
    thread->starting = false;
    bool reports = tracer.options.report_execs;
    tracer.options.report_execs = 0;
    tracer.stopping = true; /* so that the end of execve is reached and nothing more */
    handle_exec(thread);
    tracer.stopping = false;
    tracer.options.report_execs = reports;
    if (process->dead || !process->threads) {
        free_process(process);
        return -ESRCH;
    }
    thread->resumed = false;
    return pid;
}

int linux_launch(linux_launch_spec *spec) {
    struct pipes pipes;
    if (pipe2(pipes.go, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(pipes.report, O_CLOEXEC) < 0) {
        int error = -errno;
        close(pipes.go[0]);
        close(pipes.go[1]);
        return error;
    }
    spec->stage = LINUX_STAGE_FORK;
    pid_t pid = fork();
    int error = pid < 0 ? -errno : 0;
    if (pid == 0)
        run_child(spec, &pipes);
    close(pipes.go[0]);
    close(pipes.report[1]);
    if (pid > 0) {
        spec->stage = LINUX_STAGE_NONE;
        error = start_tracing(spec, pid, &pipes);
    }
    close(pipes.go[1]);
    close(pipes.report[0]);
    return error < 0 ? error : adopt(pid);
}
