// Made by native/sbox/network.cc: do not edit. How P and E of DES become three stages of exchanges of registers
// (des_shuffle_kernel.h).
#pragma once

namespace floatgate {

// Which box's output goes into each register, and which box's input comes out of it.
inline constexpr int kNetworkIn[8] = {7, 2, 1, 4, 6, 0, 3, 5};
inline constexpr int kNetworkOut[8] = {7, 2, 4, 1, 3, 6, 0, 5};
// Which of the twelve switches exchange, for each of six planes: bit 4 s + i is stage s, switch i.
inline constexpr int kNetworkSettings[6] = {434, 521, 2553, 3604, 1965, 4070};

}  // namespace floatgate
