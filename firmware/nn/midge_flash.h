/* Where constants lie. On AVR flash is an address space of its own: a constant without MIDGE_FLASH would be copied to
 * RAM at start, and a pointer to one with it reads through other instructions. Everywhere else this says nothing. Where
 * MIDGE_FLASH is __memx, whose pointers have three bytes, MIDGE_FLASH_FAR is 1. */
#ifndef MIDGE_FLASH_H
#define MIDGE_FLASH_H

#if defined(__AVR__) && !defined(MIDGE_FLASH)
#define MIDGE_FLASH __flash
#elif !defined(MIDGE_FLASH)
#define MIDGE_FLASH
#endif

#endif
