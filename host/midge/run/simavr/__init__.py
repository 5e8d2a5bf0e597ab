"""AVR boards in simavr, with exact cycles: a C program around libsimavr, and what drives it."""
