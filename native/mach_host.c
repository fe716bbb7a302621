/* The host and its processes, debugged or not. */
#include <errno.h>
#include <libproc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysctl.h>

#include "mach_tracer.h"

/* sys/codesign.h is in no public SDK. */
int csops(pid_t pid, unsigned operation, void *data, size_t size);
enum { CS_OPS_STATUS = 0, CS_OPS_ENTITLEMENTS_BLOB = 7, BLOB_HEADER = 8 };
enum { PROCESS_64BIT = 0x10, PROCESS_TRANSLATED = 0x20000 }; /* P_LP64, P_TRANSLATED of sys/proc.h */

int mach_list_processes(int32_t *pids, int max) {
    _Static_assert(sizeof(pid_t) == sizeof *pids, "pid_t");
    int count = proc_listallpids(NULL, 0);
    if (count < 0)
        return -errno;
    if (max <= 0)
        return count;
    int got = proc_listallpids(pids, max * (int)sizeof *pids);
    return got < 0 ? -errno : got < max ? got : count > max ? count : got;
}

/* The kernel's flags of the process: translated is not among those libproc gives. */
static void fill_cpu(int pid, mach_process_description *description) {
    int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
    struct kinfo_proc info;
    size_t size = sizeof info;
    memset(&info, 0, sizeof info);
    if (sysctl(name, 4, &info, &size, NULL, 0) < 0 || !size)
        return;
    description->translated = (info.kp_proc.p_flag & PROCESS_TRANSLATED) != 0;
    if (info.kp_proc.p_flag & PROCESS_64BIT) {
#if defined(__aarch64__)
        description->cpu_type = description->translated ? CPU_TYPE_X86_64 : CPU_TYPE_ARM64;
#else
        description->cpu_type = CPU_TYPE_X86_64;
#endif
    }
}

int mach_describe_process(int pid, mach_process_description *description) {
    struct proc_bsdinfo info;
    memset(description, 0, sizeof *description);
    errno = 0;
    if (proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &info, sizeof info) != (int)sizeof info)
        return errno ? -errno : -ESRCH;
    description->pid = pid;
    description->parent_pid = (int32_t)info.pbi_ppid;
    description->uid = (int32_t)info.pbi_ruid;
    description->gid = (int32_t)info.pbi_rgid;
    description->effective_uid = (int32_t)info.pbi_uid;
    description->effective_gid = (int32_t)info.pbi_gid;
    const char *name = info.pbi_name[0] ? info.pbi_name : info.pbi_comm;
    snprintf(description->name, sizeof description->name, "%.*s", (int)sizeof info.pbi_name, name);
    if (proc_pidpath(pid, description->path, sizeof description->path) <= 0)
        description->path[0] = 0;
    fill_cpu(pid, description);
    return 0;
}

int mach_process_arguments(int pid, uint8_t *buffer, int size) {
    int name[] = {CTL_KERN, KERN_PROCARGS2, pid};
    size_t length = (size_t)size;
    return sysctl(name, 3, buffer, &length, NULL, 0) < 0 ? -errno : (int)length;
}

int mach_send_signal(int pid, int signal) {
    return kill(pid, signal) < 0 ? -errno : 0;
}

int mach_sysctl(const char *name, uint8_t *buffer, int size) {
    size_t length = (size_t)size;
    return sysctlbyname(name, buffer, &length, NULL, 0) < 0 ? -errno : (int)length;
}

int mach_signing_status(int pid, uint32_t *status) {
    return csops(pid, CS_OPS_STATUS, status, sizeof *status) < 0 ? -errno : 0;
}

/* The blob is a magic and its length, both big endian, then the property list; where there is none the kernel gives an
 * empty header or EINVAL. */
int mach_entitlements(int pid, uint8_t *buffer, int size) {
    if (size <= BLOB_HEADER)
        return -EINVAL;
    memset(buffer, 0, BLOB_HEADER);
    if (csops(pid, CS_OPS_ENTITLEMENTS_BLOB, buffer, (size_t)size) < 0)
        return errno == EINVAL ? 0 : -errno;
    uint32_t length = (uint32_t)buffer[4] << 24 | (uint32_t)buffer[5] << 16 | (uint32_t)buffer[6] << 8 | buffer[7];
    if (length <= BLOB_HEADER)
        return 0;
    if (length > (uint32_t)size)
        return -ERANGE;
    memmove(buffer, buffer + BLOB_HEADER, length - BLOB_HEADER);
    return (int)(length - BLOB_HEADER);
}
