#include "core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <simavr/sim_io.h>
#include <simavr/sim_regbit.h>

/* As firmware/port/simavr/port.c has them. */
#define RX_READY 0xE0
#define DATA 0xE1
#define TICKS 0xE2

#define IDLE_POLLS 64

#define OP_OUT 0xFE0Fu /* `out address, register` without its register */
#define OP_OUT_SPL 0xBE0Du
#define OP_OUT_SPH 0xBE0Eu
#define OP_SLEEP 0x9588u
#define OP_JUMP_TO_ITSELF 0xCFFFu

static midge_core *observed; /* whom simavr's messages belong to: they come without a parameter */

_Noreturn void midge_fail(const char *what) {
    fprintf(stderr, "simavr runner: %s\n", what);
    exit(1);
}

void *midge_checked(void *memory) {
    if (memory == NULL) {
        midge_fail("no memory");
    }
    return memory;
}

/* The line and the timer. */

static uint8_t read_ready(avr_t *avr, avr_io_addr_t address, void *parameter) {
    (void)avr, (void)address;
    midge_core *core = parameter;
    if (core->input_taken < core->input_count) {
        return 1;
    }
    core->empty_polls++;
    return 0;
}

static uint8_t read_data(avr_t *avr, avr_io_addr_t address, void *parameter) {
    (void)avr, (void)address;
    midge_core *core = parameter;
    core->empty_polls = 0;
    return core->input_taken < core->input_count ? core->input[core->input_taken++] : 0;
}

static void write_data(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter) {
    (void)avr, (void)address;
    midge_core *core = parameter;
    core->empty_polls = 0;
    if (core->output_count < MIDGE_OUTPUT_BYTES) {
        core->output[core->output_count++] = value;
    }
}

static uint8_t read_ticks(avr_t *avr, avr_io_addr_t address, void *parameter) {
    midge_core *core = parameter;
    if (address == TICKS) {
        core->ticks = (uint32_t)avr->cycle;
    }
    return (uint8_t)(core->ticks >> 8 * (address - TICKS));
}

static void note(avr_t *avr, const int level, const char *format, va_list arguments) {
    (void)avr;
    midge_core *core = observed;
    const uint32_t room = MIDGE_SAID_BYTES - core->said_count;
    if (level <= LOG_ERROR && room > 1) {
        const int n = vsnprintf(core->said + core->said_count, room, format, arguments);
        core->said_count += n < 0 ? 0 : (uint32_t)n < room ? (uint32_t)n : room - 1;
    }
}

void midge_core_init(midge_core *core) {
    avr_t *avr = core->avr;
    observed = core;
    core->watched = UINT32_MAX;
    core->input = midge_checked(malloc(1));
    avr_global_logger_set(note);
    avr_register_io_read(avr, RX_READY, read_ready, core);
    avr_register_io_read(avr, DATA, read_data, core);
    avr_register_io_write(avr, DATA, write_data, core);
    for (avr_io_addr_t byte = 0; byte < 4; byte++) {
        avr_register_io_read(avr, (avr_io_addr_t)(TICKS + byte), read_ticks, core);
    }
}

void midge_core_start(midge_core *core, const uint32_t *starts, uint32_t count, uint32_t flash_bytes) {
    core->function_count = count;
    core->flash_words = flash_bytes / 2;
    core->functions = midge_checked(calloc((size_t)count + 1, sizeof *core->functions));
    core->of_entry = midge_checked(calloc((size_t)count + 1, sizeof *core->of_entry));
    core->owner = midge_checked(calloc((size_t)core->flash_words + 1, sizeof *core->owner));
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t end = i + 1 < count ? starts[i + 1] >> 1 : core->flash_words;
        for (uint32_t word = starts[i] >> 1; word < end && word < core->flash_words; word++) {
            core->owner[word] = (starts[i] & 1) != 0 ? 0 : (uint16_t)(i + 1);
        }
    }
    core->avr->codeend = core->avr->flashend;
    avr_reset(core->avr);
    core->avr->pc = core->avr->reset_pc = 0;
    core->lowest_sp = core->avr->ramend;
    core->sp_is_whole = true;
}

/* What calls have cost. */

static void keep(midge_core *core, const void *bytes, size_t count) {
    if (core->calls_bytes + count > core->calls_room) {
        core->calls_room = 2 * (core->calls_bytes + count);
        core->calls = midge_checked(realloc(core->calls, core->calls_room));
    }
    memcpy(core->calls + core->calls_bytes, bytes, count);
    core->calls_bytes += count;
}

