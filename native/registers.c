/* Register layout copies. All offsets come from Python's tables, checked there. */

#include "registers.h"

#include <string.h>

enum { FIELD = 4 };

/* The FXSAVE image (Intel SDM vol. 1, table 10-2) relative to the abridged tag at offset 4. */
enum { FSW_FROM_TAG = -2, ST0_FROM_TAG = 28, ST_STRIDE = 16, TOP_SHIFT = 11 };

enum x87_tag { TAG_VALID = 0, TAG_ZERO = 1, TAG_SPECIAL = 2, TAG_EMPTY = 3 };

static unsigned load16(const uint8_t *from)
{
    return (unsigned)from[0] | (unsigned)from[1] << 8;
}

static void store16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

/* What FSTENV would have stored for an 80-bit value (Intel SDM vol. 1, 8.1.7). */
static enum x87_tag classify(const uint8_t *value)
{
    static const uint8_t zero[8];
    unsigned exponent = load16(value + 8) & 0x7fff;
    if (exponent == 0x7fff)
        return TAG_SPECIAL;
    if (exponent == 0)
        return memcmp(value, zero, sizeof zero) == 0 ? TAG_ZERO : TAG_SPECIAL;
    return value[7] & 0x80 ? TAG_VALID : TAG_SPECIAL;
}

/* Tags are of physical registers, the image holds them relative to the top of the stack. */
static unsigned full_tag(const uint8_t *tag)
{
    unsigned top = load16(tag + FSW_FROM_TAG) >> TOP_SHIFT & 7;
    unsigned full = 0;
    for (unsigned physical = 0; physical < 8; physical++) {
        enum x87_tag one = TAG_EMPTY;
        if (*tag >> physical & 1)
            one = classify(tag + ST0_FROM_TAG + ((physical - top) & 7) * ST_STRIDE);
        full |= (unsigned)one << (2 * physical);
    }
    return full;
}

static void put_field(uint8_t *to, unsigned value)
{
    memset(to, 0, FIELD);
    store16(to, value);
}

static void copy_piece(const rsp_piece *piece, const uint8_t *from, uint8_t *to)
{
    switch (piece->op) {
    case REGISTER_FTAG:
        put_field(to, full_tag(from));
        break;
    case REGISTER_MASK11:
        put_field(to, load16(from) & 0x7ff);
        break;
    case REGISTER_ZX:
        memset(to, 0, FIELD);
        memcpy(to, from, piece->size);
        break;
    default:
        memcpy(to, from, piece->size);
    }
}

void rsp_gather(const rsp_layout *layout, const uint8_t *const *images, uint8_t *block)
{
    uint64_t present[RSP_REGSETS] = {0};
    for (int i = 0; i < layout->sets; i++)
        if (layout->set[i].presence >= 0)
            memcpy(&present[i], images[i] + layout->set[i].presence, sizeof present[i]);
    for (const rsp_piece *piece = layout->pieces; piece < layout->pieces + layout->count; piece++) {
        int stored = !piece->needs || present[piece->set] & piece->needs;
        const uint8_t *image = stored ? images[piece->set] : layout->set[piece->set].initial;
        copy_piece(piece, image + piece->src, block + piece->dst);
    }
}
