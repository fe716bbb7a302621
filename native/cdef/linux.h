/* The Linux tracer as Python sees it: plain integers and caller-owned buffers.
 * Results are >= 0, or -errno. Nothing here keeps a pointer after it returns.
 *
 * C owns what faces the kernel: which thread runs, is stopped or is stepping,
 * interrupts under way, planted traps, wait statuses nobody has claimed yet.
 * Python owns what faces the client: selected, reported and queued stops. */

enum linux_resume_kind {
    LINUX_CONTINUE = 0,
    LINUX_STEP = 1,
    LINUX_STOP = 2,
    LINUX_RANGE_STEP = 3
};

enum linux_stop_kind {
    LINUX_STOP_SIGNAL = 1,
    LINUX_STOP_BREAKPOINT = 2,
    LINUX_STOP_HARDWARE = 3,
    LINUX_STOP_STEP = 4,
    LINUX_STOP_INTERRUPT = 5,
    LINUX_STOP_SYSCALL_ENTRY = 6,
    LINUX_STOP_SYSCALL_RETURN = 7,
    LINUX_STOP_FORK = 8,
    LINUX_STOP_VFORK = 9,
    LINUX_STOP_VFORK_DONE = 10,
    LINUX_STOP_EXEC = 11,
    LINUX_STOP_THREAD_START = 12,
    LINUX_STOP_THREAD_EXIT = 13,
    LINUX_STOP_EXITED = 14,
    LINUX_STOP_KILLED = 15,
    LINUX_STOP_NONE_RESUMED = 16,
    LINUX_STOP_CLONE = 17,
    LINUX_STOP_HALTED = 18
};

/* Who stops when one thread has something to report: everybody, its process, itself alone. */
enum linux_scope {
    LINUX_SCOPE_ALL = 0,
    LINUX_SCOPE_PROCESS = 1,
    LINUX_SCOPE_THREAD = 2
};

/* One event. NONE_RESUMED: every thread that was resumed has ended, others stay
 * stopped. HALTED: the action STOP has been carried out. `value`: the lowest
 * debug register that was hit, and as bits 8 to 11 all that were (HARDWARE);
 * the child's pid (FORK, VFORK) or tid (CLONE); the system call number
 * (SYSCALL_*), the status (THREAD_EXIT, EXITED).
 * `registers`: the general register set, registers_size 0 if the thread is gone.
 * `failure`: of a breakpoint that stopped because an expression of its program failed, the enum agent_result;
 * `failed_at`: the address that could not be read (AGENT_BAD_MEMORY), else the offset of the instruction. */
typedef struct {
    int32_t pid;
    int32_t tid;
    int32_t kind;
    int32_t signal;
    uint64_t pc;
    uint64_t value;
    uint8_t registers[256];
    int32_t registers_size;
    int32_t failure;
    uint64_t failed_at;
} linux_stop;

/* pid or tid -1 matches every one. The leftmost action that matches a thread counts. */
typedef struct {
    int32_t pid;
    int32_t tid;
    int32_t kind;
    int32_t signal;
    uint64_t start;
    uint64_t end;
} linux_action;

/* Which events are reported; all others are handled silently. Bit N-1 of
 * pass_signals: signal N is delivered without a stop. */
typedef struct {
    uint64_t pass_signals;
    uint64_t program_signals;
    int32_t report_forks;
    int32_t report_vforks;
    int32_t report_execs;
    int32_t report_threads;
    int32_t unattended;
} linux_options;

enum linux_launch_stage {
    LINUX_STAGE_NONE = 0,
    LINUX_STAGE_FORK = 1,
    LINUX_STAGE_SESSION = 2,
    LINUX_STAGE_TERMINAL = 3,
    LINUX_STAGE_STDIN = 4,
    LINUX_STAGE_STDOUT = 5,
    LINUX_STAGE_STDERR = 6,
    LINUX_STAGE_DIRECTORY = 7,
    LINUX_STAGE_SEIZE = 8,
    LINUX_STAGE_EXEC = 9,
    LINUX_STAGE_EXITED = 10
};

