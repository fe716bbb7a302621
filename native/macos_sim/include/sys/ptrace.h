/* Darwin's ptrace; the simulated kernel itself takes the host's. */
#ifdef MACOS_SIM_KERNEL
#include_next <sys/ptrace.h>
#else
#ifndef MACOS_SIM_PTRACE_H
#define MACOS_SIM_PTRACE_H
#include <sys/types.h>
#define PT_KILL 8
#define PT_DETACH 11
#define PT_THUPDATE 13
#define PT_ATTACHEXC 14
#define ptrace sim_ptrace
int ptrace(int request, pid_t pid, caddr_t address, int data);
#endif
#endif
