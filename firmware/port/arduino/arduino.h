/* What the sketch of the measuring firmware calls. */
#ifndef MIDGE_PORT_ARDUINO_H
#define MIDGE_PORT_ARDUINO_H

#ifdef __cplusplus
extern "C" {
#endif

/* Make port and link ready; once, first. */
void midge_arduino_setup(void);

/* Serve what has come in, and return. */
void midge_arduino_loop(void);

#ifdef __cplusplus
}
#endif

#endif
