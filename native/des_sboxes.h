// The S-boxes of DES as circuits of vector instructions. Written by sbox/generate.mjs; sbox/prove.cc proves it.
//
// A box takes its six bits, first bit first, and XORs its four into the other half's. Counted are all instructions.
#pragma once

#include <cstdint>

namespace floatgate {

// Of AND, OR, XOR and AND-NOT. Bit i of kInverted: output i of that box is XORed in as its complement.
// 417 instructions: 59, 50, 52, 43, 58, 51, 54, 50.
template <class M>
struct DesBoxes2 {
  using V = typename M::V;
  static constexpr uint8_t kInverted[8] = {7, 15, 5, 14, 4, 3, 2, 11};
  static constexpr int kInstructions[8] = {59, 50, 52, 43, 58, 51, 54, 50};

  static inline __attribute__((always_inline)) void Box1(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g6 = x5 & x4;
    V g8 = x2 ^ x4;
    V g7 = x3 ^ g6;
    V g9 = g7 | g8;
    V g10 = ~x3 & g9;
    V g11 = g10 ^ x5;
    V g12 = ~g11 & x3;
    V g13 = x4 ^ g12;
    V g20 = ~g6 & g13;
    V g21 = g20 | g8;
    V g14 = ~x2 & g13;
    V g15 = ~x0 & g11;
    V g16 = g15 ^ g7;
    V g17 = g14 ^ g16;
    V g18 = g17 ^ x2;
    V g19 = g11 ^ g18;
    V g27 = g19 | g15;
    V g22 = g18 ^ x0;
    V g36 = ~x2 & g22;
    V g37 = ~g36 & g7;
    V g28 = g27 | x0;
    V g23 = g21 ^ g22;
    V g24 = g19 ^ g23;
    V g34 = g23 | x3;
    V g35 = ~x1 & g34;
    V g38 = g35 ^ g37;
    V g29 = g28 ^ g21;
    V g25 = ~g24 & g22;
    V g30 = ~g29 & x1;
    V g40 = g17 ^ g30;
    y1 = y1 ^ g40;
    V g31 = g30 | g18;
    V g26 = x5 | g25;
    V g32 = g26 ^ g31;
    V g45 = ~g28 & x1;
    V g33 = ~x4 & g32;
    V g39 = g33 ^ g38;
    y0 = y0 ^ g39;
    V g41 = g9 ^ g39;
    V g42 = g30 | g41;
    V g51 = ~g6 & g42;
    V g43 = g42 ^ g39;
    V g44 = g43 ^ g27;
    V g48 = x4 | g43;
    V g46 = g44 | g45;
    V g47 = x3 | g46;
    V g52 = ~g25 & g51;
    V g53 = g32 | g52;
    V g49 = ~g48 & g47;
    V g50 = x1 | g49;
    V g54 = ~g50 & g53;
    V g55 = g54 ^ g24;
    V g56 = g47 ^ g55;
    y3 = y3 ^ g56;
    V g57 = g56 ^ g40;
    V g58 = g57 ^ g51;
    V g59 = g48 ^ g58;
    V g60 = g50 ^ g59;
    y2 = y2 ^ g60;
  }

  static inline __attribute__((always_inline)) void Box2(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g7 = x0 ^ x5;
    V g8 = x4 ^ g7;
    V g15 = g7 | x0;
    V g9 = ~g8 & x0;
    V g6 = x0 ^ x3;
    V g10 = ~g9 & x4;
    V g13 = g10 & x0;
    V g14 = x2 | g13;
    V g20 = g14 ^ g8;
    V g16 = g14 | g15;
    V g19 = g10 & x3;
    V g21 = g19 ^ g20;
    V g11 = g10 ^ g6;
    V g12 = g6 & g11;
    V g17 = g12 ^ g16;
    V g18 = g17 & x1;
    V g22 = g18 ^ g21;
    y0 = y0 ^ g22;
    V g23 = ~x5 & g21;
    V g24 = x1 ^ g23;
    V g25 = g19 ^ g24;
    V g28 = ~x0 & g25;
    V g38 = g11 ^ g28;
    V g39 = ~x1 & g38;
    V g27 = g22 | g9;
    V g29 = g27 ^ g28;
    V g30 = x1 & g29;
    V g36 = ~x4 & g27;
    V g37 = g36 ^ g15;
    V g40 = g37 ^ g39;
    V g41 = ~g25 & g9;
    V g42 = g41 | x2;
    V g43 = g40 ^ g42;
    y3 = y3 ^ g43;
    V g26 = x2 | g25;
    V g31 = g30 ^ g26;
    V g32 = g31 | x5;
    V g33 = g6 ^ x4;
    V g34 = g32 ^ g33;
    V g35 = g26 ^ g34;
    y1 = y1 ^ g35;
    V g44 = g43 ^ g34;
    V g45 = ~g44 & g16;
    V g48 = ~g6 & g45;
    V g49 = g48 | x3;
    V g50 = ~x4 & g49;
    V g46 = ~x2 & g45;
    V g47 = g46 ^ g24;
    V g51 = g47 ^ g50;
    y2 = y2 ^ g51;
  }

