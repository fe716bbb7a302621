/* The simulated kernel: Mach's tasks, threads, ports and exceptions over Linux's ptrace and /proc.
 *
 * It keeps the rules of XNU that mach_*.c depends on (native/macos_sim/RULES.md) and is test equipment: slow, one
 * debugger, x86_64 only, everything on one thread. A thread runs when neither its task nor it itself is suspended and
 * no exception of it is unanswered. */
#ifndef MACOS_SIM_KERNEL_H
#define MACOS_SIM_KERNEL_H

#include <mach/mach.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sim_task;

struct sim_thread {
    pid_t tid;
    struct sim_task *task;
    struct sim_thread *next;
    mach_port_name_t name; /* 0: no right to it was given out yet */
    int suspend_count;
    bool born;          /* by a clone, and not yet stopped for the first time */
    bool stopped;       /* in a ptrace stop */
    bool group_stopped; /* by job control */
    bool in_exception;  /* unanswered */
    bool signal_stop;   /* since a soft signal it has not run: the process is in SSTOP */
    int exception, code_count;
    int64_t codes[2];
    int deliver; /* the signal, in Linux's number, with which it goes on */
};

struct exception_action {
    mach_port_t port;
    exception_behavior_t behavior;
    thread_state_flavor_t flavor;
};

struct writable_range {
    uint64_t start, end; /* VM_PROT_COPY has added write to the maximum here */
    int maximum;
    struct writable_range *next;
};

struct sim_task {
    pid_t pid;
    struct sim_task *next;
    mach_port_name_t name;
    struct sim_thread *threads;
    int suspend_count;
    bool start_suspended; /* by posix_spawn */
    bool traced;          /* PT_ATTACHEXC */
    bool detaching;
    bool fresh;           /* since an exec: no image is listed */
    bool killed;          /* by PT_KILL or SIGKILL of the debugger's */
    bool exited;
    unsigned programs;    /* execs so far */
    bool headless;        /* opened after its main thread had ended, whose end nobody can wait for */
    bool watched;         /* EVFILT_PROC */
    int map;              /* the simulated map of this number (see map.c), 0: a real process */
    int exit_status;
    struct exception_action actions[EXC_TYPES_COUNT];
    struct writable_range *writable;
    x86_debug_state64_t debug; /* for threads to come */
    bool debug_set;
};

extern struct sim_task *sim_tasks;
extern int sim_wakeup; /* the kqueue: an eventfd */

/* ports.c */
enum port_kind { PORT_FREE, PORT_TASK, PORT_THREAD, PORT_RECEIVE, PORT_SET, PORT_REPLY, PORT_OTHER };
mach_port_name_t sim_make_port(enum port_kind kind, void *object);
mach_port_name_t sim_give_right(mach_port_name_t name);
void *sim_object(mach_port_name_t name, enum port_kind kind);
void sim_orphan_replies(const struct sim_thread *thread);
void sim_kill_port(mach_port_name_t name);
bool sim_post(mach_port_name_t port, const void *message, mach_msg_size_t size);
bool sim_port_receives(mach_port_name_t port);
bool sim_set_has_messages(void);

/* tasks.c */
struct sim_task *sim_find_task(pid_t pid);
struct sim_task *sim_add_task(pid_t pid);
struct sim_thread *sim_add_thread(struct sim_task *task, pid_t tid);
struct sim_thread *sim_find_tid(struct sim_task *task, pid_t tid);
void sim_drop_threads(struct sim_task *task);
void sim_forget_task(struct sim_task *task);
void sim_drop_thread(struct sim_thread *thread);
void sim_forget_writable(struct sim_task *task);
int sim_page_size(const struct sim_task *task);
bool sim_adopt_running(struct sim_task *task);
struct sim_task *sim_task_of(task_t name);
struct sim_thread *sim_thread_of(thread_act_t name);

/* ends.c */
bool sim_main_thread_has_ended(const struct sim_task *task);
bool sim_drop_ended_main_thread(struct sim_task *task);
bool sim_reap_unknown(struct sim_task *task);

/* run.c */
void sim_stop(struct sim_thread *thread);
void sim_stop_task(struct sim_task *task);
void sim_settle(struct sim_thread *thread);
void sim_settle_task(struct sim_task *task);
void sim_handle_status(struct sim_thread *thread, int status);
void sim_collect(void);
struct sim_thread *sim_borrow(struct sim_task *task);
void sim_give_back(struct sim_task *task);

/* exceptions.c */
void sim_raise(struct sim_thread *thread, int exception, int code_count, int64_t code, int64_t subcode);
void sim_signal_stop(struct sim_thread *thread, int signal);
void sim_answer(struct sim_thread *thread, kern_return_t result);

/* queue.c */
void sim_wake(void);

/* signals.c */
int sim_to_darwin(int linux_signal);
int sim_to_linux(int darwin_signal);

/* remote.c */
int64_t sim_remote_call(struct sim_task *task, long number, const uint64_t arguments[6]);

/* map.c: address spaces simulated in Python */
int sim_map_kill(struct sim_task *task, int signal);
int sim_map_page_size(int map);
kern_return_t sim_map_protect(int map, uint64_t address, uint64_t size, int protection);
kern_return_t sim_map_read(int map, uint64_t address, void *data, uint64_t size);
kern_return_t sim_map_write(int map, uint64_t address, const void *data, uint64_t size);
kern_return_t sim_map_pages(int map, uint64_t address, uint64_t count, int32_t *dispositions);
kern_return_t sim_map_region(int map, uint64_t *address, uint64_t *size, natural_t *depth, natural_t *info,
                             natural_t *count);

#endif
