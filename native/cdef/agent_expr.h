/* Agent expressions: the bytecode in which gdb sends conditions and commands of breakpoints (gdb manual, appendix
 * "The GDB Agent Expression Mechanism"). Checked once, then run without further checks of the code itself.
 *
 * Running one needs no callbacks: agent_expr_run comes back with what it wants (a register, bytes of memory) and is
 * called again with it, so that the tracer and the simulated process run the same code. */

enum agent_limits {
    AGENT_SIZE = 8192,   /* bytes of code */
    AGENT_STACK = 100,   /* values, as in gdbserver */
    AGENT_STEPS = 65536, /* instructions in one run */
    AGENT_TEXT = 2048,   /* bytes that one run can print; the rest is cut off */
    AGENT_READ = 64      /* bytes of a string wanted at once */
};

enum agent_result {
    AGENT_DONE = 0,
    AGENT_WANTS_REGISTER = 1, /* number `address` */
    AGENT_WANTS_MEMORY = 2,   /* `wanted` bytes at `address`; a string may be content with fewer */
    /* what agent_expr_check finds */
    AGENT_CUT_SHORT = 16,
    AGENT_UNKNOWN = 17,
    AGENT_JUMPS_OUT = 18,
    AGENT_JUMPS_INTO = 19,
    AGENT_UNDERFLOW = 20,
    AGENT_OVERFLOW = 21,
    AGENT_HEIGHTS = 22,
    AGENT_ENDLESS = 23,
    AGENT_NO_VALUE = 24,
    AGENT_FORMAT = 25,
    AGENT_REGISTER = 26,
    AGENT_VARIABLE = 27,
    AGENT_NO_ROOM = 28,
    AGENT_TOO_LARGE = 29,
    /* what happens in a run */
    AGENT_DIVISION = 32,
    AGENT_BAD_MEMORY = 33,
    AGENT_BAD_REGISTER = 34,
    AGENT_TOO_LONG = 35
};

/* A run, zero before its first call. After AGENT_DONE the value is `value` (0 if the stack is empty), and `text` has
 * what was printed. `at`: the instruction that comes next, or that failed. */
typedef struct {
    int32_t at;
    int32_t depth;
    int32_t steps;
    int32_t wanted;
    uint64_t address;
    uint64_t value;
    int32_t text_size;
    int32_t format_at;
    int32_t argument;
    int32_t waiting;
    int32_t string_at;
    uint64_t stack[100];
    char text[2048];
} agent_run;

/* register_sizes[N]: the bytes of register N, 0 if an expression cannot have it. wants_value: every path leaves one.
 * AGENT_DONE, or what is wrong with the instruction at *at. */
int agent_expr_check(const uint8_t *code, int size, int wants_value, const uint8_t *register_sizes, int registers,
                     int32_t *at);

/* One more part of a run of checked code. `data`: the `got` bytes that the last call wanted, little-endian; got < 0:
 * they cannot be had. */
int agent_expr_run(const uint8_t *code, int size, agent_run *run, const uint8_t *data, int got);
