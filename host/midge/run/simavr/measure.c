/* The core as an instrument: the host says how long to run, and every instruction is counted on its way.
 *
 * Commands are one letter and their arguments, all numbers little-endian:
 *
 *     L  u32 n, n bytes; u32 m, m * u32; u16 limit    load: flash from address 0; the ascending addresses where
 *                                                     functions begin; the lowest address that the stack may take
 *     W  u32 address                                  watch the calls of the function that begins there
 *     R  u64 deadline; u32 n, n bytes                 put bytes on the line and run, until that cycle at most
 *     C                                               what the calls since the last C have cost
 *     M  u32 address; u32 n                           read data memory
 *
 * Answers: to L, W: nothing. To R: u8 stop (enum stop); u64 cycles, u64 instructions since reset; u32 pc; u16 sp; u16
 * the lowest sp there was; u32 n, n bytes that came out; u32 m, m bytes of text that simavr said. To C: u32 calls; for
 * each u64 cycles, u64 instructions, u32 n, and n times u32 function, u64 cycles, u64 instructions of its own. To M: n
 * bytes.
 */
#include "runner.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <simavr/sim_io.h>
#include <simavr/sim_regbit.h>

/* As firmware/port/simavr/port.c has them. */
#define RX_READY 0xE0
#define DATA 0xE1
#define TICKS 0xE2

#define IDLE_POLLS 64
#define OUTPUT_BYTES (1u << 20)
#define SAID_BYTES 1024u

#define OP_OUT 0xFE0Fu /* `out address, register` without its register */
#define OP_OUT_SPL 0xBE0Du
#define OP_OUT_SPH 0xBE0Eu
#define OP_SLEEP 0x9588u
#define OP_JUMP_TO_ITSELF 0xCFFFu

enum stop { IDLE = 1, FULL, DEADLINE, STACK, NO_CODE, RESTARTED, WATCHDOG, CRASHED, HALTED, ASLEEP };

typedef struct {
    uint64_t cycles, instructions;
} cost;

static cost total;
static cost *functions, *at_entry; /* of each function: since reset, and when the watched call began */
static uint32_t function_count;
static uint16_t *owner; /* of each word of flash: 1 + its function, 0 for what is no code */
static uint32_t flash_words;

static uint32_t watched = UINT32_MAX, returns_to;
static uint16_t entry_sp;
static bool in_call;
static cost before_call;

static uint8_t *input, output[OUTPUT_BYTES], *calls;
static size_t input_count, input_taken, output_count, calls_bytes, calls_room;
static uint32_t call_count, empty_polls;
static uint32_t ticks;
static uint16_t lowest_sp, sp_limit;
static bool sp_is_whole;
static char said[SAID_BYTES];
static uint32_t said_count;

static void fail(const char *what) {
    fprintf(stderr, "simavr runner: %s\n", what);
    exit(1);
}

static void *checked(void *memory) {
    if (memory == NULL) {
        fail("no memory");
    }
    return memory;
}

/* The line and the timer. */

static uint8_t read_ready(avr_t *avr, avr_io_addr_t address, void *parameter) {
    (void)avr, (void)address, (void)parameter;
    if (input_taken < input_count) {
        return 1;
    }
    empty_polls++;
    return 0;
}

static uint8_t read_data(avr_t *avr, avr_io_addr_t address, void *parameter) {
    (void)avr, (void)address, (void)parameter;
    empty_polls = 0;
    return input_taken < input_count ? input[input_taken++] : 0;
}

static void write_data(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter) {
    (void)avr, (void)address, (void)parameter;
    empty_polls = 0;
    if (output_count < OUTPUT_BYTES) {
        output[output_count++] = value;
    }
}

static uint8_t read_ticks(avr_t *avr, avr_io_addr_t address, void *parameter) {
    (void)parameter;
    if (address == TICKS) {
        ticks = (uint32_t)avr->cycle;
    }
    return (uint8_t)(ticks >> 8 * (address - TICKS));
}