  static inline __attribute__((always_inline)) void Box3(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g26 = x3 ^ x1;
    V g27 = g26 ^ x5;
    V g14 = x0 ^ x5;
    V g6 = ~x5 & x3;
    V g13 = x1 & x2;
    V g15 = g13 ^ g14;
    V g7 = g6 ^ x2;
    V g8 = g7 ^ x4;
    V g9 = g8 ^ x3;
    V g10 = g9 ^ g6;
    V g16 = ~g9 & g15;
    V g17 = ~g16 & x1;
    V g18 = g17 ^ g8;
    V g35 = g10 | g16;
    V g11 = g8 ^ g10;
    V g49 = ~g10 & x4;
    V g12 = x1 | g11;
    V g36 = ~g7 & g35;
    V g50 = g27 ^ g49;
    V g37 = ~g36 & x4;
    V g51 = g50 ^ g18;
    V g52 = ~g51 & x0;
    V g53 = g50 ^ g52;
    y3 = y3 ^ g53;
    V g19 = ~x0 & g18;
    V g20 = g19 & x1;
    V g21 = g20 | x2;
    V g44 = x2 | g35;
    V g22 = g12 ^ g14;
    V g29 = g22 | g18;
    V g30 = g29 ^ g27;
    V g39 = g35 & g30;
    V g40 = ~g21 & g39;
    V g23 = g21 ^ g22;
    V g38 = g37 ^ g23;
    y1 = y1 ^ g38;
    V g24 = g12 | g23;
    V g28 = g27 & g24;
    V g31 = g28 | g30;
    V g32 = ~x3 & g31;
    V g33 = g15 ^ g32;
    V g45 = x4 ^ g31;
    V g25 = x4 & g24;
    V g46 = g22 ^ g45;
    V g47 = g44 ^ g46;
    V g34 = g25 ^ g33;
    y0 = y0 ^ g34;
    V g41 = ~g33 & g14;
    V g42 = g40 | g41;
    V g43 = ~g42 & x1;
    V g48 = g43 ^ g47;
    y2 = y2 ^ g48;
  }

  static inline __attribute__((always_inline)) void Box4(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g6 = ~x3 & x4;
    V g7 = x2 ^ g6;
    V g17 = x0 | x4;
    V g8 = ~x1 & g7;
    V g18 = g17 ^ g8;
    V g9 = g8 ^ x3;
    V g10 = g9 ^ x4;
    V g20 = g18 ^ x1;
    V g19 = g10 & g18;
    V g11 = g10 & g7;
    V g12 = g11 ^ x1;
    V g13 = ~g11 & g12;
    V g14 = g7 ^ g13;
    V g24 = ~g20 & x3;
    V g25 = g12 ^ g24;
    V g21 = g19 | g20;
    V g15 = x0 | g11;
    V g16 = x4 & g15;
    V g26 = ~g25 & x0;
    V g31 = g19 ^ g15;
    V g32 = ~x0 & g31;
    V g38 = g15 | g10;
    V g40 = g26 ^ g10;
    V g27 = g16 ^ g26;
    V g28 = ~g27 & x3;
    V g33 = g21 ^ g32;
    V g22 = ~g21 & g16;
    V g23 = g14 ^ g22;
    V g37 = g16 ^ g14;
    V g29 = g23 ^ g28;
    V g39 = g37 ^ g38;
    V g41 = x5 & g39;
    V g42 = g40 ^ g41;
    y3 = y3 ^ g42;
    V g43 = g39 ^ g42;
    V g44 = g43 ^ x5;
    y2 = y2 ^ g44;
    V g30 = x5 & g29;
    V g34 = g30 ^ g33;
    y1 = y1 ^ g34;
    V g35 = g29 ^ g34;
    V g36 = x5 ^ g35;
    y0 = y0 ^ g36;
  }

