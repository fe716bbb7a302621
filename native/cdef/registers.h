/* Between the kernel's register sets and the block of registers of the `g` packet. */

enum register_op {
    /* `size` bytes, as they are. */
    REGISTER_COPY = 0,
    /* x87 tag word: 8 bits at `src` in the register set, 16 bits in a 4-byte
     * field of the block. `src` is FXSAVE offset 4, the image around it is read. */
    REGISTER_FTAG = 1,
    /* x87 opcode: the low 11 of 16 bits, a 4-byte field of the block. */
    REGISTER_MASK11 = 2,
    /* The low `size` (at most 4) bytes, zero-extended to a 4-byte field of the block. */
    REGISTER_ZX = 3
};

/* One copy between `src`, an offset in the register set, and `dst`, one in the
 * block. `set` is 0 for general registers and 1 for the XSAVE area. */
typedef struct {
    uint8_t op;
    uint8_t set;
    uint16_t src;
    uint16_t dst;
    uint16_t size;
} rsp_piece;

/* Fill `block` from the register sets. The caller has checked every offset. */
void rsp_gather(const rsp_piece *plan, int pieces, const uint8_t *general, const uint8_t *xstate, uint8_t *block);

/* The inverse: update the register sets from `block`; bytes that no piece names stay. */
void rsp_scatter(const rsp_piece *plan, int pieces, const uint8_t *block, uint8_t *general, uint8_t *xstate);