static void note(avr_t *avr, const int level, const char *format, va_list arguments) {
    (void)avr;
    if (level <= LOG_ERROR && said_count < SAID_BYTES - 1) {
        int n = vsnprintf(said + said_count, SAID_BYTES - said_count, format, arguments);
        said_count += n > 0 ? (uint32_t)n : 0;
        said_count = said_count < SAID_BYTES ? said_count : SAID_BYTES - 1;
    }
}

/* What calls have cost. */

static void keep(const void *bytes, size_t count) {
    if (calls_bytes + count > calls_room) {
        calls_room = 2 * (calls_bytes + count);
        calls = checked(realloc(calls, calls_room));
    }
    memcpy(calls + calls_bytes, bytes, count);
    calls_bytes += count;
}

static void finish_call(void) {
    const cost own = {total.cycles - before_call.cycles, total.instructions - before_call.instructions};
    uint32_t ran = 0;
    for (uint32_t i = 0; i < function_count; i++) {
        ran += functions[i].instructions != at_entry[i].instructions;
    }
    keep(&own, sizeof own);
    keep(&ran, sizeof ran);
    for (uint32_t i = 0; i < function_count; i++) {
        const cost share = {functions[i].cycles - at_entry[i].cycles,
                            functions[i].instructions - at_entry[i].instructions};
        if (share.instructions > 0) {
            keep(&i, sizeof i);
            keep(&share, sizeof share);
        }
    }
    call_count++;
    in_call = false;
}

static void begin_call(const avr_t *avr, uint16_t sp) {
    returns_to = 0;
    for (int i = 1; i <= avr->address_size; i++) {
        returns_to = returns_to << 8 | avr->data[(uint16_t)(sp + i)];
    }
    returns_to <<= 1;
    entry_sp = sp;
    before_call = total;
    memcpy(at_entry, functions, function_count * sizeof *functions);
    in_call = true;
}

/* One instruction; 0 when it is an ordinary one. */
static enum stop step(avr_t *avr) {
    const uint32_t pc = avr->pc, word = pc >> 1;
    const uint16_t function = word < flash_words ? owner[word] : 0;
    if (function == 0) {
        return NO_CODE;
    }
    const uint16_t op = (uint16_t)(avr->flash[pc] | avr->flash[pc + 1] << 8);
    if (op == OP_SLEEP || op == OP_JUMP_TO_ITSELF) {
        return op == OP_SLEEP ? ASLEEP : HALTED;
    }
    const uint64_t before = avr->cycle;
    const int state = avr_run(avr);
    const uint64_t cycles = avr->cycle - before;
    total.cycles += cycles;
    total.instructions++;
    functions[function - 1].cycles += cycles;
    functions[function - 1].instructions++;
    if (state == cpu_Crashed || state == cpu_Done) {
        avr->pc = pc;
        return CRASHED;
    }
    if (avr->pc == 0) {
        const bool by_watchdog = avr_regbit_get(avr, avr->reset_flags.wdrf);
        avr->pc = pc;
        return by_watchdog ? WATCHDOG : RESTARTED;
    }
    /* The stack pointer is written in two instructions, the high half first: between them it points anywhere. */
    if ((op & OP_OUT) == OP_OUT_SPH || (op & OP_OUT) == OP_OUT_SPL) {
        sp_is_whole = (op & OP_OUT) == OP_OUT_SPL;
    }
    if (!sp_is_whole) {
        return 0;
    }
    const uint16_t sp = (uint16_t)(avr->data[R_SPL] | avr->data[R_SPH] << 8);
    if (sp < lowest_sp) {
        lowest_sp = sp;
        if (sp + 1 < sp_limit) {
            return STACK;
        }
    }
    if (in_call && avr->pc == returns_to && sp > entry_sp) {
        finish_call();
    } else if (!in_call && avr->pc == watched) {
        begin_call(avr, sp);
    }
    return 0;
}

static enum stop run(avr_t *avr, uint64_t deadline) {
    enum stop stop = 0;
    empty_polls = 0;
    while (stop == 0) {
        if (empty_polls >= IDLE_POLLS) {
            stop = IDLE;
        } else if (output_count == OUTPUT_BYTES) {
            stop = FULL;
        } else if (avr->cycle >= deadline) {
            stop = DEADLINE;
        } else {
            stop = step(avr);
        }
    }
    return stop;
}