  static inline __attribute__((always_inline)) void Box5(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g6 = x5 ^ x2;
    V g7 = g6 ^ x3;
    V g8 = ~g6 & g7;
    V g9 = g8 ^ x5;
    V g10 = ~g9 & x0;
    V g11 = x0 ^ x2;
    V g16 = g11 ^ x3;
    V g17 = ~g16 & g10;
    V g18 = g17 ^ x3;
    V g37 = ~x1 & g11;
    V g12 = g9 & g11;
    V g13 = x4 | g12;
    V g14 = g10 ^ g13;
    V g19 = g18 | g12;
    V g20 = x1 & g19;
    V g15 = g14 ^ g7;
    V g21 = g15 ^ g20;
    y1 = y1 ^ g21;
    V g22 = g21 | x0;
    V g23 = x2 & g22;
    V g47 = ~g8 & g22;
    V g38 = ~g23 & g7;
    V g24 = g23 ^ g16;
    V g25 = g24 & g6;
    V g26 = g12 | g25;
    V g27 = g9 ^ g26;
    V g34 = g26 | x1;
    V g28 = g16 | g27;
    V g29 = g28 ^ g25;
    V g30 = ~g29 & x1;
    V g31 = ~x0 & g27;
    V g32 = g30 ^ g31;
    V g33 = ~g32 & x4;
    V g48 = g47 ^ g33;
    V g35 = g33 ^ g34;
    V g39 = g24 ^ g35;
    y2 = y2 ^ g39;
    V g36 = ~g35 & x0;
    V g49 = x1 | g48;
    V g40 = g21 ^ g39;
    V g41 = g40 ^ g25;
    V g42 = g38 | g41;
    V g43 = g37 | g42;
    V g44 = ~x4 & g43;
    V g45 = ~g39 & g41;
    V g46 = g27 ^ g45;
    V g50 = g46 ^ g49;
    V g51 = g44 ^ g50;
    y3 = y3 ^ g51;
    V g56 = ~g51 & g14;
    V g57 = g56 ^ g40;
    V g52 = g36 | g51;
    V g53 = ~x1 & g52;
    V g54 = g53 | g18;
    V g55 = ~g54 & g23;
    V g58 = g53 ^ g57;
    V g59 = g55 ^ g58;
    y0 = y0 ^ g59;
  }

  static inline __attribute__((always_inline)) void Box6(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g6 = x0 ^ x4;
    V g7 = g6 ^ x3;
    V g10 = g7 ^ x5;
    V g11 = x1 ^ g10;
    V g18 = x4 & g10;
    V g12 = x5 ^ g11;
    V g13 = x4 | g12;
    V g14 = ~x1 & g13;
    V g33 = x3 & g13;
    V g8 = ~x0 & g7;
    V g28 = x3 & g8;
    V g9 = g8 ^ g6;
    V g15 = ~g14 & g9;
    V g19 = ~g9 & x0;
    V g20 = ~g19 & x2;
    V g21 = ~g6 & g20;
    V g22 = g21 ^ g9;
    V g23 = g22 & x5;
    V g16 = ~g15 & x5;
    V g17 = g7 ^ g16;
    V g24 = g11 | g23;
    V g25 = g18 ^ g24;
    V g26 = ~x2 & g25;
    V g27 = g17 ^ g26;
    y0 = y0 ^ g27;
    V g29 = g8 | g27;
    V g30 = ~g29 & x5;
    V g31 = g30 ^ g7;
    V g39 = g12 | g30;
    V g32 = g31 ^ g15;
    V g50 = ~x2 & g31;
    V g51 = ~g50 & x1;
    V g34 = ~g33 & g32;
    V g35 = x2 | g34;
    V g36 = g32 ^ g35;
    V g40 = g35 ^ g39;
    V g37 = g36 ^ g11;
    V g38 = g28 ^ g37;
    y1 = y1 ^ g38;
    V g41 = ~g18 & g40;
    V g42 = g19 | g41;
    V g43 = g42 ^ g40;
    V g44 = g27 | g6;
    V g45 = g44 ^ g20;
    V g46 = g23 ^ g45;
    V g52 = g51 ^ g46;
    y3 = y3 ^ g52;
    V g47 = ~g20 & g46;
    V g48 = g11 ^ g47;
    V g49 = g43 ^ g48;
    y2 = y2 ^ g49;
  }

