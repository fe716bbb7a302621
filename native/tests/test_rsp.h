/* What the tests of rsp*.c share: every buffer is exactly as large as promised, so that one byte too many is seen. */
#ifndef PYDBGSERVER_TEST_RSP_H
#define PYDBGSERVER_TEST_RSP_H

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "registers.h"
#include "rsp.h"

uint8_t *exact(const void *data, int64_t length);
rsp_body body_of(const char *text);
uint32_t next_random(void);
/* With runs, and bytes that are to be escaped. */
void fill(uint8_t *body, int64_t length);

enum { GENERAL = 16, XSTATE = 160, WORD = 152, BLOCK_SIZE = 24 };
/* Of process 7 and thread 8, which has the registers of an image that is to be filled. */
void fill_image(void);
rsp_reads reads_of(uint8_t *scratch);

/* test_rsp_answers.c */
void test_registers(void);
void test_answers(void);
void test_files(void);
void test_first_reads(void);

/* test_rsp_turns.c */
void test_turns(void);
void test_recorded_turns(void);
void test_repeats(void);
void test_recorded_repeats(void);

/* test_rsp_journal.c */
void test_lines(void);
void test_journal(void);
void test_exchanges(void);

/* test_rsp_bodies.c */
void test_hash(void);
void test_bodies(void);
void test_digits(void);

/* test_rsp_rooms.c */
void test_lost_rooms(void);
void test_other_bus_errors(void);
void test_growth(void);
void test_growth_of_a_file_cut_off(void);
void test_growth_with_a_limit(void);

#endif
