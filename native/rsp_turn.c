/* The quick way through a socket: reply and wait for the next packet in two system calls. */

#define _GNU_SOURCE
#include "rsp.h"

#include <errno.h>
#include <fcntl.h>
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

/* The reply's length, or -1: this packet is for somebody else, as is one that cannot be written down here. */
static int64_t answer(rsp_conversation *conversation, const uint8_t *packet, int64_t length)
{
    rsp_journal *journal = conversation->journal;
    int writes = journal && journal->text;
    int64_t when = writes ? rsp_clock() : 0;
    uint8_t *reply = conversation->reply;
    int64_t size = rsp_answer(&conversation->reads, packet, length, reply, conversation->capacity);
    if (size >= 0 && writes && rsp_journal_exchange(journal, when, packet, length, reply, size) < 0)
        return -1;
    return size;
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
        length = left ? answer(conversation, conversation->incoming + 1, packet) : -1;
        if (length < 0)
            return packet;
        body = conversation->reply;
        conversation->answered++;
    }
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
