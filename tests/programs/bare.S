/* No C library, no loader, no compiler: the same bytes at the same addresses wherever it is built, so that recorded
 * sessions of it can be played on any machine. Says "ready", calls tick() five times, and ends with status 7.
 * A first letter of argv[1] adds, before the end: s a signal that is ignored, c a crash, f a child, t a thread that
 * calls tick(), w an endless loop. */
#include <asm/unistd_64.h>

#define SIGUSR1 10
#define SIG_IGN 1
#define CLONE_THREAD_FLAGS 0x50f00 /* VM FS FILES SIGHAND THREAD SYSVSEM */
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

    .data
    .balign 8
    .globl counter, done
counter: .quad 0
done: .long 0, 0
ignore: .quad SIG_IGN, 0, 0, 0
sigchld: .quad 1 << 16
words: .ascii "ready\n"
    .balign 16
/* Not the kernel's stack, whose place and contents are the machine's. */
    .fill 2048
stack_end:
    .fill 2048
thread_stack_end:
    /* What follows in the file is in the rest of the last page otherwise. */
    .balign 4096

    .text
    .globl _start, tick
    .type tick, @function
tick:
    push %rbp
    mov %rsp, %rbp
    incq counter
    mov counter, %rax
    pop %rbp
    ret
    .size tick, . - tick

    .type _start, @function
_start:
    /* r12: the letter. lldb steps over the first instruction. No address of the kernel's stack is kept. */
    nop
    mov 16(%rsp), %rax
    test %rax, %rax
    jz begin
    movzbl (%rax), %r12d
begin:
    xor %eax, %eax
    mov $stack_end, %rsp
    mov $__NR_write, %eax
    mov $1, %edi
    mov $words, %rsi
    mov $6, %edx
    syscall
    mov $5, %r13d
loop:
    call tick
    dec %r13d
    jnz loop
    cmp $'s', %r12b
    je signal
    cmp $'c', %r12b
    je crash
    cmp $'f', %r12b
    je fork
    cmp $'t', %r12b
    je thread
    cmp $'w', %r12b
    je spin
end:
    mov $7, %edi
leave:
    mov $__NR_exit_group, %eax
    syscall

signal:
    mov $__NR_rt_sigaction, %eax
    mov $SIGUSR1, %edi
    mov $ignore, %rsi
    xor %edx, %edx
    mov $8, %r10d
    syscall
    mov $__NR_getpid, %eax
    syscall
    mov %eax, %edi
    mov $SIGUSR1, %esi
    mov $__NR_kill, %eax
    syscall
    jmp end

crash:
    xor %eax, %eax
    movq $1, (%rax)
    jmp end

fork:
    /* Whether SIGCHLD comes before or in the wait is chance. */
    mov $__NR_rt_sigprocmask, %eax
    xor %edi, %edi
    mov $sigchld, %rsi
    xor %edx, %edx
    mov $8, %r10d
    syscall
    mov $__NR_fork, %eax
    syscall
    test %eax, %eax
    jz forked
    mov $__NR_wait4, %eax
    mov $-1, %rdi
    xor %esi, %esi
    xor %edx, %edx
    xor %r10d, %r10d
    syscall
    jmp end
forked:
    mov $3, %edi
    jmp leave

thread:
    mov $__NR_clone, %eax
    mov $CLONE_THREAD_FLAGS, %edi
    mov $thread_stack_end, %rsi
    xor %edx, %edx
    xor %r10d, %r10d
    xor %r8d, %r8d
    syscall
    test %eax, %eax
    jz started
wait:
    mov $__NR_futex, %eax
    mov $done, %rdi
    mov $FUTEX_WAIT, %esi
    xor %edx, %edx
    xor %r10d, %r10d
    syscall
    cmpl $0, done
    je wait
    jmp end
started:
    call tick
    movl $1, done
    mov $__NR_futex, %eax
    mov $done, %rdi
    mov $FUTEX_WAKE, %esi
    mov $1, %edx
    syscall
    mov $__NR_exit, %eax
    xor %edi, %edi
    syscall

spin:
    jmp spin
    .size _start, . - _start
    .balign 4096

    .section .note.GNU-stack, "", @progbits
