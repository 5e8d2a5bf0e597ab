/* CRC-32 as in IEEE 802.3 and zlib: reflected polynomial 0xEDB88320, initial value and final xor all ones. */
#ifndef MIDGE_LINK_CRC_H
#define MIDGE_LINK_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC over `size` more bytes, given the CRC of what came before them (0 at the start). */
uint32_t midge_crc32(uint32_t before, const uint8_t *data, size_t size);

#endif
