/* <sys/ptrace.h> for tool chains without Apple's SDK. */
#ifndef PYDBGSERVER_PTRACE_H
#define PYDBGSERVER_PTRACE_H
#include <sys/types.h>

#define PT_KILL 8
#define PT_DETACH 11
#define PT_THUPDATE 13
#define PT_ATTACHEXC 14

int ptrace(int request, pid_t pid, caddr_t address, int data);
#endif
