/* From the kernel's register sets to the block of registers of the `g` packet. */

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

/* One copy between `src`, an offset in the register set number `set`, and `dst`, one in the block. It counts only
 * while one of the bits `needs` of the set's presence word is set (0: always); else the register has its initial
 * value. */
typedef struct {
    uint64_t needs;
    uint16_t src;
    uint16_t dst;
    uint16_t size;
    uint8_t op;
    uint8_t set;
} rsp_piece;

/* A register set: its type for the function that reads it, its size in bytes, where its presence word is (64 bits,
 * -1: it has none) and its image of initial values. */
typedef struct {
    int32_t type;
    int32_t size;
    int32_t presence;
    const uint8_t *initial;
} rsp_regset;

enum { RSP_REGSETS = 4 };

/* The layout of the block. The caller has checked every offset. */
typedef struct {
    const rsp_piece *pieces;
    int32_t count;
    int32_t block_size;
    int32_t sets;
    rsp_regset set[4];
} rsp_layout;

/* Fill `block` from one image for each register set. */
void rsp_gather(const rsp_layout *layout, const uint8_t *const *images, uint8_t *block);
