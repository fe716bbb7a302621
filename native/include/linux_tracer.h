/* The tracer's own state, shared by linux_*.c.
 *
 * One server process has one tracer: waitpid(-1) and the ptrace relation
 * belong to the process, so the state is one static object. */
#ifndef PYDBGSERVER_LINUX_TRACER_H
#define PYDBGSERVER_LINUX_TRACER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "linux.h"
#include "traps.h"

/* linux/ptrace.h; not in every libc's sys/ptrace.h */
#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

/* --- linux_kernel.c: the one door to the kernel ------------------------- */

/* Tests replace these to script races. Each gives a result >= 0 or -errno. */
struct kernel {
    long (*ptrace)(long request, pid_t tid, void *address, void *data);
    pid_t (*waitpid)(pid_t tid, int *status, int options);
    pid_t (*await)(pid_t tid, int *status); /* sleeps for some milliseconds at most: 0 */
    int (*tgkill)(pid_t tgid, pid_t tid, int signal);
    int (*kill)(pid_t pid, int signal);
    ssize_t (*vm_readv)(pid_t pid, const struct iovec *local, const struct iovec *remote);
    ssize_t (*vm_writev)(pid_t pid, const struct iovec *local, const struct iovec *remote);
    bool (*same_memory)(pid_t one, pid_t other);
    bool (*find_padding)(pid_t pid, uint64_t address, uint64_t *start, uint64_t *end);
};
extern struct kernel kernel;

/* The real `await`. */
pid_t await_child(pid_t tid, int *status);

/* kernel.ptrace, logged. Data is a value or an address, as the request has it. */
long trace(long request, pid_t tid, uintptr_t address, uintptr_t data);

/* --- threads and processes ---------------------------------------------- */

enum thread_state {
    THREAD_STOPPED,
    THREAD_RUNNING, /* includes PTRACE_LISTEN: not accessible until it stops */
    THREAD_EXITING  /* past PTRACE_EVENT_EXIT: runs no more user code, not yet reaped */
};

#define GENERAL_MAX 256
#define DEFERRED_MAX 8
#define SIGINFO_SIZE 128

struct event {
    int kind; /* enum linux_stop_kind, 0: none */
    int signal;
    uint64_t value;
    unsigned sequence;
};

struct thread {
    pid_t tid;
    struct process *process; /* NULL: a clone child that reported before its parent did */
    pid_t group;             /* its thread group: the process' own, or a guest's (linux_groups.c) */
    struct thread *next;      /* in the process, in order of appearance */
    struct thread *hash_next;
    struct thread *run_next, *run_previous; /* in tracer.running_list */
    enum thread_state state;
    bool starting;      /* its first stop has not been seen */
    bool left_behind;   /* was dying when it was let go: linux_unattended.c */
    bool interrupt_sent; /* PTRACE_INTERRUPT since it last ran */
    bool stepping;      /* the last resume was PTRACE_SINGLESTEP */
    bool step_interrupted; /* another stop came first (signal.c, get_signal): the step's SIGTRAP may still come */
    bool group_stopped; /* stopped by job control: resume with PTRACE_LISTEN */
    bool in_vfork;      /* waits in the kernel for its vfork child */
    bool in_kernel;     /* stopped inside a system call: it has to finish before another can be injected */
    bool exec_returns;  /* its execve has been reported, the return from it (if it is caught) not yet */
    bool injectable;    /* stopped where the kernel takes a signal to deliver: not at a PTRACE_EVENT */
    bool resumed;       /* the client wants it to run */
    bool report_clones, report_exit; /* the client wants to hear of the threads it starts, of its end */
    bool announced;     /* its start is told as an event of the thread that cloned it */
    bool held;          /* stopped for a moment by quiesce() */
    int halt_wanted;    /* enum linux_stop_kind to report at the next stop that has nothing else to say, 0: none */
    bool unacknowledged; /* its stop has been handed out, and the client is not yet known to have heard of it */
    int resume_kind;    /* enum linux_resume_kind of the last resume */
    uint64_t range_start, range_end;
    int stop_signal;  /* the signal of the present signal-delivery-stop, 0: another stop */
    int deliver;      /* to inject at the next resume */
    int pass_once;    /* a signal sent on the client's order: deliver it without a stop */
    siginfo_t resent[DEFERRED_MAX]; /* what belongs to signals that were held back and sent anew */
    int resent_count;
    uint64_t call_trap;   /* in a system call whose instruction has this trap, which it has hit */
    uint64_t restarts_at; /* there it begins the system call anew when it runs */
    uint64_t restarted;   /* there it has begun it anew, if it is there now */
    bool at_trap;     /* hit the trap at trap_address and reported it: step over it if resumed from there */
    uint64_t trap_address;
    uint64_t slot; /* when it last ran it began in this one; 0: in none */
    unsigned debug_generation; /* of process->debug when last written to this thread */
    struct event event;
    int failure; /* of the program of the breakpoint hit last: enum agent_result */
    uint64_t failed_at;
    bool general_valid;
    int general_size;
    uint8_t general[GENERAL_MAX];
    siginfo_t siginfo;
    bool siginfo_valid;
};

