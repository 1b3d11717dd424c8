// The anti-replay window of 32-bit sequence numbers (RFC 4303 section 3.4.3); src/esp/replay.ts is its
// oracle.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace floatgate {

// Checking is apart from advancing: a number counts as seen only once its packet has proved to be authentic.
// The usual window of 64 has its bits in here, so that an SA is small; a wider one has them elsewhere.
class ReplayWindow {
 public:
  static constexpr bool Allows(uint32_t size) {
    return size == 0 || size == 64 || size == 128 || size == 256;
  }

  // `size` is one that Allows() takes: packets, or 0 for no check.
  explicit ReplayWindow(uint32_t size) : size_(size) {
    if (IsWide()) elsewhere_ = new uint64_t[size / 64]();
  }
  ReplayWindow(const ReplayWindow&) = delete;
  ReplayWindow& operator=(const ReplayWindow&) = delete;
  ~ReplayWindow() {
    if (IsWide()) delete[] elsewhere_;
  }

  uint32_t highest() const { return highest_; }

  // Whether a packet with this number may still be accepted. 0 is never sent, so it never may.
  bool Check(uint32_t sequence) const {
    if (size_ == 0) return true;
    if (sequence == 0) return false;
    if (sequence > highest_) return true;
    return highest_ - sequence < size_ && !Seen(sequence);
  }

  // Marks the number of an authentic packet that Check let pass.
  void Advance(uint32_t sequence) {
    if (sequence > highest_) {
      // Numbers skipped are not seen, and their places still hold what stood there a window ago.
      if (sequence - highest_ >= size_) {
        std::fill_n(Words(), (size_ + 63) / 64, 0);
      } else {
        for (uint32_t s = highest_ + 1; s != sequence; s++) Word(s) &= ~Bit(s);
      }
      highest_ = sequence;
    }
    if (size_ != 0) Word(sequence) |= Bit(sequence);
  }

 private:
  // One bit for each of the `size_` numbers up to `highest_`, at its number modulo `size_`.
  static uint64_t Bit(uint32_t sequence) { return uint64_t{1} << (sequence & 63); }
  bool IsWide() const { return size_ > 64; }
  uint64_t* Words() { return IsWide() ? elsewhere_ : &seen_; }
  const uint64_t* Words() const { return IsWide() ? elsewhere_ : &seen_; }
  size_t At(uint32_t sequence) const { return (sequence & (size_ - 1)) >> 6; }
  uint64_t& Word(uint32_t sequence) { return Words()[At(sequence)]; }
  bool Seen(uint32_t sequence) const { return (Words()[At(sequence)] & Bit(sequence)) != 0; }

  union {
    uint64_t seen_ = 0;
    uint64_t* elsewhere_;
  };
  uint32_t highest_ = 0;
  uint32_t size_;
};

}  // namespace floatgate
