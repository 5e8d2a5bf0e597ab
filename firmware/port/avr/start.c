/* From reset to main() on an AVR without interrupts. Expects the symbols of link.ld; the compiler's library copies
 * .data and clears .bss in .init4, where they are used. */
#include <avr/io.h>

int main(void);
void midge_fault(void);

/* Where every interrupt ends, since nothing asks for one, and a main() that returns. */
__attribute__((noreturn, used)) void midge_fault(void) {
    for (;;) {
        __asm__ volatile("");
    }
}

#define TEXT_OF(text) #text
#define TEXT(macro) TEXT_OF(macro)

/* The vectors: reset, then all the others. */
__asm__(".section .vectors, \"ax\", @progbits\n"
        ".global midge_reset\n"
        "midge_reset:\n"
        "jmp midge_start\n"
        ".rept " TEXT(_VECTORS_SIZE) " / 4 - 1\n"
                                     "jmp midge_fault\n"
                                     ".endr\n");

/* What the compiler relies on: r1 is zero, and the stack grows down from the end of RAM. */
__asm__(".section .init2, \"ax\", @progbits\n"
        "midge_start:\n"
        "clr r1\n"
        "out 0x3f, r1\n" /* SREG */
        "ldi r28, lo8(midge_stack_top - 1)\n"
        "ldi r29, hi8(midge_stack_top - 1)\n"
        "out 0x3e, r29\n" /* SPH, SPL */
        "out 0x3d, r28\n");

__asm__(".section .init9, \"ax\", @progbits\n"
        "call main\n"
        "jmp midge_fault\n");
