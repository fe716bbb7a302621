/* A kernel for tests of the Linux tracer: threads that run a small machine
 * code, stop, report and die as ptrace(2) says, in an order the test decides.
 *
 * Nothing happens behind the test's back: threads run only while the tracer is
 * in waitpid, four instructions at a time, in table order; a `slow` thread does
 * not move at all. A blocking waitpid with nothing to report fails the test.
 * /proc/PID/task, /proc/TID/mem and /proc/TID/status are scripted too (ld --wrap). */
#ifndef PYDBGSERVER_SCRIPTED_KERNEL_H
#define PYDBGSERVER_SCRIPTED_KERNEL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "linux_tracer.h"

/* One byte each; a system call is three: the CPU's instruction and which one it is.
 * Threads begin at START, new threads and processes at CHILD. */
enum opcode {
    OP_NOP = 0x90,
    OP_TRAP = 0xcc,
    OP_SYSCALL = 0x0f,
    OP_LOOP = 'J', /* jump to START */
    OP_SPIN = 'S', /* stays where it is */
    OP_FAULT = 'G',
    OP_JUMP = 0xe9 /* and four bytes: as x86 has it */
};
#define NOP "\x90"
#define TRAP "\xcc"
#define CALL "\x0f\x05" "Y"  /* system call 39 */
#define BLOCK "\x0f\x05" "B" /* only a signal or an interrupt ends it, and it is then begun anew */
#define CLONE "\x0f\x05" "C"
#define FORK "\x0f\x05" "F"
#define VFORK "\x0f\x05" "V"
#define GUEST "\x0f\x05" "M" /* clone(CLONE_VM) */
#define SHARE "\x0f\x05" "N" /* clone(CLONE_VM | SIGCHLD) */
#define EXEC "\x0f\x05" "A"  /* the new program is OP_SPIN all over */
#define EXIT "\x0f\x05" "E"  /* of the thread, code 0 */
#define QUIT "\x0f\x05" "X"  /* of the process, code QUIT_CODE */
#define CALL_SIZE 3

#define START 0x1000
#define CHILD 0x1100
#define QUIT_CODE 7
#define CALL_RESULT 4242
/* Above the kernel's PID_MAX_LIMIT (2^22): no real process is ever meant. */
#define PID 50000000

enum task_state {
    TASK_RUNS,
    TASK_STOPS,   /* `status` says why; `reported`: waitpid has given it */
    TASK_LISTENS, /* PTRACE_LISTEN */
    TASK_BLOCKS,  /* in BLOCK */
    TASK_SPAWNS,  /* in vfork: waits for its child, deaf to interrupts */
    TASK_EXECS,   /* in execve: waits until the other threads are gone, deaf to interrupts */
    TASK_DEAD     /* a zombie */
};

struct space {
    int file; /* the memory, at its addresses */
    int users;
};

struct group {
    pid_t pid, parent;
    int members;
    int stop_signal;          /* of the job control stop that is on */
    siginfo_t pending[16];
    int pending_count;
    struct group *next;
};

struct task {
    pid_t tid;
    struct group *group;
    struct space *space;
    struct task *next;
    enum task_state state;
    bool traced, reported, slow;
    bool trap_pending, notify_pending;
    bool killed, exiting;
    uint8_t call;   /* the system call at whose entry it has stopped */
    bool returning; /* the end of a system call comes next */
    int status, exit_status;
    long request;
    unsigned long options, message;
    siginfo_t info;
    uint64_t mask;
    int syscall_phase; /* 0: none, 1: stopped at entry, 2: at return */
    struct task *parent; /* in vfork for this one */
    pid_t former_tid;
    struct user_regs_struct registers;
    uint64_t debug[8];
    siginfo_t pending[16];
    int pending_count;
};

void start_kernel(void);
/* Put before the message of a test that fails: which of many rounds it was. */
extern char where[80];
_Noreturn void broken(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define CHECK(condition) ((condition) ? (void)0 : broken(__FILE__, __LINE__, "%s", #condition))
#define CHECK_EQ(left, right) check_equal(__FILE__, __LINE__, #left, (long)(left), (long)(right))
void check_equal(const char *file, int line, const char *what, long left, long right);

/* A process with `count` threads, numbered from `pid`, that spin at START. */
struct task *make_process(pid_t pid, int count);
void put_code(pid_t tid, uint64_t address, const char *code, int size);
#define PUT(tid, address, text) put_code(tid, address, text, (int)sizeof(text) - 1)
uint8_t code_at(pid_t tid, uint64_t address);
/* NULL: reaped. */
struct task *find_task(pid_t tid);
struct task *task(pid_t tid);
int list_tasks(pid_t pid, pid_t *tids, int max);
/* Away with all of them; how many were still traced. */
int forget_tasks(void);
/* To one thread, or to a process; `value` goes along in si_value. */
void send_signal(pid_t tid, int number, int value);
void send_group(pid_t pid, int number, int value);
void kill_group(pid_t pid);
/* The thread stands at a trap, and an interrupt is due: its SIGTRAP comes after the interrupt's stop. */
void hit_trap_behind_interrupt(pid_t tid);
/* waitpid(-1) looks at the youngest thread first. */
extern bool youngest_first;
/* SIGKILL makes no PTRACE_EVENT_EXIT stop. */
extern bool quiet_deaths;
/* Where the module around every address has room behind its code; 0, 0: nowhere. */
extern uint64_t padding_start, padding_end;
/* The id of the next clone child. */
extern pid_t next_tid;
/* Called before each ptrace request is looked at. */
extern void (*before_ptrace)(long request, pid_t tid);
/* The ptrace request of this number (1: the next) kills its process and gives -ESRCH; 0: none. */
extern int fail_at;
extern int ptrace_calls;

/* What the threads have seen. */
struct delivered {
    pid_t tid;
    int signal, value;
};
extern struct delivered deliveries[64];
extern int delivery_count;
int delivered(pid_t tid, int number);
/* How often a thread that runs freely has executed the instruction at `guarded`
 * although the tracer had a trap there. */
extern uint64_t guarded;
extern int slipped;
/* int3 executed, ever. */
extern int traps_taken;
extern int requests[0x10000];

#endif
