/* The side file of a transcript as it is written: each large body once, under a name that its bytes give it. */

#include "rsp.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

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

/* 0 or -errno. The system call copies into new pages of the file; through a mapping they would have to be written to
 * twice, and a page is as dear as all else of a line. */
static int put_record(rsp_bodies *bodies, const uint8_t *name, int64_t name_length, const uint8_t *body, int64_t length)
{
    uint8_t head[2 * RSP_BODY_NAME], *to = (uint8_t *)memcpy(head, name, (size_t)name_length) + name_length;
    *to++ = ' ';
    to = rsp_decimal(to, length, 1);
    *to++ = '\n';
    struct iovec parts[] = {{head, (size_t)(to - head)}, {(void *)(uintptr_t)body, (size_t)length}, {"\n", 1}};
    int64_t size = to - head + length + 1, written = writev(bodies->descriptor, parts, 3);
    if (written < 0)
        return -errno;
    bodies->end += written;
    return written == size ? 0 : -ENOSPC;
}

int64_t rsp_keep_body(rsp_bodies *bodies, const uint8_t *body, int64_t length, uint8_t *name)
{
    uint64_t hash[2];
    if (!bodies->descriptor)
        return -ENOBUFS;
    rsp_hash(body, length, hash);
    int64_t size = rsp_body_name(hash, length, name);
    const uint64_t *known = find(bodies, hash);
    if (known[0] || known[1])
        return size;
    if (2 * (bodies->count + 1) > bodies->slots)
        return -ENOBUFS;
    int failed = put_record(bodies, name, size, body, length);
    if (failed)
        return failed;
    insert(bodies, hash);
    return size;
}
