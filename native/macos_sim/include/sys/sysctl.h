/* What mach_*.c uses of Darwin's <sys/sysctl.h>. */
#ifndef MACOS_SIM_SYSCTL_H
#define MACOS_SIM_SYSCTL_H
#include <stddef.h>

#define CTL_KERN 1
#define KERN_PROC 14
#define KERN_PROC_PID 1
#define KERN_PROCARGS2 49
struct kinfo_proc {
    struct {
        int p_flag;
    } kp_proc;
};
int sysctl(int *name, unsigned int length, void *old, size_t *old_size, void *replacement, size_t size);
int sysctlbyname(const char *name, void *old, size_t *old_size, void *replacement, size_t size);
#endif