/* How a thread gets over a trap. */
enum way {
    WAY_UNKNOWN,
    WAY_STEP, /* with the trap lifted, and everybody else stopped */
    WAY_SLOT, /* in a slot, see linux_slots.c */
    WAY_JUMP  /* the instruction is a jump, which the tracer carries out */
};

#define NOT_A_TRAP 0xff /* as pc_adjust: a slot */

/* The program (linux_points.c) of a breakpoint. */
struct point {
    uint64_t address;
    bool hardware;
    struct program *program;
};

struct debug_registers {
    uint64_t address[4];
    uint64_t control;
    unsigned generation; /* 0: never used */
};

struct process {
    pid_t pid;
    struct process *next;
    struct thread *threads;
    int live;        /* threads not exiting */
    bool launched;
    bool stopping;   /* beyond scope ALL: its threads stay stopped until one is resumed */
    int halt_wanted; /* scope PROCESS: as a thread's */
    bool silent;     /* a fork child nobody asked for that shares its parent's memory: followed unseen until it execs or exits */
    pid_t vfork_parent; /* the thread that waits in the kernel for this child of vfork */
    pid_t announcer;    /* the thread whose event will tell the client of this fork child, 0: none */
    bool release_child; /* a fork child to be cleaned and let go at its first stop */
    bool shares_memory; /* with its vfork parent: the traps are the parent's */
    bool leaderless; /* its leader was a zombie at attach and is not traced */
    bool killing;
    bool dead;       /* its exit has been seen, not yet reported */
    bool continue_group;  /* was job-stopped at attach: SIGCONT it when first resumed */
    bool swallow_continue; /* that SIGCONT is on its way */
    int exit_status; /* as waitpid gives it */
    int memory_fd;   /* /proc/TID/mem, -1: not open */
    struct trap_list traps;
    struct point *points;
    int point_count;
    const linux_register *registers; /* as expressions number them */
    int register_count;
    struct debug_registers debug;
    int catch_count; /* -1: all */
    uint64_t caught[8];
};

struct tracer {
    struct process *processes;
    struct thread *running_list;
    int running;
    int left_behind;          /* threads */
    int scope;                /* enum linux_scope */
    bool stopping;            /* every thread is being stopped: scope ALL only */
    bool interrupt_requested; /* by the client; reported if no real event comes first */
    bool awaited;             /* the client has resumed and waits for an event */
    int interrupt_tid;
    unsigned sequence;
    unsigned statuses; /* how many have been handled */
    linux_options options;
    int wakeup; /* eventfd that the SIGCHLD handler writes */
    int log;
    int print_to;
};
extern struct tracer tracer;

#define EACH_PROCESS(p) (struct process *p = tracer.processes; p; p = p->next)
#define EACH_THREAD(t, p) (struct thread *t = (p)->threads; t; t = t->next)

/* linux_tables.c */
struct process *find_process(pid_t pid);
struct thread *find_thread(pid_t tid);
struct process *add_process(pid_t pid);
void free_process(struct process *process);
struct thread *add_thread(struct process *process, pid_t tid);
void adopt_thread(struct process *process, struct thread *thread);
void leave_process(struct thread *thread);
void remove_thread(struct thread *thread);
void rename_thread(struct thread *thread, pid_t tid);
struct thread *live_thread(struct process *process);
struct thread *find_unplaced(bool (*wanted)(const struct thread *thread));
void mark_running(struct thread *thread);
void mark_stopped(struct thread *thread);
void mark_exiting(struct thread *thread);

