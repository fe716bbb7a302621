/* Signals are sent with Darwin's numbers; the simulated kernel translates them. */
#include_next <signal.h>
#if !defined(MACOS_SIM_KERNEL) && !defined(MACOS_SIM_SIGNAL_H)
#define MACOS_SIM_SIGNAL_H
int sim_kill(pid_t pid, int signal);
#define kill sim_kill
#endif
