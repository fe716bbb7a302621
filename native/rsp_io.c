/* One non-blocking receive and send for sockets, pipes and terminals (POSIX). */

#include "rsp.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t receive_once(int descriptor, uint8_t *buffer, int64_t capacity, int *is_socket)
{
    for (;;) {
        ssize_t got = *is_socket ? recv(descriptor, buffer, (size_t)capacity, MSG_DONTWAIT)
                                 : read(descriptor, buffer, (size_t)capacity);
        if (got >= 0)
            return got;
        if (*is_socket && errno == ENOTSOCK)
            *is_socket = 0;
        else if (errno != EINTR)
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    }
}

/* True when something can be read before `wait_us` are over; a signal ends the wait early. */
static int becomes_readable(int descriptor, int wait_us)
{
    struct pollfd readable = {descriptor, POLLIN, 0};
    return poll(&readable, 1, (wait_us + 999) / 1000) > 0;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Yielding, not pausing: a client on the same processor gets it at once, and one on another processor need not wake
 * this one, which in a virtual machine costs more than the whole packet. */
#define SPIN_US 100

static int64_t receive_spinning(int descriptor, uint8_t *buffer, int64_t capacity, int64_t spin_us)
{
    int is_socket = 1;
    int64_t deadline = now_us() + spin_us, got;
    while ((got = receive_once(descriptor, buffer, capacity, &is_socket)) == -EAGAIN && now_us() < deadline)
        sched_yield();
    return got;
}

int64_t rsp_receive(int descriptor, uint8_t *buffer, int64_t capacity, int wait_us)
{
    int64_t got = receive_spinning(descriptor, buffer, capacity, wait_us < SPIN_US ? wait_us : SPIN_US);
    if (got != -EAGAIN || wait_us <= SPIN_US || !becomes_readable(descriptor, wait_us - SPIN_US))
        return got;
    return receive_spinning(descriptor, buffer, capacity, 0);
}

int64_t rsp_send(int descriptor, const uint8_t *data, int64_t length)
{
    int is_socket = 1;
    for (;;) {
        ssize_t sent = is_socket ? send(descriptor, data, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL)
                                 : write(descriptor, data, (size_t)length);
        if (sent >= 0)
            return sent;
        if (is_socket && errno == ENOTSOCK)
            is_socket = 0;
        else if (errno != EINTR)
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    }
}

#define STATUS(status) (-1 - (int64_t)(status))
#define FAILURE(error) (-1000 + (error))

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

int64_t rsp_turn(int descriptor, const uint8_t *body, int64_t length, int flags, uint8_t *out, int64_t out_capacity,
                 uint8_t *in, int64_t in_capacity, int wait_us, int64_t *count)
{
    int64_t size = rsp_frame(body, length, out, out_capacity, flags);
    if (size < 0)
        return STATUS(RSP_TURN_TOO_LONG);
    int64_t sent = rsp_send(descriptor, out, size);
    if (sent < 0 && sent != -EAGAIN)
        return FAILURE(sent);
    *count = sent < 0 ? 0 : sent;
    if (sent != size)
        return STATUS(RSP_TURN_NOT_SENT);
    int64_t got = rsp_receive(descriptor, in, in_capacity, wait_us);
    if (got == -EAGAIN)
        return STATUS(RSP_TURN_SILENCE);
    if (got < 0)
        return FAILURE(got);
    *count = got;
    int64_t packet = single_packet(in, got);
    return packet < 0 ? STATUS(RSP_TURN_OTHER) : packet;
}
