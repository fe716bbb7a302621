/* The side file of a transcript as it is written: each large body once, under a name that its bytes give it. */

#include "rsp.h"

#include <errno.h>
#include <string.h>

static uint8_t *put_digits(uint8_t *to, uint64_t value)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        *to++ = (uint8_t)"0123456789abcdef"[value >> shift & 15];
    return to;
}

int64_t rsp_body_name(const uint64_t hash[2], int64_t length, uint8_t *name)
{
    uint8_t *to = put_digits(put_digits(name, hash[1]), hash[0]);
    *to++ = ':';
    return rsp_decimal(to, length, 1) - name;
}

/* Where the name is, or where it is to be. There is always a free place. */
static uint64_t *find(const rsp_bodies *bodies, const uint64_t hash[2])
{
    for (uint64_t place = hash[0];; place++) {
        uint64_t *entry = bodies->names + 2 * (place & (uint64_t)(bodies->slots - 1));
        if ((!entry[0] && !entry[1]) || (entry[0] == hash[0] && entry[1] == hash[1]))
            return entry;
    }
}

static void insert(rsp_bodies *bodies, const uint64_t hash[2])
{
    memcpy(find(bodies, hash), hash, 2 * sizeof *hash);
    bodies->count++;
}

void rsp_move_names(rsp_bodies *bodies, uint64_t *names, int64_t slots)
{
    rsp_bodies before = *bodies;
    bodies->names = names;
    bodies->slots = slots;
    bodies->count = 0;
    for (int64_t i = 0; i < before.slots; i++)
        if (before.names[2 * i] || before.names[2 * i + 1])
            insert(bodies, before.names + 2 * i);
}

/* What stands before the body in a record, without more leading zeros than keep it so long for every length. */
enum { DIGITS = 20, LEAST_HEAD = 32 + 1 + DIGITS + 2, CACHE_LINE = 64 };

/* More of them put the body at the beginning of a cache line: stores across two of them take twice as long. */
static int64_t head_size(int64_t end)
{
    return LEAST_HEAD + (-(end + LEAST_HEAD) & (CACHE_LINE - 1));
}

/* The first byte comes last: until it is there, nothing is. */
static void put_head(uint8_t *record, const uint8_t *name, int64_t name_length, int64_t size, uint8_t *body)
{
    uint8_t digits[DIGITS], *to = (uint8_t *)memcpy(record + 1, name + 1, (size_t)name_length - 1) + name_length - 1;
    int64_t count = rsp_decimal(digits, size, 1) - digits;
    *to++ = ' ';
    memset(to, '0', (size_t)(body - to));
    memcpy(body - 1 - count, digits, (size_t)count);
    body[-1] = '\n';
    __atomic_store_n(record, *name, __ATOMIC_RELEASE);
}

/* In forms that compilers make vector instructions of. */
enum { DIGIT_BLOCK = 64 };

static int values_of(const uint8_t *digits, uint8_t *values)
{
    uint8_t all = 1;
    for (int i = 0; i < DIGIT_BLOCK; i++) {
        uint8_t number = (uint8_t)(digits[i] - '0'), letter = (uint8_t)(digits[i] - 'a');
        values[i] = number < 10 ? number : (uint8_t)(letter + 10);
        all &= (uint8_t)((number < 10) | (letter < 6));
    }
    return all;
}

static void join_pairs(const uint8_t *values, uint8_t *bytes)
{
    uint16_t pairs[DIGIT_BLOCK / 2]; /* little-endian: the upper digit is the lower byte */
    memcpy(pairs, values, sizeof pairs);
    for (int i = 0; i < DIGIT_BLOCK / 2; i++)
        bytes[i] = (uint8_t)(pairs[i] << 4 | pairs[i] >> 8);
}

/* What the digits stand for, if the body is nothing but lower-case hexadecimal digits, two for each byte. */
static int put_bytes_of(const uint8_t *body, int64_t length, uint8_t *to)
{
    uint8_t block[DIGIT_BLOCK], values[DIGIT_BLOCK];
    if (length % 2)
        return 0;
    for (; length >= DIGIT_BLOCK; length -= DIGIT_BLOCK, body += DIGIT_BLOCK, to += DIGIT_BLOCK / 2) {
        if (!values_of(body, values))
            return 0;
        join_pairs(values, to);
    }
    memset(block, '0', sizeof block);
    memcpy(block, body, (size_t)length);
    if (!values_of(block, values))
        return 0;
    join_pairs(values, block);
    memcpy(to, block, (size_t)length / 2);
    return 1;
}

/* Memory as `m` reads it is kept as what was read, which is half as much. Gives the size. */
static int64_t put_body(const rsp_body *body, uint8_t *to, uint64_t hash[2])
{
    int64_t half = body->length / 2;
    if (body->digits_of) {
        rsp_hash_and_copy(body->digits_of, half, to, hash);
        return half;
    }
    if (half >= RSP_LEAST_HASHED && put_bytes_of(body->bytes, body->length, to)) {
        rsp_hash(to, half, hash);
        return half;
    }
    rsp_hash_and_copy(body->bytes, body->length, to, hash);
    return body->length;
}

int64_t rsp_keep_body(rsp_bodies *bodies, const rsp_body *body, uint8_t *name)
{
    rsp_room *room = &bodies->room;
    uint64_t hash[2];
    if (!room->start || room->size - bodies->end < RSP_BODY_OVERHEAD + body->length ||
        2 * (bodies->count + 1) > bodies->slots)
        return -ENOSPC;
    uint8_t *record = room->start + bodies->end, *kept = record + head_size(bodies->end);
    int64_t size = put_body(body, kept, hash);
    int64_t name_length = rsp_body_name(hash, body->length, name);
    const uint64_t *known = find(bodies, hash);
    if (known[0] || known[1])
        return name_length;
    memcpy(kept + size, "\n", 2);
    put_head(record, name, name_length, size, kept);
    if (room->lost)
        return -EIO;
    insert(bodies, hash);
    bodies->end = kept + size + 1 - room->start;
    rsp_look_ahead(room, bodies->end);
    return name_length;
}