/* linux_unheard.c */
/* The event is being handed out. */
void heard_of_child(const struct event *event);
/* Lets go the children whose parent's event is no more. */
void release_unheard(void);

/* linux_attach.c */
/* For PTRACE_SEIZE and PTRACE_SETOPTIONS. */
unsigned long trace_options(bool launched);
int adopt_all_threads(struct process *process);
void release_process(struct process *process, bool stopped);
void follow_unseen(struct process *process);
/* Lets go the processes that are followed unseen and that no trap can do harm any more. */
void release_followed(void);

/* linux_unattended.c: it takes no detach */
void leave_behind(struct thread *thread);

/* linux_events.c */
void handle_status(struct thread *thread, int status);
/* The program's own trap instruction, below one of ours. */
void handle_own_trap(struct thread *thread);

/* linux_pending.c. True: a trap of the thread's waits behind its present stop, and the thread stops for it next. */
bool take_pending_trap(struct thread *thread);
bool is_caught(const struct process *process, uint64_t number);
void record_event(struct thread *thread, int kind, int signal, uint64_t value);
bool stays_stopped(const struct thread *thread);
bool holds_up_parent(const struct process *process);
void go_on(struct thread *thread);
void stop_for(struct thread *thread);

/* linux_collect.c */
void dispatch(pid_t tid, int status);
bool wait_for(struct thread *thread, int *status);
void await_status(struct thread *thread);
void collect_thread(struct thread *thread);
/* Above this, one waitpid(-1) is cheaper than asking for each. */
#define FEW 4
void collect_running(void);
void collect_any(void);
void stop_all(void);
bool dying(void);
bool stop_complete(void);

/* linux_wait.c */
void wake_up(void);
/* False: it is held already, for somebody else to release. */
bool hold_child_signal(void);
void release_child_signal(void);
int64_t now_us(void);
void wait_a_moment(int64_t spent_us, int64_t budget_us, int64_t spin_us);
void settle(void);

/* linux_report.c */
bool have_events(void);
bool none_resumed(void);
void fill_event(linux_stop *stop, struct thread *thread, const struct event *event);
int take_exits(linux_stop *stops, int max);
int take_general(linux_stop *stops, int kind);
int take_events(linux_stop *stops, int max);

/* linux_nonstop.c */
void nonstop_stop_for(struct thread *thread);
void halt_matching(const linux_action *actions, int count);
int nonstop_wait(linux_stop *stops, int max, int64_t budget_us, int64_t spin_us);
int nonstop_interrupt(int preferred);
void interrupt_process(struct process *process);
void keep_child(pid_t pid);
bool leave_lifted_trap(struct thread *thread);

/* linux_clone.c */
void handle_new_child(struct thread *parent, int event, pid_t child);
void handle_first_stop(struct thread *thread);
void handle_exec(struct thread *thread);
void release_orphans(const struct process *dead);

/* linux_groups.c */
static inline bool is_guest(const struct thread *thread) {
    return thread->group != thread->process->pid;
}
/* The thread group in which a child of clone(2) is a thread of its parent's process; 0: it is a process. */
pid_t group_as_thread(const struct thread *parent, pid_t tid);
/* The threads of one group are a process of their own from now on: silent, with the traps that they may meet. */
struct process *part_group(struct process *process, pid_t group);
/* The program is at its end: what is left of it is followed unseen. */
void part_guests(struct process *process);
void signal_groups(const struct process *process, int signal);

/* linux_resume.c */
void update_debug_registers(struct thread *thread);
void resume_thread(struct thread *thread);
const linux_action *action_for(const linux_action *actions, int count, const struct thread *thread);
void run_resumed(void);

/* linux_step_over.c. True: the thread may run on. */
bool step_over(struct thread *thread);

/* linux_points.c */
/* Runs the program of the breakpoint, if it has one. True: nobody is to be told of the hit. */
bool goes_on_from(struct thread *thread, uint64_t address, bool hardware);
bool is_persistent(const struct process *process, uint64_t address);
void drop_point(struct process *process, uint64_t address, bool hardware);
void drop_points(struct process *process);
void copy_points(struct process *child, const struct process *parent);

