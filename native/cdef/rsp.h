/* The byte work of the gdb remote protocol: framing, escaping, run lengths,
 * and one non-blocking receive and send.
 * Results are >= 0, or -errno. Nothing here keeps a pointer after it returns. */

enum rsp_frame_flags {
    RSP_RLE = 1,
    RSP_NOTIFICATION = 2
};

/* The sum of the bytes modulo 256, as the two digits after '#' carry it. */
int rsp_checksum(const uint8_t *data, int64_t length);

/* '$' (or '%' for a notification), the escaped body, '#' and two hex digits.
 * Needs room for 2 * length + 4 bytes, else -ENOSPC. Gives the frame's length. */
int64_t rsp_frame(const uint8_t *body, int64_t length, uint8_t *out, int64_t capacity, int flags);

/* Undo run-length encoding; a '*' that repeats nothing or has no valid count stays as it is.
 * -ENOSPC when the result exceeds the capacity. */
int64_t rsp_expand(const uint8_t *data, int64_t length, uint8_t *out, int64_t capacity);

/* Undo '}' escapes; a '}' at the very end stays as it is. `out` may be `data`. */
int64_t rsp_unescape(const uint8_t *data, int64_t length, uint8_t *out);

/* What is there to read: up to `capacity` bytes, 0 at the end of the stream.
 * Sleeps for up to `wait_us` microseconds (rounded up to milliseconds; a signal
 * ends it) before -EAGAIN. A descriptor that is no socket must be in
 * non-blocking mode. */
int64_t rsp_receive(int descriptor, uint8_t *buffer, int64_t capacity, int wait_us);

/* One non-blocking send without SIGPIPE on sockets: how many bytes went out. */
int64_t rsp_send(int descriptor, const uint8_t *data, int64_t length);

/* One turn of a conversation: frame `body` into `out`, send it, wait up to
 * `wait_us` for the answer and read it into `in`. No acknowledgements.
 *
 * >= 0: what came is exactly one plain packet (no runs, no restart) of
 * that many bytes, and its body begins at in[1]. Otherwise -1 - a status of
 * enum rsp_turn, or -1000 - errno; RSP_TURN_OTHER: *count bytes of something
 * else are in `in`; RSP_TURN_NOT_SENT: *count bytes went out. */
enum rsp_turn {
    RSP_TURN_SILENCE = 0,
    RSP_TURN_OTHER = 1,
    RSP_TURN_NOT_SENT = 2,
    RSP_TURN_TOO_LONG = 3
};
int64_t rsp_turn(int descriptor, const uint8_t *body, int64_t length, int flags, uint8_t *out, int64_t out_capacity,
                 uint8_t *in, int64_t in_capacity, int wait_us, int64_t *count);
