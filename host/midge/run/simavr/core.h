/* A core under observation: its line and its timer, what it has cost, how deep its stack was, and why it stopped. */
#ifndef MIDGE_SIMAVR_CORE_H
#define MIDGE_SIMAVR_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <simavr/sim_avr.h>

#define MIDGE_OUTPUT_BYTES (1u << 20)
#define MIDGE_SAID_BYTES 1024u

/* Why a run has ended. */
typedef enum {
    MIDGE_IDLE = 1,  /* the firmware waits for input */
    MIDGE_FULL,      /* the output buffer is full */
    MIDGE_DEADLINE,  /* the cycle to stop at is reached */
    MIDGE_STACK,     /* the stack has left its place */
    MIDGE_NO_CODE,   /* the next instruction lies in no code */
    MIDGE_RESTARTED, /* the core is at address 0 again */
    MIDGE_WATCHDOG,  /* the same, by the watchdog */
    MIDGE_CRASHED,   /* simavr refuses to go on, and has said why */
    MIDGE_HALTED,    /* a jump to itself */
    MIDGE_ASLEEP
} midge_stop;

typedef struct {
    uint64_t cycles, instructions;
} midge_cost;

typedef struct {
    avr_t *avr;
    midge_cost total; /* since reset */

    midge_cost *functions; /* [function_count], each one's own since reset */
    uint32_t function_count;
    uint16_t *owner; /* [flash_words], of each word of flash: 1 + its function, 0 for what is no code */
    uint32_t flash_words;

    uint32_t watched;     /* the address of the function whose calls are recorded */
    bool in_call;         /* it has not returned yet */
    uint32_t returns_to;  /* to there */
    uint16_t entry_sp;    /* with the stack deeper than this */
    midge_cost at_entry;  /* what `total` was */
    midge_cost *of_entry; /* [function_count], what `functions` were */

    uint8_t *calls; /* of the finished calls, as measure.c tells them */
    size_t calls_bytes, calls_room;
    uint32_t call_count;

    uint8_t *input;
    size_t input_count, input_taken;
    uint8_t output[MIDGE_OUTPUT_BYTES];
    uint32_t output_count;
    uint32_t empty_polls; /* since something was sent or taken */
    uint32_t ticks;       /* as they were when their lowest byte was read */

    uint16_t lowest_sp, sp_limit;
    bool sp_is_whole;

    char said[MIDGE_SAID_BYTES]; /* by simavr */
    uint32_t said_count;
} midge_core;

/* End the program with a message. */
_Noreturn void midge_fail(const char *what);

/* `memory`, unless there was none. */
void *midge_checked(void *memory);

/* Make the registers of the line and the timer. `core` is zeroed but for `avr`, and stays where it is. */
void midge_core_init(midge_core *core);

/* Start what lies in flash, as after power-on: code begins at the ascending addresses `starts`; one with its lowest bit
 * set begins what is no code. */
void midge_core_start(midge_core *core, const uint32_t *starts, uint32_t count, uint32_t flash_bytes);

/* Run until something ends it, at that cycle at the latest. */
midge_stop midge_core_run(midge_core *core, uint64_t deadline);

#endif