/* linux_slots.c */
/* Whether the thread gets over the trap that it is at without anybody else: resume_thread() does it then. */
bool leaves_alone(struct thread *thread);
void enter_slot(struct thread *thread);
/* Undoes it at the stop (for `signal`, 0: another) that follows, if that is where the thread still is. */
void leave_slot(struct thread *thread, int signal);

/* In the place of a step, if the thread stands at a jump that nobody watches. */
bool carry_out_jump(struct thread *thread, uint64_t pc);

/* linux_padding.c */
/* Executable memory behind the code of the module around `address` that nothing is in. */
bool find_padding(pid_t pid, uint64_t address, uint64_t *start, uint64_t *end);

/* linux_memory.c */
int64_t read_memory_raw(struct process *process, uint64_t address, uint8_t *buffer, uint64_t size);
bool write_code(struct process *process, uint64_t address, const uint8_t *bytes, int size);
void forget_memory(struct process *process);

/* linux_traps.c */
bool add_slot(struct process *process, const struct trap *slot);
void remove_slot(struct process *process, uint64_t address);
struct trap *find_trap(struct process *process, uint64_t address);
struct trap *find_shared_trap(struct process *process, uint64_t address);
void lift_traps(struct process *process);
bool copy_traps(struct process *child, const struct process *parent);

/* linux_deferred.c: signals that come while a thread steps over a trap */
struct deferred {
    int count;
    siginfo_t info[DEFERRED_MAX];
};
/* From here on it is as if they came anew, with all that belonged to them. */
void send_again(struct thread *thread, const struct deferred *deferred, int from);
/* A signal that stops the thread now may be such a one: its siginfo is put back. */
void restore_siginfo(struct thread *thread, int signal);
void defer_delivery(struct thread *thread, struct deferred *deferred);
/* One that the instruction itself has caused. */
bool is_fault(int signal, const siginfo_t *info);

/* linux_registers.c */
bool load_general(struct thread *thread);
uint64_t thread_pc(struct thread *thread);
/* The same without fetching the others. */
uint64_t peek_pc(struct thread *thread);
void set_thread_pc(struct thread *thread, uint64_t pc);
bool load_siginfo(struct thread *thread);
/* What was read of registers may have changed. */
void forget_regset(void);

/* linux_x86_64_code.c */
#define INSTRUCTION_MAX 15
#define JUMP_MAX 6
struct instruction {
    int length;
    int displacement_at; /* of an operand that is relative to the PC, 0: none */
};
/* False: it is not known, or does not do the same at another address. Reads up to INSTRUCTION_MAX bytes, and at most
 * 8 more. */
bool cpu_decode(const uint8_t *code, struct instruction *instruction);
/* The instruction as it does at `to` what it does at `from`, and a jump back to the next one; its size, 0: too far. */
int cpu_move(const uint8_t *code, const struct instruction *instruction, uint64_t from, uint64_t to, uint8_t *moved);
/* Jumps with their distance in them: the PC afterwards. */
bool cpu_is_jump(const uint8_t *code);
void cpu_jump(const uint8_t *code, uint8_t *general);
bool cpu_is_64_bit(const uint8_t *general);

/* linux_x86_64.c: all that depends on the CPU */
int cpu_read_general(pid_t tid, uint8_t *general);
long cpu_write_general(pid_t tid, const uint8_t *general);
uint64_t cpu_pc(const uint8_t *general);
long cpu_peek_pc(pid_t tid, uint64_t *pc);
void cpu_set_pc(uint8_t *general, uint64_t pc);
uint64_t cpu_syscall_number(const uint8_t *general);
/* Where a system call that this stop has interrupted begins anew; 0: none. */
uint64_t cpu_restarts_at(const uint8_t *general);
bool cpu_may_be_syscall(uint8_t first_byte);
bool cpu_is_syscall(const uint8_t *instruction);
bool cpu_is_trap_instruction(const siginfo_t *info);
bool cpu_is_debug_register(const siginfo_t *info);
int cpu_lifted_trap(const uint8_t *before_pc);
bool cpu_may_be_debug_register(const siginfo_t *info);
int cpu_debug_register_hit(struct thread *thread);
bool cpu_executes(const struct debug_registers *debug, int slot);
bool cpu_write_debug_registers(struct thread *thread, const struct debug_registers *debug);

#endif
