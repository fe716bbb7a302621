/* Linux's signal numbers and Darwin's (sys/signal.h of each). */
#define MACOS_SIM_KERNEL
#include <signal.h>

#include "kernel.h"

static const struct {
    int ours, darwin;
} numbers[] = {
    {SIGBUS, 10}, {SIGUSR1, 30}, {SIGUSR2, 31}, {SIGCHLD, 20}, {SIGCONT, 19}, {SIGSTOP, 17}, {SIGTSTP, 18},
    {SIGURG, 16}, {SIGIO, 23},   {SIGSYS, 12},
};

/* What Linux has and Darwin has not (SIGSTKFLT, SIGPWR, real-time signals) is shown as SIGINFO, 29. */
int sim_to_darwin(int signal) {
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].ours == signal)
            return numbers[i].darwin;
    return signal == SIGSTKFLT || signal == SIGPWR || signal > 31 ? 29 : signal;
}

/* SIGEMT (7) and SIGINFO (29), which Linux has not, become SIGURG, which nobody minds. */
int sim_to_linux(int signal) {
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].darwin == signal)
            return numbers[i].ours;
    return signal == 7 || signal == 29 ? SIGURG : signal;
}