  static inline __attribute__((always_inline)) void Box7(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g11 = x5 ^ x2;
    V g14 = ~x3 & x1;
    V g13 = g11 ^ x0;
    V g15 = g13 ^ g14;
    V g16 = ~g15 & g11;
    V g6 = x3 | x0;
    V g12 = g11 ^ g6;
    V g17 = ~x0 & g16;
    V g18 = g17 ^ x2;
    V g31 = g13 ^ g18;
    V g32 = x2 | g31;
    V g43 = x3 & g31;
    V g7 = ~x1 & g6;
    V g46 = ~g16 & g7;
    V g8 = ~g7 & g6;
    V g9 = x0 ^ g7;
    V g10 = g9 ^ x3;
    V g19 = g10 ^ g18;
    V g20 = x0 & g19;
    V g47 = ~g20 & g13;
    V g21 = ~g20 & x5;
    V g48 = ~g47 & x1;
    V g49 = g46 ^ g48;
    V g22 = g12 ^ g21;
    V g26 = g22 & x3;
    V g23 = g22 | x1;
    V g24 = g10 ^ g23;
    V g25 = g8 & x5;
    V g27 = g25 ^ g26;
    V g44 = ~g27 & g43;
    V g28 = g27 | x4;
    V g45 = ~g44 & x4;
    V g50 = g45 ^ g49;
    y1 = y1 ^ g50;
    V g29 = g24 ^ g28;
    V g30 = g29 ^ g21;
    y3 = y3 ^ g30;
    V g51 = ~x5 & g24;
    V g52 = x0 & g51;
    V g53 = g9 ^ g52;
    V g54 = g53 | x4;
    V g33 = g30 ^ g32;
    V g40 = x5 & g32;
    V g41 = g40 ^ g19;
    V g35 = ~g33 & x5;
    V g36 = g15 ^ g35;
    V g55 = g36 ^ g54;
    y2 = y2 ^ g55;
    V g37 = g36 & g7;
    V g34 = ~g33 & g8;
    V g38 = g34 ^ g37;
    V g39 = ~g38 & x4;
    V g42 = g39 ^ g41;
    y0 = y0 ^ g42;
  }

