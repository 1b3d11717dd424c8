// The anti-replay window of 32-bit sequence numbers (RFC 4303 section 3.4.3); src/esp/replay.ts is its
// oracle.
#pragma once

#include <cstdint>
#include <cstring>

namespace floatgate {

// Checking is apart from advancing: a number counts as seen only once its packet has proved to be authentic.
class ReplayWindow {
 public:
  static constexpr bool Allows(uint32_t size) {
    return size == 0 || size == 64 || size == 128 || size == 256;
  }

  // `size` is one that Allows() takes: packets, or 0 for no check.
  explicit ReplayWindow(uint32_t size) : size_(size) {}

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
        std::memset(seen_, 0, sizeof seen_);
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
  uint64_t& Word(uint32_t sequence) { return seen_[(sequence & (size_ - 1)) >> 6]; }
  bool Seen(uint32_t sequence) const { return (seen_[(sequence & (size_ - 1)) >> 6] & Bit(sequence)) != 0; }

  uint32_t size_;
  uint32_t highest_ = 0;
  uint64_t seen_[4] = {};
};

}  // namespace floatgate
