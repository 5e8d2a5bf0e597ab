/* Integer arithmetic that an LX106 has no instructions for, and that its GCC expects in the chip's ROM. The names are
 * those of the compiler's run-time library. */
#include <stdint.h>

uint64_t __umulsidi3(uint32_t a, uint32_t b);
uint64_t __muldi3(uint64_t a, uint64_t b);
uint32_t __udivsi3(uint32_t a, uint32_t b);
uint32_t __umodsi3(uint32_t a, uint32_t b);
int32_t __divsi3(int32_t a, int32_t b);
uint64_t __udivdi3(uint64_t a, uint64_t b);
uint64_t __umoddi3(uint64_t a, uint64_t b);
int64_t __divdi3(int64_t a, int64_t b);

/* The product of two words, from products of halves. */
uint64_t __umulsidi3(uint32_t a, uint32_t b) {
    const uint32_t a_low = a & 0xFFFFu, a_high = a >> 16, b_low = b & 0xFFFFu, b_high = b >> 16;
    const uint32_t low = a_low * b_low;
    const uint32_t middle = a_high * b_low + (low >> 16);
    const uint32_t other = a_low * b_high + (middle & 0xFFFFu);
    const uint32_t high = a_high * b_high + (middle >> 16) + (other >> 16);
    return (uint64_t)high << 32 | (other << 16 | (low & 0xFFFFu));
}

uint64_t __muldi3(uint64_t a, uint64_t b) {
    const uint32_t a_low = (uint32_t)a, a_high = (uint32_t)(a >> 32), b_low = (uint32_t)b, b_high = (uint32_t)(b >> 32);
    return __umulsidi3(a_low, b_low) + ((uint64_t)(a_high * b_low + a_low * b_high) << 32);
}

/* Long division, bit by bit. Division by zero gives all ones, and the dividend as the rest. */
static uint64_t divide(uint64_t a, uint64_t b, int bits, uint64_t *rest) {
    uint64_t quotient = 0, left = 0;
    for (int i = bits - 1; i >= 0; i--) {
        left = left << 1 | (a >> i & 1u);
        quotient <<= 1;
        if (left >= b) {
            left -= b;
            quotient |= 1u;
        }
    }
    *rest = left;
    return quotient;
}

uint32_t __udivsi3(uint32_t a, uint32_t b) {
    uint64_t rest;
    return (uint32_t)divide(a, b, 32, &rest);
}

uint32_t __umodsi3(uint32_t a, uint32_t b) {
    uint64_t rest;
    (void)divide(a, b, 32, &rest);
    return (uint32_t)rest;
}

int32_t __divsi3(int32_t a, int32_t b) {
    const uint32_t size = __udivsi3(a < 0 ? 0u - (uint32_t)a : (uint32_t)a, b < 0 ? 0u - (uint32_t)b : (uint32_t)b);
    return (int32_t)((a < 0) != (b < 0) ? 0u - size : size);
}

uint64_t __udivdi3(uint64_t a, uint64_t b) {
    uint64_t rest;
    return divide(a, b, 64, &rest);
}

uint64_t __umoddi3(uint64_t a, uint64_t b) {
    uint64_t rest;
    (void)divide(a, b, 64, &rest);
    return rest;
}

int64_t __divdi3(int64_t a, int64_t b) {
    const uint64_t size = __udivdi3(a < 0 ? 0u - (uint64_t)a : (uint64_t)a, b < 0 ? 0u - (uint64_t)b : (uint64_t)b);
    return (int64_t)((a < 0) != (b < 0) ? 0u - size : size);
}