/* The commands. */

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
        fail("half a command");
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

static void load(avr_t *avr) {
    uint32_t bytes, *starts;
    need(&bytes, sizeof bytes);
    if (bytes > avr->flashend + 1) {
        fail("larger than the flash");
    }
    need(avr->flash, bytes);
    flash_words = bytes / 2;
    need(&function_count, sizeof function_count);
    if (function_count > UINT16_MAX - 1) {
        fail("too many functions");
    }
    starts = checked(calloc((size_t)function_count + 1, sizeof *starts));
    need(starts, function_count * sizeof *starts);
    need(&sp_limit, sizeof sp_limit);
    functions = checked(calloc((size_t)function_count + 1, sizeof *functions));
    at_entry = checked(calloc((size_t)function_count + 1, sizeof *at_entry));
    owner = checked(calloc((size_t)flash_words + 1, sizeof *owner));
    /* A start with its lowest bit set begins what is no code. */
    for (uint32_t i = 0; i < function_count; i++) {
        const uint32_t end = i + 1 < function_count ? starts[i + 1] >> 1 : flash_words;
        for (uint32_t word = starts[i] >> 1; word < end && word < flash_words; word++) {
            owner[word] = (starts[i] & 1) != 0 ? 0 : (uint16_t)(i + 1);
        }
    }
    free(starts);
    avr->codeend = avr->flashend;
    avr_reset(avr);
    avr->pc = avr->reset_pc = 0;
    lowest_sp = avr->ramend;
    sp_is_whole = true;
}

static void serve_run(avr_t *avr) {
    uint64_t deadline;
    uint32_t count;
    need(&deadline, sizeof deadline);
    need(&count, sizeof count);
    /* What the firmware has not taken of the last input comes first. */
    memmove(input, input + input_taken, input_count - input_taken);
    input_count -= input_taken;
    input_taken = 0;
    input = checked(realloc(input, input_count + count + 1));
    need(input + input_count, count);
    input_count += count;
    output_count = 0;
    said_count = 0;
    const uint8_t stop = (uint8_t)run(avr, deadline);
    const uint16_t sp = (uint16_t)(avr->data[R_SPL] | avr->data[R_SPH] << 8);
    const uint32_t out = (uint32_t)output_count;
    answer(&stop, sizeof stop);
    answer(&total, sizeof total);
    answer(&avr->pc, sizeof avr->pc);
    answer(&sp, sizeof sp);
    answer(&lowest_sp, sizeof lowest_sp);
    answer(&out, sizeof out);
    answer(output, out);
    answer(&said_count, sizeof said_count);
    answer(said, said_count);
}

static void serve_calls(void) {
    answer(&call_count, sizeof call_count);
    answer(calls, calls_bytes);
    call_count = 0;
    calls_bytes = 0;
}

static void serve_memory(const avr_t *avr) {
    uint32_t place[2];
    need(place, sizeof place);
    if (place[0] > avr->ramend || place[1] > avr->ramend + 1u - place[0]) {
        fail("no such memory");
    }
    answer(avr->data + place[0], place[1]);
}

void midge_measure(avr_t *avr, int from, int to) {
    signal(SIGINT, SIG_IGN); /* whoever drives this program decides */
    from_fd = from;
    to_fd = to;
    input = checked(malloc(1));
    avr_global_logger_set(note);
    avr_register_io_read(avr, RX_READY, read_ready, NULL);
    avr_register_io_read(avr, DATA, read_data, NULL);
    avr_register_io_write(avr, DATA, write_data, NULL);
    for (avr_io_addr_t byte = 0; byte < 4; byte++) {
        avr_register_io_read(avr, (avr_io_addr_t)(TICKS + byte), read_ticks, NULL);
    }
    uint8_t command;
    while (receive(&command, 1)) {
        switch (command) {
        case 'L':
            load(avr);
            break;
        case 'W':
            need(&watched, sizeof watched);
            break;
        case 'R':
            serve_run(avr);
            break;
        case 'C':
            serve_calls();
            break;
        case 'M':
            serve_memory(avr);
            break;
        default:
            fail("an unknown command");
        }
    }
}