/* How to start a program. NULL paths keep the server's descriptor. execs: how
 * many execve calls to wait for (1, plus 1 for a shell, plus 1 for a wrapper).
 * Out: stage that failed (with the result's errno, or the exit status for
 * STAGE_EXITED), and whether the kernel refused to switch off ASLR. */
typedef struct {
    const char *path;
    char **argv;
    char **envp;
    const char *directory;
    const char *stdin_path;
    const char *stdout_path;
    const char *stderr_path;
    int32_t terminal;
    int32_t new_session;
    int32_t foreground;
    int32_t disable_aslr;
    int32_t execs;
    int32_t stage;
    int32_t aslr_refused;
    int32_t exit_status;
} linux_launch_spec;

/* Installs the SIGCHLD handler; the result is a descriptor that becomes
 * readable when linux_wait may have something to say. May be called again. */
int linux_open(void);
/* Makes that descriptor unreadable again; 1 if it was readable. */
int linux_clear_wakeup(void);
/* 1: something that no client debugs has to be looked after, by linux_attend when the descriptor is readable. */
int linux_unattended(void);
void linux_attend(void);
void linux_configure(const linux_options *options);
/* Every ptrace call is written to this descriptor as a line of the log channel ptrace; -1: none. */
void linux_log_to(int fd);

/* The pid, stopped at its first instruction. */
int linux_launch(linux_launch_spec *spec);
/* The number of threads attached, all stopped. */
int linux_attach(int pid);
/* Lifts traps and debug registers and lets every thread go (with `stopped`: leaves the process stopped). */
int linux_detach(int pid, int stopped);
int linux_kill(int pid);

/* Thread ids in the order in which they were first seen; the count, which may exceed max. */
int linux_threads(int pid, int32_t *tids, int max);
/* Whether the threads that `tid` starts (LINUX_STOP_CLONE, they stay stopped until resumed) and its end are reported;
 * tid -1: of every thread that is there now. */
int linux_report_thread(int pid, int tid, int clones, int exits);
/* How many threads were resumed. linux_wait has to follow: SIGCHLD is blocked until then. */
int linux_resume(const linux_action *actions, int count);
/* Collects stops, waiting at most budget_us. 0: still running, or nothing to run. */
int linux_wait(linux_stop *stops, int max, int64_t budget_us, int64_t spin_us);
/* Asks every running thread to stop; preferred: the tid that reports it. */
int linux_interrupt(int preferred);
/* Threads that run or are about to stop. */
int linux_running(void);

/* With another scope than ALL linux_wait reports what has stopped while the rest runs on, and linux_resume acts on
 * threads whose stop has been reported (THREAD: and acknowledged); its action STOP stops those that run. From ALL
 * only while everything is stopped; to ALL everything is asked to stop, and linux_wait follows. */
void linux_set_scope(int scope);
/* The client knows that this thread is stopped. */
int linux_acknowledge(int tid);
/* Lets the threads of a process that has just been attached run (scope THREAD), but for one; the number of them. */
int linux_run_attached(int pid, int but);

/* Bytes read (a prefix where a later page is not readable), traps hidden. */
int64_t linux_read_memory(int pid, uint64_t address, uint8_t *buffer, uint64_t size);
/* Bytes written, traps kept in place. */
int64_t linux_write_memory(int pid, uint64_t address, const uint8_t *buffer, uint64_t size);
/* 1: *found is the first place in [address, address+length) where the `size` bytes of `pattern` are whole; 0: there is
 * none; -EFAULT: *found is where the memory before a hit cannot be read. */
