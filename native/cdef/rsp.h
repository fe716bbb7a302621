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

/* Two digits for each byte. `data` may be the second half of `text`. */
void rsp_hex(uint8_t *text, const uint8_t *data, int64_t size);

/* What is there to read: up to `capacity` bytes, 0 at the end of the stream.
 * Sleeps for up to `wait_us` microseconds (rounded up to milliseconds; a signal
 * ends it) before -EAGAIN. A descriptor that is no socket must be in
 * non-blocking mode. */
int64_t rsp_receive(int descriptor, uint8_t *buffer, int64_t capacity, int wait_us);

/* One non-blocking send without SIGPIPE on sockets: how many bytes went out. */
int64_t rsp_send(int descriptor, const uint8_t *data, int64_t length);

/* A file that the client has open: the client's number for it, the descriptor, and where its last read has ended, at
 * first where no read begins. Of a read elsewhere no more than RSP_FIRST_READ bytes are given. */
enum { RSP_FIRST_READ = 16384 };
typedef struct {
    int32_t number;
    int32_t descriptor;
    uint64_t next;
} rsp_file;

/* What can be answered without asking anybody: from a stopped thread, and from open files. A field that is 0 leaves its
 * packets to others.
 * The functions are those of the target's family (native/cdef/linux.h): `read_memory` gives the readable prefix's
 * length, `read_regset` the set's; both negative on failure. `plain` has room for half of a reply, and gets what `m`
 * gives the digits of; `scratch` holds an image of each register set and the block, one behind the other. */
typedef struct {
    int64_t (*read_memory)(int pid, uint64_t address, uint8_t *buffer, uint64_t size);
    int (*read_regset)(int tid, int type, uint8_t *buffer, int size);
    int32_t pid;
    int32_t tid;
    uint8_t *plain;
    const rsp_layout *registers;
    uint8_t *scratch;
    const uint8_t *identity; /* the reply to qC */
    int32_t identity_size;
    int32_t reads_binary; /* `x` is answered: 1 with the bytes alone, 2 with a `b` before them */
    rsp_file *files;
    int32_t files_count;
} rsp_reads;

/* The body of the reply to `m`, `x`, `g`, `qC` or `vFile:pread`: its length, or -1: this packet is for somebody else. */
int64_t rsp_answer(const rsp_reads *reads, const uint8_t *body, int64_t length, uint8_t *reply, int64_t capacity);

/* A thread that has pages of files ready before they are written to. */
typedef struct rsp_ahead rsp_ahead;

/* NULL: there is none. */
rsp_ahead *rsp_start_ahead(void);

/* Nobody has it as a room's `ahead` any more. */
void rsp_end_ahead(rsp_ahead *ahead);

/* `size` bytes at `start` to write into; NULL: none. Of a file's `mapped` bytes no more are there. Where less than `low`
 * is left, `ahead` is called, which may be NULL; the fields behind it are of no concern to others. */
typedef struct rsp_room {
    uint8_t *start;
    int64_t size;
    int64_t mapped;
    int64_t lost;
    int64_t low;
    rsp_ahead *ahead;
    int descriptor;
    int64_t ready;
    int64_t wanted;
    int64_t wanted_at;
    int64_t forgotten;
    struct rsp_room *next_asked;
    struct rsp_room *next;
} rsp_room;

/* The room is the file's, from its beginning, instead of what it was before; `size` is left alone. `mapped` bytes of it
 * may be more than there are yet. Where there are none (it is cut off meanwhile), or where they cannot be read, what is
 * written goes nowhere and `lost` becomes 1, instead of the process being ended by SIGBUS. The structure and the
 * descriptor are kept until `rsp_unmap`. 0 or -errno, with which nothing has changed. */
int rsp_map(rsp_room *room, int descriptor, int64_t mapped);

/* There is no room any more; twice is no error. */
void rsp_unmap(rsp_room *room);

/* The file grows, by so many bytes at a time, until there is room for `size` bytes from `end` on; pages long before
 * `end` leave this process's memory. 0; -ESTALE: somebody else has cut the file off; another -errno: it cannot grow. */
enum { RSP_STEP = 256 * 1024 };
int rsp_grow(rsp_room *room, int64_t end, int64_t size);

/* XXH3's hash of 128 bits, the lower half first, of at least so many bytes. */
enum { RSP_LEAST_HASHED = 241 };
void rsp_hash(const uint8_t *data, int64_t length, uint64_t hash[2]);

/* The same, and the bytes are copied to `to`. */
void rsp_hash_and_copy(const uint8_t *data, int64_t length, uint8_t *to, uint64_t hash[2]);

/* The name of a body in the side file: the hash's digits, the upper half first, ':' and the length. Gives how many
 * characters it has, at most RSP_BODY_NAME. */
enum { RSP_BODY_NAME = 56 };
int64_t rsp_body_name(const uint64_t hash[2], int64_t length, uint8_t *name);

/* A side file that is being written, the first `end` bytes of `room`, and a NUL. `names` is a table of
 * the hashes of what is in it: pairs, zeros where there is none; the number of pairs, `slots`, is a power of two, and
 * `count` are taken. */
typedef struct {
    rsp_room room;
    int64_t end;
    uint64_t *names;
    int64_t slots;
    int64_t count;
} rsp_bodies;

/* Another table, of zeros and larger, takes the place of the one before. */
void rsp_move_names(rsp_bodies *bodies, uint64_t *names, int64_t slots);

/* A packet's body. `digits_of`: the `length` / 2 bytes whose lower-case hexadecimal digits it is, at least
 * RSP_LEAST_HASHED if they are to be kept; NULL: it may be something else. */
