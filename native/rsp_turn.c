/* The quick way through a socket: reply and wait for the next packet in two system calls. */

#define _GNU_SOURCE
#include "rsp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define STATUS(status) (-1 - (int64_t)(status))
#define FAILURE(error) (-1000 + (error))

int rsp_converse(rsp_conversation *conversation)
{
    struct timeval limit = {conversation->wait_us / 1000000, conversation->wait_us % 1000000};
    int descriptor = conversation->descriptor, flags = fcntl(descriptor, F_GETFL);
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 || flags < 0 ||
        fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

/* A signal ends the wait, since others may have to see to what it tells. */
static int64_t next_packet(const rsp_conversation *conversation)
{
    ssize_t got = recv(conversation->descriptor, conversation->incoming, (size_t)conversation->incoming_capacity, 0);
    if (got >= 0)
        return got;
    return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

/* `$body#xx` and nothing else; the body's length, or -1. */
static int64_t single_packet(const uint8_t *data, int64_t size)
{
    if (size < 4 || data[0] != '$' || data[size - 3] != '#')
        return -1;
    for (int64_t i = 1; i < size - 3; i++)
        if (data[i] == '$' || data[i] == '#' || data[i] == '*')
            return -1;
    return size - 4;
}

/* 0, or what `rsp_turn` is to give instead. */
static int64_t send_reply(rsp_conversation *conversation, const uint8_t *body, int64_t length)
{
    int64_t size = rsp_frame(body, length, conversation->out, conversation->out_capacity, conversation->flags);
    if (size < 0)
        return STATUS(RSP_TURN_TOO_LONG);
    int64_t sent = rsp_send(conversation->descriptor, conversation->out, size);
    if (sent == size)
        return 0;
    if (sent < 0 && sent != -EAGAIN)
        return FAILURE(sent);
    conversation->count = sent < 0 ? 0 : sent;
    conversation->framed = size;
    return STATUS(RSP_TURN_NOT_SENT);
}

/* Where packets and replies are written down; NULL: nowhere. */
static rsp_journal *journal_of(const rsp_conversation *conversation)
{
    return conversation->journal && conversation->journal->room.start ? conversation->journal : NULL;
}

/* The longest reply to a packet that is repeated. */
#define LONGEST_REPEATED 1024

/* What has been carried out cannot be left to somebody else for want of room to write it down. */
static int has_room(const rsp_journal *journal, int64_t length)
{
    return journal->room.size - journal->end >= 4 * (length + LONGEST_REPEATED) + 2 * RSP_LINE_OVERHEAD;
}

static int64_t carry_out(const rsp_conversation *conversation, const rsp_repeat *one)
{
    rsp_journal *journal = journal_of(conversation);
    int64_t end = journal ? journal->end : 0;
    int64_t capacity = conversation->capacity < LONGEST_REPEATED ? conversation->capacity : LONGEST_REPEATED;
    if (journal && (!has_room(journal, one->length) || rsp_journal_line(journal, "<-", one->body, one->length) < 0))
        return RSP_REPEATED_NOT;
    int64_t size = one->carry_out(one->with, conversation->reply, capacity);
    if (journal && size >= 0)
        rsp_journal_line(journal, "->", conversation->reply, size);
    if (journal && size == RSP_REPEATED_NOT)
        journal->end = end;
    return size;
}

/* The reply's length, or as enum rsp_repeated; `count` is the index of the packet then. */
static int64_t repeat(rsp_conversation *conversation, const uint8_t *packet, int64_t length)
{
    for (int64_t i = 0; i < conversation->repeats_count; i++) {
        rsp_repeat *one = &conversation->repeats[i];
        if (one->length != length || memcmp(one->body, packet, (size_t)length))
            continue;
        int64_t size = carry_out(conversation, one);
        if (size >= 0) {
            one->at = conversation->answered + 1;
            conversation->repeated++;
        } else if (size == RSP_REPEATED_PARTLY) {
            conversation->count = i;
        }
        return size;
    }
    return RSP_REPEATED_NOT;
}

/* The reply's length, or -1: this packet is for somebody else, as is one that cannot be written down here. */
static int64_t read_target(rsp_conversation *conversation, const uint8_t *packet, int64_t length)
{
    rsp_journal *journal = journal_of(conversation);
    int64_t when = journal ? rsp_clock() : 0;
    rsp_body asked = {packet, length, NULL}, told = {conversation->reply, 0, NULL};
    told.length = rsp_answer(&conversation->reads, packet, length, conversation->reply, conversation->capacity);
    if (length && *packet == 'm')
        told.digits_of = conversation->reads.plain;
    if (told.length >= 0 && journal && rsp_journal_exchange(journal, when, &asked, &told) < 0)
        return -1;
    return told.length;
}

static int64_t answer(rsp_conversation *conversation, const uint8_t *packet, int64_t length)
{
    int64_t size = repeat(conversation, packet, length);
    return size == RSP_REPEATED_NOT ? read_target(conversation, packet, length) : size;
}

int64_t rsp_turn(rsp_conversation *conversation, const uint8_t *body, int64_t length)
{
    for (int64_t left = conversation->most;; left--) {
        int64_t failed = send_reply(conversation, body, length);
        if (failed)
            return failed;
        int64_t got = next_packet(conversation);
        if (got < 0)
            return got == -EAGAIN ? STATUS(RSP_TURN_SILENCE) : FAILURE(got);
        int64_t packet = single_packet(conversation->incoming, got);
        conversation->count = got;
        if (packet < 0)
            return STATUS(RSP_TURN_OTHER);
        length = left ? answer(conversation, conversation->incoming + 1, packet) : RSP_REPEATED_NOT;
        if (length == RSP_REPEATED_PARTLY)
            return STATUS(RSP_TURN_REPEATED);
        if (length < 0)
            return packet;
        body = conversation->reply;
        conversation->answered++;
    }
}

int rsp_peer_silence(int descriptor)
{
#ifdef __linux__
    struct tcp_info info;
    socklen_t size = sizeof info;
    return getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ? -errno : (int)info.tcpi_last_data_recv;
#else
    return -ENOPROTOOPT;
#endif
}

int rsp_peer_processor(int descriptor)
{
#ifdef SO_INCOMING_CPU
    int processor;
    socklen_t size = sizeof processor;
    return getsockopt(descriptor, SOL_SOCKET, SO_INCOMING_CPU, &processor, &size) < 0 ? -errno : processor;
#else
    return -ENOPROTOOPT;
#endif
}
