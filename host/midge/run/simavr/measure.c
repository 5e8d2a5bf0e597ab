/* The core as an instrument: the host says how long to run, and every instruction is counted on its way.
 *
 * Commands are one letter and their arguments, all numbers little-endian:
 *
 *     L  u32 n, n bytes; u32 m, m * u32; u16 limit    load: flash from address 0; the ascending addresses where
 *                                                     functions begin (core.h); the lowest address of the stack
 *     W  u32 address                                  watch the calls of the function that begins there
 *     R  u64 deadline; u32 n, n bytes                 put bytes on the line and run, until that cycle at most
 *     C                                               what the calls since the last C have cost
 *     M  u32 address; u32 n                           read data memory
 *
 * Answers: to L, W: nothing. To R: u8 midge_stop; u64 cycles, u64 instructions since reset; u32 pc; u16 sp; u16 the
 * lowest sp there was; u32 n, n bytes that came out; u32 m, m bytes of text that simavr said. To C: u32 calls; for each
 * u64 cycles, u64 instructions, u32 n, and n times u32 function, u64 cycles, u64 instructions of its own. To M: n
 * bytes.
 */
#include "runner.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core.h"

static midge_core core;
static int from_fd, to_fd;

static bool receive(void *bytes, size_t count) {
    for (uint8_t *to = bytes; count > 0;) {
        const ssize_t n = read(from_fd, to, count);
        if (n <= 0) {
            return false;
        }
        to += n;
        count -= (size_t)n;
    }
    return true;
}

static void need(void *bytes, size_t count) {
    if (!receive(bytes, count)) {
        midge_fail("half a command");
    }
}

static void answer(const void *bytes, size_t count) {
    for (const uint8_t *from = bytes; count > 0;) {
        const ssize_t n = write(to_fd, from, count);
        if (n <= 0) {
            exit(0); /* nobody listens any more */
        }
        from += n;
        count -= (size_t)n;
    }
}

static void load(void) {
    uint32_t bytes, count;
    need(&bytes, sizeof bytes);
    if (bytes > core.avr->flashend + 1) {
        midge_fail("larger than the flash");
    }
    need(core.avr->flash, bytes);
    need(&count, sizeof count);
    if (count >= UINT16_MAX) {
        midge_fail("too many functions");
    }
    uint32_t *starts = midge_checked(calloc((size_t)count + 1, sizeof *starts));
    need(starts, count * sizeof *starts);
    need(&core.sp_limit, sizeof core.sp_limit);
    midge_core_start(&core, starts, count, bytes);
    free(starts);
}

static void serve_run(void) {
    uint64_t deadline;
    uint32_t count;
    need(&deadline, sizeof deadline);
    need(&count, sizeof count);
    /* What the firmware has not taken of the last input comes first. */
    core.input_count -= core.input_taken;
    memmove(core.input, core.input + core.input_taken, core.input_count);
    core.input_taken = 0;
    core.input = midge_checked(realloc(core.input, core.input_count + count + 1));
    need(core.input + core.input_count, count);
    core.input_count += count;
    core.output_count = 0;
    core.said_count = 0;
    const uint8_t stop = (uint8_t)midge_core_run(&core, deadline);
    const uint16_t sp = (uint16_t)(core.avr->data[R_SPL] | core.avr->data[R_SPH] << 8);
    answer(&stop, sizeof stop);
    answer(&core.total, sizeof core.total);
    answer(&core.avr->pc, sizeof core.avr->pc);
    answer(&sp, sizeof sp);
    answer(&core.lowest_sp, sizeof core.lowest_sp);
    answer(&core.output_count, sizeof core.output_count);
    answer(core.output, core.output_count);
    answer(&core.said_count, sizeof core.said_count);
    answer(core.said, core.said_count);
}

static void serve_calls(void) {
    answer(&core.call_count, sizeof core.call_count);
    answer(core.calls, core.calls_bytes);
    core.call_count = 0;
    core.calls_bytes = 0;
}

static void serve_memory(void) {
    uint32_t place[2];
    need(place, sizeof place);
    if (place[0] > core.avr->ramend || place[1] > core.avr->ramend + 1u - place[0]) {
        midge_fail("no such memory");
    }
    answer(core.avr->data + place[0], place[1]);
}

void midge_measure(avr_t *avr, int from, int to) {
    signal(SIGINT, SIG_IGN); /* whoever drives this program decides */
    from_fd = from;
    to_fd = to;
    core.avr = avr;
    midge_core_init(&core);
    uint8_t command;
    while (receive(&command, 1)) {
        switch (command) {
        case 'L':
            load();
            break;
        case 'W':
            need(&core.watched, sizeof core.watched);
            break;
        case 'R':
            serve_run();
            break;
        case 'C':
            serve_calls();
            break;
        case 'M':
            serve_memory();
            break;
        default:
            midge_fail("an unknown command");
        }
    }
}
