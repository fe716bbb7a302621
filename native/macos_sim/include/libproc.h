/* What mach_*.c uses of <libproc.h> and <sys/proc_info.h>. */
#ifndef MACOS_SIM_LIBPROC_H
#define MACOS_SIM_LIBPROC_H
#include <stdint.h>

#define PROC_PIDTBSDINFO 3
struct proc_bsdinfo {
    uint32_t pbi_flags, pbi_status, pbi_xstatus, pbi_pid, pbi_ppid;
    uint32_t pbi_uid, pbi_gid, pbi_ruid, pbi_rgid, pbi_svuid, pbi_svgid, rfu_1;
    char pbi_comm[16], pbi_name[32];
    uint32_t pbi_nfiles, pbi_pgid, pbi_pjobc, e_tdev, e_tpgid;
    int32_t pbi_nice;
    uint64_t pbi_start_tvsec, pbi_start_tvusec;
};
int proc_listallpids(void *buffer, int size);
int proc_pidinfo(int pid, int flavor, uint64_t argument, void *buffer, int size);
int proc_pidpath(int pid, void *buffer, uint32_t size);
int proc_regionfilename(int pid, uint64_t address, void *buffer, uint32_t size);
#endif
