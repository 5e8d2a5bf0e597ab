/* The instructions of midge_mac16.h as assembly for Xtensa cores with MAC16 and zero-overhead loops (the ESP32's LX6,
 * the ESP32-S3's LX7). Part of that header.
 *
 * A compiler for such a core knows their names. Debian's, which is for the LX106, does not: there the same instructions
 * are bytes. Both spellings stand here side by side, and a test holds them equal by a disassembler.
 *
 * Operands are names of registers, MIDGE_MAC16_A_..., and numbers of the four registers m0..m3 that MAC16 multiplies. A
 * product takes halves of two of them, `l` low or `h` high. A load that comes with a product (`_LOAD`) moves its
 * pointer on first, so that pointers stand a word before what is loaded next; what it loads may be multiplied three
 * instructions later.
 */
#ifndef MIDGE_MAC16_ASM_H
#define MIDGE_MAC16_ASM_H

#define MIDGE_MAC16_STRING(...) #__VA_ARGS__
#define MIDGE_MAC16_TEXT(...) MIDGE_MAC16_STRING(__VA_ARGS__)
/* The registers' numbers; some names share one, in different kernels. a7 may be a frame pointer. */
#define MIDGE_MAC16_A_x 2
#define MIDGE_MAC16_A_p 2
#define MIDGE_MAC16_A_w 3
#define MIDGE_MAC16_A_q 3
#define MIDGE_MAC16_A_k 4
#define MIDGE_MAC16_A_out 5
#define MIDGE_MAC16_A_count 6
#define MIDGE_MAC16_A_step 6
#define MIDGE_MAC16_A_turns 8
#define MIDGE_MAC16_A_wa 8
#define MIDGE_MAC16_A_t 9
#define MIDGE_MAC16_A_sum 10
#define MIDGE_MAC16_A_u 11
#define MIDGE_MAC16_A_a 12
#define MIDGE_MAC16_A_wb 12
#define MIDGE_MAC16_A_zero 13
#define MIDGE_MAC16_A_first 14
#define MIDGE_MAC16_A_wc 14
#define MIDGE_MAC16_A_rows 15
/* The number of a register with a name, and the register. */
#define MIDGE_MAC16_N(name) MIDGE_MAC16_A_##name
#define MIDGE_MAC16_R(name) "a" MIDGE_MAC16_TEXT(MIDGE_MAC16_N(name))
#define MIDGE_MAC16_BYTES(...) ".byte " MIDGE_MAC16_TEXT(__VA_ARGS__) "\n"

/* clang-format off */

/* The halves of a product, as the last four bits of its third byte. */
#define MIDGE_MAC16_HALVES_ll 0x8
#define MIDGE_MAC16_HALVES_hl 0x9
#define MIDGE_MAC16_HALVES_lh 0xA
#define MIDGE_MAC16_HALVES_hh 0xB

#if MIDGE_MAC16_NAMES

#define MIDGE_MAC16_MULTIPLY(halves, x, y) "mula.dd." #halves " m" #x ", m" #y "\n"
#define MIDGE_MAC16_MULTIPLY_LOAD(halves, x, y, to, from) \
    "mula.dd." #halves ".ldinc m" #to ", " MIDGE_MAC16_R(from) ", m" #x ", m" #y "\n"
#define MIDGE_MAC16_MULTIPLY_A(halves, x, a) "mula.da." #halves " m" #x ", " MIDGE_MAC16_R(a) "\n"
#define MIDGE_MAC16_MULTIPLY_A_LOAD(halves, x, a, to, from) \
    "mula.da." #halves ".ldinc m" #to ", " MIDGE_MAC16_R(from) ", m" #x ", " MIDGE_MAC16_R(a) "\n"
#define MIDGE_MAC16_LOAD(to, from) "ldinc m" #to ", " MIDGE_MAC16_R(from) "\n"
#define MIDGE_MAC16_START(a) "wsr.acclo " MIDGE_MAC16_R(a) "\n"
#define MIDGE_MAC16_SET(m, a) "wsr.m" #m " " MIDGE_MAC16_R(a) "\n"
#define MIDGE_MAC16_SUM(a) "rsr.acclo " MIDGE_MAC16_R(a) "\n"
#define MIDGE_MAC16_MIN(to, a, b) "min " MIDGE_MAC16_R(to) ", " MIDGE_MAC16_R(a) ", " MIDGE_MAC16_R(b) "\n"
#define MIDGE_MAC16_MAX(to, a, b) "max " MIDGE_MAC16_R(to) ", " MIDGE_MAC16_R(a) ", " MIDGE_MAC16_R(b) "\n"
#define MIDGE_MAC16_LOOP(times) "loopnez " MIDGE_MAC16_R(times) ", 8f\n"
#define MIDGE_MAC16_WORD(to, from, at) "l32i " MIDGE_MAC16_R(to) ", " MIDGE_MAC16_R(from) ", " MIDGE_MAC16_TEXT(at) "\n"

#else

