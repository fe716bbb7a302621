# A program that is the same bytes at the same addresses wherever it is built, so that the session in hello.rsp can be
# played on any machine: no C library, no loader. It counts to three and says hello.
    .data
    .globl count
count: .quad 0
words: .ascii "hello\n"
    .balign 2048
stack_end:
    .balign 4096

    .text
    .globl _start, tick
tick:
    incq count
    ret

_start:
    nop
    mov $stack_end, %rsp
    mov $3, %ebx
again:
    call tick
    dec %ebx
    jnz again
    mov $1, %eax            # write(1, words, 6)
    mov $1, %edi
    mov $words, %rsi
    mov $6, %edx
    syscall
    mov $60, %eax           # exit(0)
    xor %edi, %edi
    syscall
    .balign 4096
