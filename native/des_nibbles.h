// Made by native/sbox/nibbles.cc: do not edit. How P of DES becomes two stages of exchanges of registers
// (des_nibble_kernel.h).
#pragma once

namespace floatgate {

// Whose four bits are in each register, in the low half of its bytes and in the high one.
inline constexpr int kNibbleReaders[8] = {6, 4, 2, 0, 3, 1, 7, 5};
// Whose answers make each register, and how many planes at a time are the first one's.
inline constexpr int kNibbleSources[8] = {1, 0, 6, 7, 2, 5, 3, 4};
inline constexpr int kNibbleShift = 1;
// Which of the four switches exchange, for each of eight planes: 0 and 1, 2 and 3; then 0 and 2, 1 and 3.
inline constexpr int kNibbleSettings[8] = {8, 15, 6, 3, 8, 13, 7, 10};

}  // namespace floatgate
