/* An AVR in simavr, in one of two ways:
 *
 *     runner MCU CLOCK_HZ --measure                          driven through standard input and output (measure.c)
 *     runner MCU CLOCK_HZ --listen [FLASH.hex ...] [--dump FILE]   a board behind a TCP port (listen.c)
 */
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <simavr/sim_hex.h>

#define DATA_BYTES (1 << 16)
#define BOOT_BYTES 8192

/* A file of 64 KB segments goes where it says; the core starts at a boot loader when the file reaches the end of flash.
 */
static void load(avr_t *avr, const char *file) {
    ihex_chunk_p chunks = NULL;
    int count = read_ihex_chunks(file, &chunks);
    if (count <= 0) {
        fprintf(stderr, "%s: no Intel hex file\n", file);
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        if (chunks[i].baseaddr > avr->flashend || chunks[i].size > avr->flashend + 1 - chunks[i].baseaddr) {
            fprintf(stderr, "%s: larger than the flash\n", file);
            exit(1);
        }
        memcpy(avr->flash + chunks[i].baseaddr, chunks[i].data, chunks[i].size);
        avr->codeend = avr->flashend;
        if (chunks[i].baseaddr + BOOT_BYTES > avr->flashend &&
            (avr->reset_pc == 0 || chunks[i].baseaddr < avr->reset_pc)) {
            avr->reset_pc = chunks[i].baseaddr;
        }
    }
}

int main(int argc, char **argv) {
    /* simavr talks on standard output, which is not its own here. */
    const int to = dup(STDOUT_FILENO);
    if (argc < 4 || to < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        fprintf(stderr, "usage: runner MCU CLOCK_HZ --measure | --listen [FLASH.hex ...] [--dump FILE]\n");
        return 2;
    }
    avr_t *avr = avr_make_mcu_by_name(argv[1]);
    if (avr == NULL || avr_init(avr) != 0) {
        fprintf(stderr, "simavr does not know the chip %s\n", argv[1]);
        return 2;
    }
    avr->frequency = (uint32_t)strtoul(argv[2], NULL, 10);
    avr->log = LOG_ERROR;
    /* A write past the end of RAM is told as an error, and made all the same. */
    avr->data = realloc(avr->data, DATA_BYTES);
    if (avr->data == NULL) {
        return 1;
    }
    memset(avr->flash, 0xFF, avr->flashend + 1);
    if (strcmp(argv[3], "--measure") == 0) {
        midge_measure(avr, STDIN_FILENO, to);
        return 0;
    }
    const char *dump_file = NULL;
    for (int i = 4; i < argc; i++) {
        if (strcmp(argv[i], "--dump") == 0 && i + 1 < argc) {
            dump_file = argv[++i];
        } else {
            load(avr, argv[i]);
        }
    }
    dup2(to, STDOUT_FILENO);
    midge_listen(avr, dump_file);
    return 0;
}
