/* An AVR in simavr, for midge: what the files of this program share.
 *
 * The program links libsimavr, which is under the GPL (version 3): midge compiles it on the user's computer and ships
 * none of it in binary form.
 */
#ifndef MIDGE_SIMAVR_RUNNER_H
#define MIDGE_SIMAVR_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <simavr/sim_avr.h>

/* Serve one TCP connection after the other at UART0, no faster than a real board; every connection resets the core.
 * Returns on SIGTERM, after writing the flash to `dump_file` unless that is NULL. */
void midge_listen(avr_t *avr, const char *dump_file);

/* Do what the commands that come in at `from` ask for and answer at `to`, as fast as it goes; see measure.c. Returns at
 * the end of `from`. */
void midge_measure(avr_t *avr, int from, int to);

#endif