  static inline __attribute__((always_inline)) void Box8(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g7 = ~x3 & x1;
    V g6 = x2 ^ x0;
    V g8 = g6 ^ g7;
    V g9 = g6 | x1;
    V g14 = x0 & g9;
    V g10 = x4 ^ g9;
    V g11 = g10 & g6;
    V g20 = g11 | x3;
    V g12 = ~g11 & x0;
    V g34 = ~x4 & x2;
    V g13 = ~x2 & g12;
    V g15 = g14 & x3;
    V g16 = g13 ^ g15;
    V g22 = ~x0 & g10;
    V g17 = ~g16 & x0;
    V g32 = g16 | x5;
    V g18 = g17 ^ g10;
    V g19 = ~x1 & g18;
    V g21 = g19 ^ g20;
    V g28 = x1 | g22;
    V g29 = ~g28 & g12;
    V g30 = x5 | g29;
    V g23 = g21 & g22;
    V g24 = ~g23 & x3;
    V g31 = g24 ^ g28;
    V g33 = g31 ^ g32;
    V g35 = g33 ^ g34;
    y1 = y1 ^ g35;
    V g36 = g18 ^ g35;
    V g37 = g30 ^ g36;
    V g25 = g24 ^ g14;
    V g26 = x4 | g25;
    V g27 = g8 ^ g26;
    V g46 = g8 ^ g10;
    V g47 = g46 ^ g14;
    V g38 = ~g37 & g10;
    V g39 = ~x3 & g38;
    V g40 = g17 ^ g39;
    V g41 = x5 | g40;
    V g42 = g21 ^ g41;
    V g45 = ~x5 & g35;
    V g48 = g45 | g47;
    V g49 = g48 | x3;
    V g50 = g37 ^ g49;
    y2 = y2 ^ g50;
    V g43 = g42 | x5;
    V g44 = g27 ^ g43;
    y0 = y0 ^ g44;
    V g51 = g44 ^ g42;
    y3 = y3 ^ g51;
  }
};

// Of any functions of three inputs, which M::Lut computes: bit (a << 2 | b << 1 | c) of its number.
// 234 instructions: 31, 31, 29, 24, 31, 29, 30, 29.
template <class M>
struct DesBoxes3 {
  using V = typename M::V;
  static constexpr uint8_t kInverted[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  static constexpr int kInstructions[8] = {31, 31, 29, 24, 31, 29, 30, 29};

  static inline __attribute__((always_inline)) void Box1(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g6 = M::template Lut<0x86>(x3, x4, x5);
    V g9 = M::template Lut<0x96>(x4, x5, x0);
    V g7 = M::template Lut<0xe6>(x4, x0, x3);
    V g8 = M::template Lut<0x87>(g7, x5, x0);
    V g10 = M::template Lut<0x6d>(g6, g8, g9);
    V g11 = M::template Lut<0xda>(g10, g9, x1);
    V g12 = M::template Lut<0xd2>(g6, x1, g7);
    V g16 = M::template Lut<0x35>(g6, x1, g11);
    V g13 = M::template Lut<0xd8>(g11, g12, x2);
    y0 = y0 ^ g13;
    V g14 = M::template Lut<0xe5>(x1, g9, g8);
    V g15 = M::template Lut<0x92>(g14, g12, x5);
    V g17 = M::template Lut<0xca>(x3, g15, g16);
    V g22 = M::template Lut<0x34>(g12, x0, g17);
    V g24 = M::template Lut<0xac>(g16, x5, x4);
    V g21 = M::template Lut<0x2a>(g9, g7, g15);
    V g18 = M::template Lut<0x59>(g15, x5, x1);
    V g23 = M::template Lut<0x38>(g21, g22, g7);
    V g25 = M::template Lut<0x5c>(g24, g14, g23);
    V g26 = M::template Lut<0xe2>(g25, x2, g23);
    y3 = y3 ^ g26;
    V g19 = M::template Lut<0x7a>(g7, x4, g18);
    V g20 = M::template Lut<0xe4>(g17, g19, x2);
    y1 = y1 ^ g20;
    V g28 = M::template Lut<0x36>(g8, x2, g22);
    V g29 = M::template Lut<0x18>(g22, g23, g28);
    V g27 = M::template Lut<0x96>(g20, g13, g26);
    V g31 = M::template Lut<0xca>(x4, g28, g27);
    V g30 = M::template Lut<0x8e>(g27, g18, g29);
    V g32 = M::template Lut<0xd8>(g30, g31, x1);
    y2 = y2 ^ g32;
  }

  static inline __attribute__((always_inline)) void Box2(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g9 = M::template Lut<0x94>(x2, x1, x5);
    V g10 = M::template Lut<0x9a>(g9, x0, x4);
    V g15 = M::template Lut<0xc9>(g10, g9, x4);
    V g6 = M::template Lut<0xb6>(x1, x2, x3);
    V g7 = M::template Lut<0x69>(x5, x3, g6);
    V g8 = M::template Lut<0xb4>(g7, x4, x3);
    V g20 = M::template Lut<0x1e>(x4, x2, g7);
    V g11 = M::template Lut<0xb9>(g7, g10, x2);
    V g12 = M::template Lut<0x65>(x5, g8, g11);
    V g14 = M::template Lut<0xb2>(g9, x1, g11);
    V g13 = M::template Lut<0xe2>(g12, x0, g8);
    V g16 = M::template Lut<0xa6>(g14, g15, x3);
    V g17 = M::template Lut<0xb8>(g13, x1, g16);
    y0 = y0 ^ g17;
    V g18 = M::template Lut<0x69>(g17, g12, x0);
    V g19 = M::template Lut<0x67>(x2, g18, g14);
    V g21 = M::template Lut<0x58>(g20, g19, x0);
    V g22 = M::template Lut<0x72>(g18, g21, g14);
    V g24 = M::template Lut<0x8d>(g15, g8, g22);
    V g23 = M::template Lut<0xe4>(g22, g21, x3);
    y1 = y1 ^ g23;
    V g27 = M::template Lut<0xac>(x3, g14, g10);
    V g25 = M::template Lut<0x97>(g6, g19, g24);
    V g30 = M::template Lut<0xca>(x1, g11, g25);
    V g26 = M::template Lut<0xe1>(g7, g25, g10);
    V g28 = M::template Lut<0xe4>(g26, g27, x0);
    y2 = y2 ^ g28;
    V g29 = M::template Lut<0x79>(g24, g16, g10);
    V g31 = M::template Lut<0xb8>(g10, g19, g30);
    V g32 = M::template Lut<0xac>(x0, g29, g31);
    y3 = y3 ^ g32;
  }

  static inline __attribute__((always_inline)) void Box3(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g6 = M::template Lut<0x69>(x4, x5, x3);
    V g7 = M::template Lut<0x75>(g6, x0, x4);
    V g8 = M::template Lut<0x98>(x5, g7, x1);
    V g9 = M::template Lut<0x69>(g7, g6, g8);
    V g11 = M::template Lut<0x96>(x5, x2, x1);
    V g13 = M::template Lut<0x8b>(g9, x4, g11);
    V g18 = M::template Lut<0x47>(x4, x5, g9);
    V g19 = M::template Lut<0x1e>(x3, g11, g18);
    V g10 = M::template Lut<0xe2>(g9, x2, g6);
    V g12 = M::template Lut<0x6e>(g11, g10, x3);
    V g25 = M::template Lut<0x18>(g8, g12, g19);
    V g26 = M::template Lut<0xec>(g18, g25, x2);
    V g28 = M::template Lut<0xa4>(g9, g26, g6);
    V g23 = M::template Lut<0x40>(g8, g6, x2);
    V g14 = M::template Lut<0x96>(x2, g13, x0);
    V g15 = M::template Lut<0x65>(g13, g14, g6);
    V g16 = M::template Lut<0xca>(x1, g12, g15);
    V g27 = M::template Lut<0xb8>(g26, x0, g16);
    y2 = y2 ^ g27;
    V g17 = M::template Lut<0x8a>(x5, g16, x3);
    V g24 = M::template Lut<0xa6>(g23, g14, g17);
    y1 = y1 ^ g24;
    V g20 = M::template Lut<0x28>(g6, g14, g19);
    V g21 = M::template Lut<0xdc>(g17, g20, g10);
    V g22 = M::template Lut<0xe4>(g10, g21, x0);
    y0 = y0 ^ g22;
    V g29 = M::template Lut<0x7c>(g19, g28, g21);
    V g30 = M::template Lut<0xac>(x0, g13, g29);
    y3 = y3 ^ g30;
  }

  static inline __attribute__((always_inline)) void Box4(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g9 = M::template Lut<0x69>(x3, x0, x4);
    V g6 = M::template Lut<0x27>(x1, x0, x2);
    V g8 = M::template Lut<0x76>(x3, x1, x0);
    V g7 = M::template Lut<0xda>(g6, x1, x3);
    V g10 = M::template Lut<0x81>(x3, g8, x2);
    V g11 = M::template Lut<0x39>(x1, g9, g10);
    V g12 = M::template Lut<0xda>(x0, g7, g11);
    V g22 = M::template Lut<0x37>(g11, g12, x2);
    V g13 = M::template Lut<0x63>(g12, x2, x4);
    V g14 = M::template Lut<0x58>(g8, g7, g13);
    V g20 = M::template Lut<0xe3>(g6, g13, x1);
    V g21 = M::template Lut<0xca>(g20, g9, g11);
    V g15 = M::template Lut<0x74>(g11, g7, g10);
    V g16 = M::template Lut<0xf8>(g14, g10, g15);
    V g23 = M::template Lut<0xd1>(g22, x1, g15);
    V g17 = M::template Lut<0x9a>(g15, x4, g7);
    V g25 = M::template Lut<0xe4>(g21, g23, x5);
    y3 = y3 ^ g25;
    V g24 = M::template Lut<0x72>(g21, g23, x5);
    y2 = y2 ^ g24;
    V g18 = M::template Lut<0xd8>(g16, g17, x5);
    y0 = y0 ^ g18;
    V g19 = M::template Lut<0x74>(g17, x5, g16);
    y1 = y1 ^ g19;
  }

  static inline __attribute__((always_inline)) void Box5(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g7 = M::template Lut<0x9e>(x3, x5, x2);
    V g6 = M::template Lut<0xe9>(x3, x5, x0);
    V g12 = M::template Lut<0x64>(x0, x2, g6);
    V g8 = M::template Lut<0x86>(x4, x0, g7);
    V g13 = M::template Lut<0xb4>(x2, g6, g8);
    V g14 = M::template Lut<0xb8>(g8, x4, g13);
    V g15 = M::template Lut<0x36>(x3, g14, g12);
    V g16 = M::template Lut<0xd8>(g14, g15, x1);
    y1 = y1 ^ g16;
    V g17 = M::template Lut<0xa1>(g12, g16, x4);
    V g27 = M::template Lut<0xce>(g15, x2, g17);
    V g18 = M::template Lut<0xe1>(g17, g7, x0);
    V g19 = M::template Lut<0x79>(g18, x1, x5);
    V g28 = M::template Lut<0x41>(g27, g19, x0);
    V g20 = M::template Lut<0xb6>(x1, x4, g12);
    V g21 = M::template Lut<0x60>(x0, g20, x3);
    y2 = M::template Lut<0x56>(g28, g21, y2);
    V g9 = M::template Lut<0xa9>(g6, g8, x4);
    V g10 = M::template Lut<0x35>(x3, g8, g9);
    V g11 = M::template Lut<0xd8>(g9, g10, x1);
    V g22 = M::template Lut<0x81>(g13, g21, g11);
    V g23 = M::template Lut<0x6e>(g6, x1, g22);
    V g31 = M::template Lut<0xf2>(g8, g21, g23);
    V g24 = M::template Lut<0x16>(g16, g22, g12);
    V g25 = M::template Lut<0x3a>(g23, g19, g24);
    V g26 = M::template Lut<0xd8>(g11, g25, x5);
    y0 = y0 ^ g26;
    V g30 = M::template Lut<0x63>(g14, g19, g24);
    V g32 = M::template Lut<0xe2>(g30, x5, g31);
    V g33 = M::template Lut<0xe2>(g32, x4, g24);
    y3 = y3 ^ g33;
  }

  static inline __attribute__((always_inline)) void Box6(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g6 = M::template Lut<0x69>(x3, x0, x4);
    V g23 = M::template Lut<0x96>(g6, x5, x2);
    V g7 = M::template Lut<0x63>(x4, x1, g6);
    V g8 = M::template Lut<0xe2>(g6, x2, g7);
    V g9 = M::template Lut<0x70>(g6, g8, x3);
    V g10 = M::template Lut<0x7e>(x4, g8, g7);
    V g11 = M::template Lut<0x69>(g9, x2, g10);
    V g12 = M::template Lut<0x8e>(g8, g11, g10);
    V g13 = M::template Lut<0xe4>(g12, g8, x5);
    y0 = y0 ^ g13;
    V g20 = M::template Lut<0x25>(g8, x3, x4);
    V g15 = M::template Lut<0x16>(x3, x5, g10);
    V g16 = M::template Lut<0xde>(g10, x0, g15);
    V g17 = M::template Lut<0xd6>(x5, g7, g16);
    V g14 = M::template Lut<0xb3>(x0, x2, x4);
    V g25 = M::template Lut<0x78>(g15, g11, g14);
    V g18 = M::template Lut<0x92>(x0, g17, x4);
    V g19 = M::template Lut<0x2e>(g18, g14, x1);
    V g21 = M::template Lut<0x71>(g20, g9, g19);
    V g22 = M::template Lut<0xac>(x2, g21, g17);
    y3 = y3 ^ g22;
    V g27 = M::template Lut<0x58>(g19, g16, g23);
    V g24 = M::template Lut<0xed>(g14, g23, g22);
    V g26 = M::template Lut<0x98>(g24, x1, g25);
    y1 = y1 ^ g26;
    V g28 = M::template Lut<0xeb>(g22, g16, g7);
    V g29 = M::template Lut<0x68>(g28, g13, g25);
    V g30 = M::template Lut<0xb8>(g27, x4, g29);
    y2 = y2 ^ g30;
  }

  static inline __attribute__((always_inline)) void Box7(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g7 = M::template Lut<0x9b>(x2, x4, x3);
    V g9 = M::template Lut<0x96>(x0, x5, g7);
    V g6 = M::template Lut<0x39>(x4, x0, x3);
    V g8 = M::template Lut<0x53>(g6, x2, g7);
    V g10 = M::template Lut<0xca>(x5, g8, g9);
    V g11 = M::template Lut<0x9b>(g10, x2, g9);
    V g15 = M::template Lut<0xb1>(g7, g11, g6);
    V g12 = M::template Lut<0xb8>(g11, x1, g10);
    y3 = y3 ^ g12;
    V g13 = M::template Lut<0x3e>(g9, g6, g12);
    V g25 = M::template Lut<0xb2>(g12, g13, x4);
    V g14 = M::template Lut<0xe0>(g13, x4, g11);
    V g26 = M::template Lut<0xe4>(g25, g15, x3);
    V g16 = M::template Lut<0xc6>(g14, g15, x5);
    V g17 = M::template Lut<0x7a>(g16, g11, x5);
    V g18 = M::template Lut<0x96>(g17, g8, g15);
    V g19 = M::template Lut<0x9e>(g18, x3, x0);
    V g20 = M::template Lut<0xca>(x2, g16, g19);
    V g21 = M::template Lut<0xe4>(g18, g20, x1);
    y0 = y0 ^ g21;
    V g22 = M::template Lut<0xe5>(g19, g16, g15);
    V g23 = M::template Lut<0x78>(g11, x3, g22);
    V g24 = M::template Lut<0xe2>(g14, x0, g23);
    V g28 = M::template Lut<0x96>(g15, g6, g24);
    V g27 = M::template Lut<0xe4>(g24, g26, x1);
    y1 = y1 ^ g27;
    V g29 = M::template Lut<0xe9>(x5, g10, g28);
    V g31 = M::template Lut<0x80>(x3, g28, g22);
    V g30 = M::template Lut<0x86>(g22, x1, g29);
    y2 = M::template Lut<0x56>(g30, g31, y2);
  }

  static inline __attribute__((always_inline)) void Box8(V x0, V x1, V x2, V x3, V x4, V x5, V& y0, V& y1,
                                                          V& y2, V& y3) {
    V g6 = M::template Lut<0xd2>(x3, x1, x5);
    V g7 = M::template Lut<0x5c>(x4, x2, g6);
    V g8 = M::template Lut<0x9e>(g7, x1, x5);
    V g9 = M::template Lut<0xba>(x0, g8, x4);
    V g10 = M::template Lut<0x65>(g9, x2, g6);
    V g16 = M::template Lut<0x8e>(g6, x2, g8);
    V g14 = M::template Lut<0x96>(g7, x5, x4);
    V g11 = M::template Lut<0xc2>(g10, g8, g7);
    V g20 = M::template Lut<0xd8>(g10, g14, x1);
    V g15 = M::template Lut<0x71>(g14, g11, g7);
    V g17 = M::template Lut<0xd8>(g16, g15, x1);
    V g12 = M::template Lut<0xb4>(g7, g8, x4);
    V g13 = M::template Lut<0xe1>(g11, g12, x4);
    V g19 = M::template Lut<0xe9>(g15, g7, g13);
    V g18 = M::template Lut<0xb8>(g13, x0, g17);
    y0 = y0 ^ g18;
    V g21 = M::template Lut<0xe2>(g19, x0, g20);
    y1 = y1 ^ g21;
    V g22 = M::template Lut<0xc3>(g21, g18, g18);
    V g23 = M::template Lut<0xb4>(x4, g12, g22);
    V g24 = M::template Lut<0xe4>(g23, g8, x5);
    V g25 = M::template Lut<0x71>(g17, g20, g24);
    V g26 = M::template Lut<0xca>(x0, g25, g24);
    y2 = y2 ^ g26;
    V g27 = M::template Lut<0xc7>(g20, x5, g26);
    V g28 = M::template Lut<0x91>(g25, g26, g22);
    V g29 = M::template Lut<0x69>(g22, g26, g24);
    V g30 = M::template Lut<0x35>(g27, g28, g29);
    y3 = M::template Lut<0x96>(x1, g30, y3);
  }
};

}  // namespace floatgate
