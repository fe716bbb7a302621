/* Rooms that are a file's: how they grow, and what becomes of them when somebody cuts the file off. */
#include "test_rsp.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A file that is cut off while it is written ends the recording and not the process. */
void test_lost_rooms(void)
{
    enum { FILES = 3 };
    int64_t page = sysconf(_SC_PAGESIZE);
    rsp_body packet = body_of("qC");
    rsp_journal journals[FILES];
    FILE *files[FILES];
    for (int i = 0; i < FILES; i++) {
        files[i] = tmpfile();
        assert(ftruncate(fileno(files[i]), 4 * page) == 0);
        journals[i] = (rsp_journal){.room.size = 4 * page, .start = rsp_clock(), .longest = 9999};
        assert(rsp_map(&journals[i].room, fileno(files[i]), 9 * page) == 0);
        assert(rsp_journal_exchange(&journals[i], journals[i].start, &packet, &packet) == 0);
    }
    assert(rsp_map(&journals[0].room, -1, page) == -EBADF && journals[0].room.start[0] == '0');
    assert(rsp_map(&journals[0].room, fileno(files[0]), 8 * page) == 0 && journals[0].room.start[0] == '0');
    rsp_unmap(&journals[1].room);
    assert(rsp_journal_line(&journals[1], "<-", packet.bytes, 2) == -ENOBUFS);
    for (int i = 0; i < FILES; i += 2) {
        assert(ftruncate(fileno(files[i]), 2 * page) == 0);
        journals[i].end = 2 * page - 1; /* a line across the end */
        assert(rsp_journal_exchange(&journals[i], journals[i].start, &packet, &packet) == -EIO);
        assert(journals[i].room.lost && journals[i].room.start[0] == '0' && journals[2 - i].room.lost == (i == 2));
        assert(rsp_journal_line(&journals[i], "<-", packet.bytes, 2) == -EIO);
    }
    for (int i = FILES; i-- > 0;) {
        rsp_unmap(&journals[i].room);
        rsp_unmap(&journals[i].room);
        assert(!journals[i].room.start);
        fclose(files[i]);
    }
}

/* What is nobody's room still ends the process, by whatever way it comes. */
void test_other_bus_errors(void)
{
    rsp_room room = {0};
    FILE *file = tmpfile();
    assert(rsp_map(&room, fileno(file), 1) == 0);
    for (int i = 0; i < 2; i++) {
        int status;
        pid_t child = fork();
        if (!child) {
            struct rlimit none = {0, 0};
            setrlimit(RLIMIT_CORE, &none);
            signal(SIGALRM, SIG_DFL);
            alarm(10);
            volatile uint8_t *bytes = mmap(NULL, 1, PROT_WRITE, MAP_SHARED, fileno(file), 0);
            if (i)
                raise(SIGBUS);
            else if (bytes != MAP_FAILED)
                *bytes = 1;
            _exit(0);
        }
        assert(child > 0 && waitpid(child, &status, 0) == child);
        assert(status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM));
    }
    rsp_unmap(&room);
    fclose(file);
}

static int64_t file_size(FILE *file)
{
    struct stat status;
    assert(fstat(fileno(file), &status) == 0);
    return status.st_size;
}

/* Writes lines until there is no room for one more; gives how many bytes were left. */
static int64_t write_full(rsp_journal *journal, uint64_t *count)
{
    uint8_t line[1000];
    for (;; ++*count) {
        memset(line, 'a' + (int)(*count % 26), sizeof line);
        int failed = rsp_journal_line(journal, "->", line, sizeof line);
        if (failed) {
            assert(failed == -ENOBUFS);
            return journal->room.size - journal->end;
        }
    }
}

static void expect_lines(const rsp_journal *journal, uint64_t count)
{
    const uint8_t *at = journal->room.start, *end = at + journal->end;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *line = memchr(at, '>', (size_t)(end - at));
        assert(line && line[2] == 'a' + i % 26 && line[1001] == 'a' + i % 26 && line[1002] == '\n');
        at = line + 1003;
    }
    assert(at == end);
}

/* With a thread that runs ahead and without one every line is there, wherever the file has grown. */
void test_growth(void)
{
    enum { LINE = 4 * 1000 + RSP_LINE_OVERHEAD, STEPS = 40 };
    for (int with = 0; with < 2; with++) {
        rsp_ahead *ahead = with ? rsp_start_ahead() : NULL;
        rsp_journal journal = {.start = rsp_clock(), .longest = 9999};
        FILE *file = tmpfile();
        uint64_t count = 0;
        assert(rsp_map(&journal.room, fileno(file), RSP_STEP) == 0 && journal.room.size == 0);
        journal.room.ahead = ahead;
        while (journal.end < STEPS * RSP_STEP) {
            assert(write_full(&journal, &count) < LINE);
            assert(rsp_grow(&journal.room, journal.end, LINE) == 0 && journal.room.size >= journal.end + LINE);
            assert(with || journal.room.size < journal.end + LINE + RSP_STEP);
        }
        expect_lines(&journal, count);
        assert(file_size(file) >= journal.room.size && journal.room.mapped >= journal.room.size);
        rsp_unmap(&journal.room);
        assert(!journal.room.ahead);
        assert(file_size(file) < 2 * STEPS * RSP_STEP + RSP_STEP);
        if (ahead)
            rsp_end_ahead(ahead);
        fclose(file);
    }
}

/* Whoever is ahead leaves a file alone that somebody has cut off, and so does whoever needs room. */
void test_growth_of_a_file_cut_off(void)
{
    enum { LINE = 4 * 1000 + RSP_LINE_OVERHEAD };
    rsp_ahead *ahead = rsp_start_ahead();
    rsp_journal journal = {.start = rsp_clock(), .longest = 9999};
    FILE *file = tmpfile();
    uint64_t count = 0;
    assert(ahead && rsp_map(&journal.room, fileno(file), 64 * RSP_STEP) == 0);
    assert(rsp_grow(&journal.room, 0, LINE) == 0);
    journal.room.ahead = ahead;
    write_full(&journal, &count);
    int64_t cut = journal.end;
    assert(ftruncate(fileno(file), cut) == 0);
    assert(rsp_grow(&journal.room, journal.end, LINE) == -ESTALE && file_size(file) == cut);
    journal.room.low = journal.room.size; /* it is called at the next line, for which a page may be left */
    int failed = rsp_journal_line(&journal, "->", (const uint8_t *)"x", 1);
    assert(failed == 0 || failed == -EIO);
    rsp_unmap(&journal.room);
    rsp_end_ahead(ahead);
    assert(file_size(file) == cut);
    fclose(file);
}

/* A file that may not grow any more. */
void test_growth_with_a_limit(void)
{
    struct rlimit before, low;
    rsp_room room = {0};
    FILE *file = tmpfile();
    signal(SIGXFSZ, SIG_IGN);
    assert(getrlimit(RLIMIT_FSIZE, &before) == 0);
    low = before;
    low.rlim_cur = RSP_STEP + RSP_STEP / 2;
    assert(setrlimit(RLIMIT_FSIZE, &low) == 0);
    assert(rsp_map(&room, fileno(file), 64 * RSP_STEP) == 0 && rsp_grow(&room, 0, 1) == 0 && room.size == RSP_STEP);
    assert(rsp_grow(&room, 0, RSP_STEP + 1) == -EFBIG && room.size == RSP_STEP);
    assert(setrlimit(RLIMIT_FSIZE, &before) == 0);
    assert(rsp_grow(&room, 0, RSP_STEP + 1) == 0 && room.size == 2 * RSP_STEP);
    rsp_unmap(&room);
    fclose(file);
}