static midge_cost difference(midge_cost now, midge_cost before) {
    return (midge_cost){now.cycles - before.cycles, now.instructions - before.instructions};
}

static void finish_call(midge_core *core) {
    const midge_cost whole = difference(core->total, core->at_entry);
    uint32_t ran = 0;
    for (uint32_t i = 0; i < core->function_count; i++) {
        ran += core->functions[i].instructions != core->of_entry[i].instructions;
    }
    keep(core, &whole, sizeof whole);
    keep(core, &ran, sizeof ran);
    for (uint32_t i = 0; i < core->function_count; i++) {
        const midge_cost own = difference(core->functions[i], core->of_entry[i]);
        if (own.instructions > 0) {
            keep(core, &i, sizeof i);
            keep(core, &own, sizeof own);
        }
    }
    core->call_count++;
    core->in_call = false;
}

static void begin_call(midge_core *core, uint16_t sp) {
    uint32_t words = 0;
    for (int i = 1; i <= core->avr->address_size; i++) {
        words = words << 8 | core->avr->data[(uint16_t)(sp + i)];
    }
    core->returns_to = words << 1;
    core->entry_sp = sp;
    core->at_entry = core->total;
    memcpy(core->of_entry, core->functions, core->function_count * sizeof *core->functions);
    core->in_call = true;
}

/* The stack and the watched function after an instruction; 0 when all is well. */
static midge_stop observe(midge_core *core, uint16_t op) {
    const avr_t *avr = core->avr;
    /* The stack pointer is written in two instructions, the high half first: between them it points anywhere. */
    if ((op & OP_OUT) == OP_OUT_SPH || (op & OP_OUT) == OP_OUT_SPL) {
        core->sp_is_whole = (op & OP_OUT) == OP_OUT_SPL;
    }
    if (!core->sp_is_whole) {
        return 0;
    }
    const uint16_t sp = (uint16_t)(avr->data[R_SPL] | avr->data[R_SPH] << 8);
    if (sp < core->lowest_sp) {
        core->lowest_sp = sp;
        if (sp + 1 < core->sp_limit) {
            return MIDGE_STACK;
        }
    }
    if (core->in_call && avr->pc == core->returns_to && sp > core->entry_sp) {
        finish_call(core);
    } else if (!core->in_call && avr->pc == core->watched) {
        begin_call(core, sp);
    }
    return 0;
}

/* One instruction; 0 when it is an ordinary one. */
static midge_stop step(midge_core *core) {
    avr_t *avr = core->avr;
    const uint32_t pc = avr->pc, word = pc >> 1;
    const uint16_t function = word < core->flash_words ? core->owner[word] : 0;
    if (function == 0) {
        return MIDGE_NO_CODE;
    }
    const uint16_t op = (uint16_t)(avr->flash[pc] | avr->flash[pc + 1] << 8);
    if (op == OP_SLEEP || op == OP_JUMP_TO_ITSELF) {
        return op == OP_SLEEP ? MIDGE_ASLEEP : MIDGE_HALTED;
    }
    const uint64_t before = avr->cycle;
    const int state = avr_run(avr);
    const uint64_t cycles = avr->cycle - before;
    core->total.cycles += cycles;
    core->total.instructions++;
    core->functions[function - 1].cycles += cycles;
    core->functions[function - 1].instructions++;
    if (state == cpu_Crashed || state == cpu_Done) {
        avr->pc = pc;
        return MIDGE_CRASHED;
    }
    if (avr->pc == 0) {
        avr->pc = pc;
        return avr_regbit_get(avr, avr->reset_flags.wdrf) ? MIDGE_WATCHDOG : MIDGE_RESTARTED;
    }
    return observe(core, op);
}

midge_stop midge_core_run(midge_core *core, uint64_t deadline) {
    midge_stop stop = 0;
    core->empty_polls = 0;
    while (stop == 0) {
        if (core->empty_polls >= IDLE_POLLS) {
            stop = MIDGE_IDLE;
        } else if (core->output_count == MIDGE_OUTPUT_BYTES) {
            stop = MIDGE_FULL;
        } else if (core->total.cycles >= deadline) {
            stop = MIDGE_DEADLINE;
        } else {
            stop = step(core);
        }
    }
    return stop;
}