typedef struct {
    const uint8_t *bytes;
    int64_t length;
    const uint8_t *digits_of;
} rsp_body;

/* What a record of the side file has at most beside its body. */
enum { RSP_BODY_OVERHEAD = 120 };

/* Have the body, of at least RSP_LEAST_HASHED bytes, in the side file, and give its name's length. -ENOSPC without room
 * for RSP_BODY_OVERHEAD and the body, or when half of `slots` are taken; -EIO when the file is lost. */
int64_t rsp_keep_body(rsp_bodies *bodies, const rsp_body *body, uint8_t *name);

/* A transcript that is being written into its file, the first `end` bytes of `room`; without room nothing more is
 * written down. Times count from `start`, in nanoseconds of `rsp_clock`. Bodies whose text would have more than `longest`
 * characters, where each byte that is escaped counts as four, are kept in `bodies` and named instead; NULL: they have no
 * room. `longest` is at least 4 * RSP_LEAST_HASHED. */
typedef struct {
    rsp_room room;
    int64_t end;
    int64_t start;
    int64_t longest;
    rsp_bodies *bodies;
} rsp_journal;

/* CLOCK_MONOTONIC. */
int64_t rsp_clock(void);

/* What the body is on a line of a transcript, in printable ASCII; `out` has room for 4 * length bytes. Gives the
 * text's length. */
int64_t rsp_escape_line(const uint8_t *body, int64_t length, uint8_t *out);

/* What a line has at most beside the text of its body: time, mark, newline. */
enum { RSP_LINE_OVERHEAD = 32 };

/* Append a line: the time, the mark (at most 4 letters) and the escaped body, or '@' and the name of one that is kept.
 * 0; -ENOBUFS without room for 4 * length + RSP_LINE_OVERHEAD bytes (the length of the name if it is named); -EIO when
 * the file is lost; what `rsp_keep_body` gives. */
int rsp_journal_line(rsp_journal *journal, const char *mark, const uint8_t *body, int64_t length);

/* Append a packet that came at `when` and its reply. 0; -EINVAL for what has a mark of its own; as above. No line is
 * written then. */
int rsp_journal_exchange(rsp_journal *journal, int64_t when, const rsp_body *packet, const rsp_body *reply);

/* A reply in parts: text, and behind it the digits of `size` bytes at `offset` of a register set. */
typedef struct {
    const uint8_t *text;
    int32_t length;
    int32_t offset;
    int32_t size;
} rsp_part;

typedef struct {
    const rsp_part *parts;
    int32_t count;
} rsp_form;

/* The reply's length, -1 when the register set is too short or the room. */
int64_t rsp_compose(const rsp_form *form, const uint8_t *registers, int64_t size, uint8_t *reply, int64_t capacity);

/* A packet that has come before, and how it is carried out again: `carry_out` (a function of the target's family)
 * gives the length of the reply, or one of enum rsp_repeated. `at`: which of the packets of this turn it was last,
 * counted from 1; 0: it has not come. */
enum rsp_repeated {
    RSP_REPEATED_NOT = -1,    /* nothing was done */
    RSP_REPEATED_PARTLY = -2  /* it was done, and somebody else has to make the reply */
};
typedef struct {
    const uint8_t *body;
    int64_t length;
    int64_t (*carry_out)(void *with, uint8_t *reply, int64_t capacity);
    void *with;
    int64_t at;
} rsp_repeat;

/* Both ends of a conversation over one socket, without acknowledgements, and its buffers. A reply is at most
 * `capacity` bytes; `out` has room for its frame. `wait_us`: how long to wait for the next packet. `answered` counts
 * the packets that `rsp_turn` has answered by itself, at most `most` in a call, and written into `journal`, if there is
 * one, before it sent the reply; `repeated` those of them that are among `repeats`. */
typedef struct {
    int descriptor;
    int flags;
    int wait_us;
    int most;
    uint8_t *reply;
    int64_t capacity;
    uint8_t *out;
    int64_t out_capacity;
    uint8_t *incoming;
    int64_t incoming_capacity;
    rsp_reads reads;
    rsp_journal *journal;
    rsp_repeat *repeats;
    int64_t repeats_count;
    int64_t answered;
    int64_t repeated;
    int64_t count;
    int64_t framed;
} rsp_conversation;

/* Make the socket ready for `rsp_turn`, which sleeps in the kernel's receive: blocking, with a time limit. */
int rsp_converse(rsp_conversation *conversation);

/* One turn: frame `body`, send it, wait for the answer and read it. Packets that `repeats` or `reads` can answer are
 * answered and waited for again.
 *
 * >= 0: what came is exactly one plain packet (no runs, no restart) of
 * that many bytes, and its body begins at incoming[1]. Otherwise -1 - a status of
 * enum rsp_turn, or -1000 - errno; RSP_TURN_OTHER: `count` bytes of something
 * else are in `incoming`; RSP_TURN_REPEATED: the one of `repeats` with the index `count` has been carried out, and its
 * reply is to be made; RSP_TURN_NOT_SENT: of the frame of `framed` bytes in `out`, `count` went out. */
enum rsp_turn {
    RSP_TURN_SILENCE = 0,
    RSP_TURN_OTHER = 1,
    RSP_TURN_NOT_SENT = 2,
    RSP_TURN_TOO_LONG = 3,
    RSP_TURN_REPEATED = 4
};
int64_t rsp_turn(rsp_conversation *conversation, const uint8_t *body, int64_t length);

/* Milliseconds since the last data of the peer arrived (tcp(7), TCP_INFO), whoever has read it since; or -errno. */
int rsp_peer_silence(int descriptor);

/* The processor on which the peer's last packet was sent (SO_INCOMING_CPU), or -errno. */
int rsp_peer_processor(int descriptor);