#define MIDGE_MAC16_MULTIPLY(halves, x, y) \
    MIDGE_MAC16_BYTES(((y) - 2) << 6 | 4, (x) << 6, 0x20 | MIDGE_MAC16_HALVES_##halves)
#define MIDGE_MAC16_MULTIPLY_LOAD(halves, x, y, to, from) \
    MIDGE_MAC16_BYTES(((y) - 2) << 6 | 4, (x) << 6 | (to) << 4 | MIDGE_MAC16_N(from), MIDGE_MAC16_HALVES_##halves)
#define MIDGE_MAC16_MULTIPLY_A(halves, x, a) \
    MIDGE_MAC16_BYTES(MIDGE_MAC16_N(a) << 4 | 4, (x) << 6, 0x60 | MIDGE_MAC16_HALVES_##halves)
#define MIDGE_MAC16_MULTIPLY_A_LOAD(halves, x, a, to, from) \
    MIDGE_MAC16_BYTES(MIDGE_MAC16_N(a) << 4 | 4, (x) << 6 | (to) << 4 | MIDGE_MAC16_N(from), \
                      0x40 | MIDGE_MAC16_HALVES_##halves)
#define MIDGE_MAC16_LOAD(to, from) MIDGE_MAC16_BYTES(0x04, (to) << 4 | MIDGE_MAC16_N(from), 0x80)
#define MIDGE_MAC16_START(a) MIDGE_MAC16_BYTES(MIDGE_MAC16_N(a) << 4, 0x10, 0x13)
#define MIDGE_MAC16_SET(m, a) MIDGE_MAC16_BYTES(MIDGE_MAC16_N(a) << 4, 0x20 + (m), 0x13)
#define MIDGE_MAC16_SUM(a) MIDGE_MAC16_BYTES(MIDGE_MAC16_N(a) << 4, 0x10, 0x03)
#define MIDGE_MAC16_MIN(to, a, b) \
    MIDGE_MAC16_BYTES(MIDGE_MAC16_N(b) << 4, MIDGE_MAC16_N(to) << 4 | MIDGE_MAC16_N(a), 0x43)
#define MIDGE_MAC16_MAX(to, a, b) \
    MIDGE_MAC16_BYTES(MIDGE_MAC16_N(b) << 4, MIDGE_MAC16_N(to) << 4 | MIDGE_MAC16_N(a), 0x53)
#define MIDGE_MAC16_LOOP(times) MIDGE_MAC16_BYTES(0x76, 0x90 | MIDGE_MAC16_N(times), 8f - 7f - 1) "7:\n"
/* This too, for in a loop the assembler must not choose its width. */
#define MIDGE_MAC16_WORD(to, from, at) \
    MIDGE_MAC16_BYTES(MIDGE_MAC16_N(to) << 4 | 2, 0x20 | MIDGE_MAC16_N(from), (at) / 4)

#endif

/* A word near a pointer of loads, `at` bytes behind what it loaded last. */
#define MIDGE_MAC16_WORD_BEYOND(to, from, at) MIDGE_MAC16_WORD(to, from, at)
#define MIDGE_MAC16_LOOP_END "8:\n"
#define MIDGE_MAC16_BLOCK "1:\n"
#define MIDGE_MAC16_AGAIN(times) "addi " MIDGE_MAC16_R(times) ", " MIDGE_MAC16_R(times) ", -1\n" \
    "bnez " MIDGE_MAC16_R(times) ", 1b\n"
#define MIDGE_MAC16_IF_BELOW(a, b) "bgeu " MIDGE_MAC16_R(a) ", " MIDGE_MAC16_R(b) ", 2f\n"
#define MIDGE_MAC16_END_IF "2:\n"
#define MIDGE_MAC16_ZERO(to) "movi " MIDGE_MAC16_R(to) ", 0\n"
#define MIDGE_MAC16_MOVE(to, from) "mov " MIDGE_MAC16_R(to) ", " MIDGE_MAC16_R(from) "\n"
#define MIDGE_MAC16_ADD(to, a, b) "add " MIDGE_MAC16_R(to) ", " MIDGE_MAC16_R(a) ", " MIDGE_MAC16_R(b) "\n"
#define MIDGE_MAC16_TAKE(to, a, b) "sub " MIDGE_MAC16_R(to) ", " MIDGE_MAC16_R(a) ", " MIDGE_MAC16_R(b) "\n"
#define MIDGE_MAC16_PRODUCT(to, a, b) "mull " MIDGE_MAC16_R(to) ", " MIDGE_MAC16_R(a) ", " MIDGE_MAC16_R(b) "\n"
/* Shifted right by as much as MIDGE_MAC16_SHIFT_BY has said, and by 24. */
#define MIDGE_MAC16_SHIFT_BY(a) "ssr " MIDGE_MAC16_R(a) "\n"
#define MIDGE_MAC16_SHIFT(to, a) "srl " MIDGE_MAC16_R(to) ", " MIDGE_MAC16_R(a) "\n"
#define MIDGE_MAC16_TOP_BYTE(to, a) "extui " MIDGE_MAC16_R(to) ", " MIDGE_MAC16_R(a) ", 24, 8\n"
#define MIDGE_MAC16_BYTE_TO(to, a) "s8i " MIDGE_MAC16_R(a) ", " MIDGE_MAC16_R(to) ", 0\n"
#define MIDGE_MAC16_WORD_TO(to, a) "s32i " MIDGE_MAC16_R(a) ", " MIDGE_MAC16_R(to) ", 0\n"
/* A pointer to bytes, one to words, and one of loads, moved on by literal
 * bytes; the first two by a register's. */
#define MIDGE_MAC16_ADVANCE_BYTES(p, bytes) \
    "addi " MIDGE_MAC16_R(p) ", " MIDGE_MAC16_R(p) ", " MIDGE_MAC16_TEXT(bytes) "\n"
#define MIDGE_MAC16_ADVANCE(p, bytes) MIDGE_MAC16_ADVANCE_BYTES(p, bytes)
#define MIDGE_MAC16_STEP(p, a) MIDGE_MAC16_ADD(p, p, a)
#define MIDGE_MAC16_STEP_BYTES(p, a) MIDGE_MAC16_ADD(p, p, a)

/* clang-format on */

#endif
