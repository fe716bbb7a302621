/* What the files of the scripted kernel share. */
#ifndef PYDBGSERVER_SCRIPTED_TASKS_H
#define PYDBGSERVER_SCRIPTED_TASKS_H

#include "scripted_kernel.h"

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

extern struct task *tasks;
extern struct group *groups;
#define EACH_TASK(t) (struct task *t = tasks; t; t = t->next)

/* scripted_kernel.c */
struct space *make_space(const struct space *copied);
void leave_space(struct task *t);
void enter_space(struct task *t, struct space *space);
struct group *make_group(pid_t pid);
struct task *make_task(struct group *group, pid_t tid, struct space *space, uint64_t pc);
void drop_task(struct task *t);

/* scripted_signals.c: stops, ends, signals */
void stop(struct task *t, int status, int code);
void stop_event(struct task *t, int event, unsigned long message);
void stop_for_trap(struct task *t);
void wake_parent(struct task *child);
void become_zombie(struct task *t);
void begin_exit(struct task *t, int status);
void kill_task(struct task *t, int status);
void queue_signal(siginfo_t *queue, int *count, int number, int value);
struct group *find_group(pid_t pid);
bool stop_for_signal(struct task *t);
void raise_fault(struct task *t, int number, int code);
void queue_fault(struct task *t, int number, int code);
void deliver(struct task *t, int number);

/* scripted_run.c */
bool last_of_group(const struct task *t);
void advance(void);

#endif