int linux_search_memory(int pid, uint64_t address, uint64_t length, const uint8_t *pattern, uint64_t size, uint64_t *found);
int linux_insert_trap(int pid, uint64_t address, const uint8_t *code, int size, int pc_adjust);
/* 1, or 0 if there was none; -EFAULT: there was one, and nothing is mapped there any more. In no case is there one
 * afterwards. */
int linux_remove_trap(int pid, uint64_t address);
/* All but those whose commands persist without a client. */
int linux_lift_all(int pid);

/* `size` bytes at `offset` of the register set of NT type `type`; size 0: expressions cannot have it. */
typedef struct {
    int32_t type;
    int32_t offset;
    int32_t size;
} linux_register;
/* The registers that expressions name by number. */
int linux_set_registers(int pid, const linux_register *registers, int count);
/* The conditions, then the commands (agent expressions, see agent_expr.h) of the breakpoint at `address`, in the place
 * of what it had; `hardware`: of the execute debug register there. A hit stops the thread if any condition is true (or
 * there is none) and there are no commands. -EINVAL: an expression is not sound. Removing a trap removes them. */
int linux_set_program(int pid, uint64_t address, int hardware, const uint8_t *code, const int32_t *lengths,
                      int conditions, int commands, int persist);
/* How many breakpoints have commands that persist. */
int linux_persistent(int pid);
/* Where commands print; -1: nowhere. */
void linux_print_to(int fd);

/* The size of the register set read, or written. */
int linux_read_regset(int tid, int type, uint8_t *buffer, int size);
int linux_write_regset(int tid, int type, const uint8_t *buffer, int size);
int linux_read_siginfo(int tid, uint8_t *buffer);
int linux_write_siginfo(int tid, const uint8_t *buffer);
/* The values take effect on each thread before it next runs. */
int linux_set_debug_registers(int pid, const uint64_t *addresses, uint64_t control);
/* count -1: every system call; 0: none. */
int linux_catch_syscalls(int pid, const int32_t *numbers, int count);
/* A system call to be run from the instruction at `instruction`. Offsets are in the general register set; each value
 * there has `width` bytes, low byte first. `restart_offset`: where -1 says that no interrupted call is to be gone back
 * to. Out: `result`, as wide, not sign-extended. */
typedef struct {
    uint64_t instruction;
    uint64_t number;
    uint64_t arguments[6];
    uint64_t result;
    uint32_t number_offset;
    uint32_t result_offset;
    uint32_t restart_offset;
    uint32_t argument_offsets[6];
    int32_t count;
    int32_t width;
} linux_syscall;
/* Runs one system call in a stopped thread. */
int linux_inject_syscall(int tid, linux_syscall *call);
/* openat2(2) below the root directory of `pid`, in its mount namespace: a descriptor of this server. */
int linux_open_in_root(int pid, const char *path, int flags, int mode);
/* CPUID leaf `leaf`, subleaf `subleaf` in eax..edx order. */
void linux_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t *registers);

/* For `carry_out` of an rsp_repeat (native/cdef/rsp.h), with what it is to be given. */
typedef struct {
    int32_t pid;
    int32_t size;
    int32_t pc_adjust;
    uint64_t address;
    uint8_t code[8];
} linux_repeated_trap;
int64_t linux_repeat_insertion(void *trap, uint8_t *reply, int64_t capacity);
int64_t linux_repeat_removal(void *trap, uint8_t *reply, int64_t capacity);

/* A resume and the wait for its stop, which is replied to if it is the only one, of the thread `tid`, and the end of a
 * step or a breakpoint; else `found` of `stops` are for somebody else, 0: it runs. */
typedef struct {
    const linux_action *actions;
    int32_t count;
    int32_t tid;
    linux_stop *stops;
    int32_t max;
    int32_t found;
    int64_t budget_us;
    int64_t spin_us;
    rsp_form after_step;
    rsp_form at_breakpoint;
} linux_repeated_run;
int64_t linux_repeat_run(void *run, uint8_t *reply, int64_t capacity);
