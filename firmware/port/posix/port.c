/* The port of the host build: the line is standard input and output, the clock counts 10 ns. */
#define _POSIX_C_SOURCE 200809L

#include "port/port.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TICKS_HZ 100000000u
#define TICK_NS (1000000000u / TICKS_HZ)

void midge_port_init(void) {}

/* Waits, unlike on a board: a process has nothing else to do. The end of the input ends the process. */
size_t midge_port_read(uint8_t *buf, size_t max) {
    if (fflush(stdout) != 0) {
        exit(EXIT_FAILURE);
    }
    ssize_t count = read(STDIN_FILENO, buf, max);
    if (count <= 0) {
        exit(count == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    return (size_t)count;
}

void midge_port_write(const uint8_t *buf, size_t n) {
    if (fwrite(buf, 1, n, stdout) != n) {
        exit(EXIT_FAILURE);
    }
}

midge_ticks midge_port_ticks(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * TICKS_HZ + (uint64_t)now.tv_nsec / TICK_NS;
}

uint32_t midge_port_ticks_hz(void) { return TICKS_HZ; }

bool midge_port_is_emulated(void) { return false; }
