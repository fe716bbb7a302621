/* Reads that need nobody's decision: of a stopped thread its memory, all registers and which one it is; of open files. */

#include "rsp.h"

#include <string.h>
#include <unistd.h>

static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* One number of at most 16 digits, up to `stop`; the place behind that, NULL: it is something else. */
static const uint8_t *number(const uint8_t *from, const uint8_t *end, int stop, uint64_t *value)
{
    const uint8_t *first = from;
    *value = 0;
    for (int digit; from < end && from - first < 16 && (digit = hex_value(*from)) >= 0; from++)
        *value = *value << 4 | (uint64_t)digit;
    if (from == first || (stop ? from == end || *from != stop : from != end))
        return NULL;
    return from + (stop != 0);
}

static uint8_t digit(unsigned value)
{
    return (uint8_t)(value + '0' + (value > 9) * ('a' - '0' - 10));
}

/* In a form that compilers make vector instructions of. */
static void hex_block(uint8_t *restrict text, const uint8_t *restrict data, int size)
{
    for (int i = 0; i < size; i++) {
        text[2 * i] = digit(data[i] >> 4);
        text[2 * i + 1] = digit(data[i] & 15);
    }
}

enum { HEX_BLOCK = 64 };

void rsp_hex(uint8_t *text, const uint8_t *data, int64_t size)
{
    uint8_t block[HEX_BLOCK];
    for (; size >= HEX_BLOCK; size -= HEX_BLOCK, data += HEX_BLOCK, text += 2 * HEX_BLOCK) {
        memcpy(block, data, HEX_BLOCK);
        hex_block(text, block, HEX_BLOCK);
    }
    memcpy(block, data, (size_t)size);
    hex_block(text, block, (int)size);
}

static int64_t memory(const rsp_reads *reads, const uint8_t *body, int64_t length, uint8_t *reply, int64_t capacity)
{
    const uint8_t *end = body + length, *at;
    uint64_t address, size;
    int64_t prefix = 0;
    if (!(at = number(body + 1, end, ',', &address)) || !number(at, end, 0, &size) || !size || size > (uint64_t)capacity / 2)
        return -1;
    if (*body == 'x' && reads->reads_binary > 1)
        reply[prefix++] = 'b';
    uint8_t *data = *body == 'x' ? reply + prefix : reads->plain;
    int64_t got = reads->read_memory(reads->pid, address, data, size);
    if (got <= 0)
        return -1;
    if (*body == 'x')
        return prefix + got;
    rsp_hex(reply, data, got);
    return 2 * got;
}

static int64_t registers(const rsp_reads *reads, uint8_t *reply, int64_t capacity)
{
    const rsp_layout *layout = reads->registers;
    const uint8_t *images[RSP_REGSETS];
    uint8_t *next = reads->scratch;
    if (capacity < 2 * (int64_t)layout->block_size)
        return -1;
    for (int i = 0; i < layout->sets; i++) {
        if (reads->read_regset(reads->tid, layout->set[i].type, next, layout->set[i].size) != layout->set[i].size)
            return -1;
        images[i] = next;
        next += layout->set[i].size;
    }
    rsp_gather(layout, images, next);
    rsp_hex(reply, next, layout->block_size);
    return 2 * (int64_t)layout->block_size;
}

static rsp_file *file_of(const rsp_reads *reads, uint64_t number)
{
    for (rsp_file *file = reads->files; file < reads->files + reads->files_count; file++)
        if (number == (uint64_t)file->number)
            return file;
    return NULL;
}

/* gdb asks for as much as a packet takes, whatever it needs (remote.c, remote_hostio_pread and its readahead cache): who
 * jumps about in a file gets less, who reads on gets all. */
static size_t read_size(const rsp_file *file, uint64_t offset, uint64_t size)
{
    return (size_t)(size > RSP_FIRST_READ && offset != file->next ? RSP_FIRST_READ : size);
}

/* `F`, the count in hexadecimal, `;`. */
static int64_t file_head(uint8_t *reply, int64_t count)
{
    int digits = 1;
    while (count >> 4 * digits)
        digits++;
    reply[0] = 'F';
    for (int i = 0; i < digits; i++)
        reply[1 + i] = digit((unsigned)(count >> 4 * (digits - 1 - i)) & 15);
    reply[1 + digits] = ';';
    return digits + 2;
}

static const char PREAD[] = "vFile:pread:";
enum { PREAD_LENGTH = sizeof PREAD - 1, FILE_HEAD = 1 + 15 + 1 };

static int64_t open_file(const rsp_reads *reads, const uint8_t *body, int64_t length, uint8_t *reply, int64_t capacity)
{
    const uint8_t *end = body + length, *at;
    uint64_t name, size, offset;
    if (!(at = number(body + PREAD_LENGTH, end, ',', &name)) || !(at = number(at, end, ',', &size)) ||
        !number(at, end, 0, &offset) || capacity < FILE_HEAD || size > (uint64_t)(capacity - FILE_HEAD) ||
        offset > INT64_MAX)
        return -1;
    rsp_file *file = file_of(reads, name);
    if (!file)
        return -1;
    ssize_t got = pread(file->descriptor, reply + FILE_HEAD, read_size(file, offset, size), (off_t)offset);
    if (got < 0)
        return -1;
    file->next = offset + (uint64_t)got;
    int64_t head = file_head(reply, got);
    memmove(reply + head, reply + FILE_HEAD, (size_t)got);
    return head + got;
}

int64_t rsp_answer(const rsp_reads *reads, const uint8_t *body, int64_t length, uint8_t *reply, int64_t capacity)
{
    if (!length)
        return -1;
    if (reads->read_memory && (*body == 'm' || (*body == 'x' && reads->reads_binary)))
        return memory(reads, body, length, reply, capacity);
    if (reads->files_count && length > PREAD_LENGTH && !memcmp(body, PREAD, PREAD_LENGTH))
        return open_file(reads, body, length, reply, capacity);
    if (reads->registers && length == 1 && *body == 'g')
        return registers(reads, reply, capacity);
    if (reads->identity_size && reads->identity_size <= capacity && length == 2 && !memcmp(body, "qC", 2)) {
        memcpy(reply, reads->identity, (size_t)reads->identity_size);
        return reads->identity_size;
    }
    return -1;
}

int64_t rsp_compose(const rsp_form *form, const uint8_t *registers, int64_t size, uint8_t *reply, int64_t capacity)
{
    int64_t at = 0;
    for (const rsp_part *part = form->parts; part < form->parts + form->count; part++) {
        if (part->offset + part->size > size || at + part->length + 2 * part->size > capacity)
            return -1;
        memcpy(reply + at, part->text, (size_t)part->length);
        rsp_hex(reply + at + part->length, registers + part->offset, part->size);
        at += part->length + 2 * part->size;
    }
    return at;
}
