/* Wait statuses hold Darwin's signal numbers. */
#include_next <sys/wait.h>
#if !defined(MACOS_SIM_KERNEL) && !defined(MACOS_SIM_WAIT_H)
#define MACOS_SIM_WAIT_H
pid_t sim_waitpid(pid_t pid, int *status, int options);
#define waitpid sim_waitpid
#endif
