/* From reset to main() on a Cortex-M, without vendor files. Expects the symbols of link.ld. */
#include <stdint.h>

#define CPACR (*(volatile uint32_t *)0xE000ED88u) /* Coprocessor Access Control Register, Armv7-M B3.2.20 */
#define CPACR_CP10_CP11_FULL (0xFu << 20)

extern uint32_t midge_stack_top[];
extern uint32_t midge_data_start[], midge_data_end[];
extern const uint32_t midge_data_load[];
extern uint32_t midge_bss_start[], midge_bss_end[];

int main(void);
void midge_reset(void);
void midge_fault(void);

/* Where every exception ends: a debugger, or the emulator, finds the core here. */
void midge_fault(void) {
    for (;;) {
        __asm__ volatile("");
    }
}

/* Called by the core. The FPU comes first: compilers may use it for anything after this line. */
__attribute__((noreturn)) void midge_reset(void) {
#if defined(__ARM_FP)
    CPACR |= CPACR_CP10_CP11_FULL;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
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

/* The core's own exceptions, 0 to 15 (Armv7-M B1.5.3). The firmware polls, so there are no interrupts. */
__attribute__((used, section(".vectors"))) static void (*const vectors[16])(void) = {
    (void (*)(void))(uintptr_t)midge_stack_top,
    midge_reset,
    midge_fault, /* NMI */
    midge_fault, /* HardFault */
    midge_fault, /* MemManage */
    midge_fault, /* BusFault */
    midge_fault, /* UsageFault */
    0,
    0,
    0,
    0,
    midge_fault, /* SVCall */
    midge_fault, /* DebugMonitor */
    0,
    midge_fault, /* PendSV */
    midge_fault, /* SysTick */
};
