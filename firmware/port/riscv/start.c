/* From reset to main() on a RISC-V core without interrupts. Expects the symbols of link.ld. */
#include <stdint.h>

extern uint32_t midge_data_start[], midge_data_end[];
extern const uint32_t midge_data_load[];
extern uint32_t midge_bss_start[], midge_bss_end[];

int main(void);
void midge_reset(void);
void midge_start(void);
void midge_fault(void);

/* Where every trap ends: a debugger, or the emulator, finds the core here. */
__attribute__((aligned(4))) void midge_fault(void) {
    for (;;) {
        __asm__ volatile("");
    }
}

/* The first instructions of the flash. There is no stack yet. */
__attribute__((naked, noreturn, used, section(".vectors"))) void midge_reset(void) {
    __asm__ volatile("la sp, midge_stack_top\n"
                     "la t0, midge_fault\n"
                     ".option push\n"
                     ".option arch, +zicsr\n" /* every core has it; its name came late */
                     "csrw mtvec, t0\n"
                     ".option pop\n"
                     "j midge_start");
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
