/* C side of cdef/agent_expr.h. */
#ifndef PYDBGSERVER_AGENT_EXPR_H
#define PYDBGSERVER_AGENT_EXPR_H
#include <stdint.h>
#include "../cdef/agent_expr.h"

_Static_assert(sizeof((agent_run *)0)->stack == AGENT_STACK * sizeof(uint64_t), "as cdef/agent_expr.h says");
_Static_assert(sizeof((agent_run *)0)->text == AGENT_TEXT, "as cdef/agent_expr.h says");

/* What both halves know of an opcode. `operands`: the bytes after it (of printf: before the format). */
struct agent_opcode {
    uint8_t known, operands, pops, pushes;
};
extern const struct agent_opcode agent_opcodes[256];

enum agent_op {
    OP_ADD = 0x02, OP_SUB, OP_MUL, OP_DIV_SIGNED, OP_DIV_UNSIGNED, OP_REM_SIGNED, OP_REM_UNSIGNED,
    OP_LSH, OP_RSH_SIGNED, OP_RSH_UNSIGNED, OP_TRACE, OP_TRACE_QUICK, OP_LOG_NOT, OP_BIT_AND, OP_BIT_OR, OP_BIT_XOR,
    OP_BIT_NOT, OP_EQUAL, OP_LESS_SIGNED, OP_LESS_UNSIGNED, OP_EXT, OP_REF8, OP_REF16, OP_REF32, OP_REF64,
    OP_IF_GOTO = 0x20, OP_GOTO, OP_CONST8, OP_CONST16, OP_CONST32, OP_CONST64, OP_REG, OP_END, OP_DUP, OP_POP,
    OP_ZERO_EXT, OP_SWAP, OP_GETV, OP_SETV, OP_TRACEV, OP_TRACENZ, OP_TRACE16,
    OP_PICK = 0x32, OP_ROT, OP_PRINTF
};

/* Operands are big-endian whatever the target is. */
uint64_t agent_operand(const uint8_t *from, int size);

/* agent_format.c: one conversion of a printf format. `kind` is the letter of the conversion, 0 for text; `bits` the
 * width of its argument. */
struct agent_piece {
    int start, end;
    char kind;
    int bits;
};
/* The piece at *at, which moves past it; false: there is none that can be printed. */
int agent_next_piece(const char *format, int size, int *at, struct agent_piece *piece);
void agent_print_text(agent_run *run, const char *format, const struct agent_piece *piece);
void agent_print_value(agent_run *run, const char *format, const struct agent_piece *piece, uint64_t value);
/* What was appended from `from` on is a string: with the width and precision of the piece. */
void agent_print_string(agent_run *run, const char *format, const struct agent_piece *piece, int from);
/* Pieces that take an argument; < 0: the format cannot be printed. */
int agent_count_arguments(const char *format, int size);
void agent_append(agent_run *run, const char *text, int size);
#endif
