/* From reset to main() on an Xtensa core with the call0 ABI, without interrupts. Expects the symbols of link.ld. */
#include <stdint.h>

extern uint32_t midge_data_start[], midge_data_end[];
extern const uint32_t midge_data_load[];
extern uint32_t midge_bss_start[], midge_bss_end[];

int main(void);
void midge_start(void);
void midge_fault(void);

/* The first instruction, and the table of exception vectors (0x60 bytes each, at most): all of them end in
 * midge_fault. There is no stack yet, and VECBASE wants a multiple of 4096 at its largest. */
__asm__(".section .vectors, \"ax\"\n"
        ".align 4096\n"
        "midge_vectors:\n"
        ".rept 64\n"
        "j midge_trap\n"
        ".align 16\n"
        ".endr\n"
        "midge_trap: j midge_trap_end\n"
        ".align 4\n"
        ".literal_position\n"
        ".global midge_reset\n"
        ".type midge_reset, @function\n"
        "midge_reset:\n"
        "movi a2, midge_vectors\n"
        "wsr a2, vecbase\n"
        "movi a2, 0\n"
        "wsr a2, ps\n"
        "rsync\n"
        "movi a1, midge_stack_top\n"
        "movi a2, midge_start\n"
        "jx a2\n"
        "midge_trap_end:\n"
        "movi a2, midge_fault\n"
        "jx a2\n"
        ".size midge_reset, . - midge_reset\n"
        ".text\n");

/* Where every exception ends: a debugger, or the emulator, finds the core here. */
__attribute__((used)) void midge_fault(void) {
    for (;;) {
        __asm__ volatile("");
    }
}

__attribute__((noreturn, used)) void midge_start(void) {
    const uint32_t *from = midge_data_load;
    for (uint32_t *to = midge_data_start; to < midge_data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = midge_bss_start; to < midge_bss_end; to++) {
        *to = 0;
    }
    (void)main();
    for (;;) {
        midge_fault();
    }
}
