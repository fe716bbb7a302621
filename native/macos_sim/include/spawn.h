/* What mach_launch.c uses of Darwin's <spawn.h>. */
#ifndef MACOS_SIM_SPAWN_H
#define MACOS_SIM_SPAWN_H
#include <signal.h>
#include <stddef.h>
#include <sys/types.h>
#include <mach/mach.h>

#define POSIX_SPAWN_SETPGROUP 0x0002
#define POSIX_SPAWN_SETSIGDEF 0x0004
#define POSIX_SPAWN_SETSIGMASK 0x0008
#define POSIX_SPAWN_START_SUSPENDED 0x0080
#define POSIX_SPAWN_SETSID 0x0400
#define POSIX_SPAWN_CLOEXEC_DEFAULT 0x4000

/* glibc has functions of the same names with other types. */
#define posix_spawnattr_init sim_posix_spawnattr_init
#define posix_spawnattr_destroy sim_posix_spawnattr_destroy
#define posix_spawnattr_setflags sim_posix_spawnattr_setflags
#define posix_spawnattr_setpgroup sim_posix_spawnattr_setpgroup
#define posix_spawnattr_setsigdefault sim_posix_spawnattr_setsigdefault
#define posix_spawnattr_setsigmask sim_posix_spawnattr_setsigmask
#define posix_spawnattr_setarchpref_np sim_posix_spawnattr_setarchpref_np
#define posix_spawn_file_actions_init sim_posix_spawn_file_actions_init
#define posix_spawn_file_actions_destroy sim_posix_spawn_file_actions_destroy
#define posix_spawn_file_actions_addopen sim_posix_spawn_file_actions_addopen
#define posix_spawn_file_actions_adddup2 sim_posix_spawn_file_actions_adddup2
#define posix_spawn_file_actions_addinherit_np sim_posix_spawn_file_actions_addinherit_np
#define posix_spawn_file_actions_addchdir_np sim_posix_spawn_file_actions_addchdir_np
#define posix_spawn sim_posix_spawn

typedef void *posix_spawnattr_t;
typedef void *posix_spawn_file_actions_t;

int posix_spawnattr_init(posix_spawnattr_t *attributes);
int posix_spawnattr_destroy(posix_spawnattr_t *attributes);
int posix_spawnattr_setflags(posix_spawnattr_t *attributes, short flags);
int posix_spawnattr_setpgroup(posix_spawnattr_t *attributes, pid_t group);
int posix_spawnattr_setsigdefault(posix_spawnattr_t *attributes, const sigset_t *signals);
int posix_spawnattr_setsigmask(posix_spawnattr_t *attributes, const sigset_t *signals);
int posix_spawnattr_setarchpref_np(posix_spawnattr_t *attributes, size_t count, cpu_type_t *types,
                                   cpu_subtype_t *subtypes, size_t *taken);
int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions);
int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions);
int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *actions, int fd, const char *path, int flags,
                                     mode_t mode);
int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from, int to);
int posix_spawn_file_actions_addinherit_np(posix_spawn_file_actions_t *actions, int fd);
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]);
#endif
