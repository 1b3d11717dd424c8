// The native kernels, each by itself, for callgrind to count the instructions of: test/native/kernels.test.ts builds it,
// runs it under valgrind and compares with bench/instructions.json. valgrind has no AVX-512, so its kernels are not here.
//
//   kernels SEED    the seed makes keys and data, which must not change a count

#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../checksum.h"
#include "../p384.h"
#include "../replay.h"
#include "../suites.h"

using namespace floatgate;

namespace {

std::mt19937 dice;

void Roll(uint8_t* bytes, size_t count) {
  for (size_t i = 0; i < count; i++) bytes[i] = static_cast<uint8_t>(dice());
}

// The first time is not counted: functions of libraries are bound then.
template <class Work>
void Count(const std::string& name, Work work) {
  work();
  CALLGRIND_ZERO_STATS;
  work();
  CALLGRIND_DUMP_STATS_AT(name.c_str());
}

// Packets of one cipher, each under keys of its own.
struct Packets {
  static constexpr uint32_t kLength = 1400;
  std::vector<std::unique_ptr<Keys>> keys;
  std::vector<std::vector<uint8_t>> texts;
  std::vector<Job> jobs;
  std::vector<Job*> each;

  Packets(Cipher cipher, Direction direction, size_t count) : jobs(count) {
    for (size_t i = 0; i < count; i++) {
      uint8_t key[24], integrity[20];
      Roll(key, sizeof key);
      Roll(integrity, sizeof integrity);
      Keys& of = *keys.emplace_back(std::make_unique<Keys>());
      of.cipher = cipher;
      of.integrity = Integrity::Sha1;
      of.direction = direction;
      of.des->Expand({cipher, Integrity::Sha1, direction, key, integrity}, DesShuffleAvx2());
      auto& text = texts.emplace_back(8 + kLength);
      Roll(text.data(), text.size());
      jobs[i] = {.keys = &of,
                 .packet = nullptr,
                 .signed_length = 0,
                 .icv = nullptr,
                 .iv = text.data(),
                 .text = text.data() + 8,
                 .text_length = kLength,
                 .done = false};
      each.push_back(&jobs[i]);
    }
  }
};

void CountDes(const DesUnit* unit) {
  if (unit == nullptr) return;
  auto bitslice = Bitslice::Create(unit);
  for (size_t count : {1, 64}) {
    Packets in(Cipher::TripleDes, Direction::Decrypt, count);
    Count(std::string("3DES decryption, ") + unit->name + ", packets: " + std::to_string(count),
          [&] { bitslice->Decrypt(in.each.data(), count); });
  }
  for (size_t count : {64, 256}) {
    Packets out(Cipher::TripleDes, Direction::Encrypt, count);
    Count(std::string("3DES encryption, ") + unit->name + ", packets: " + std::to_string(count),
          [&] { bitslice->Encrypt(out.each.data(), count); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  dice.seed(argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 1);
  CountDes(DesPortable());
  CountDes(DesAvx2());
  if (auto shuffle = Shuffle::Create(DesShuffleAvx2())) {
    for (size_t count : {1, 64}) {
      Packets in(Cipher::TripleDes, Direction::Decrypt, count);
      Count("3DES decryption, shuffle, packets: " + std::to_string(count), [&] { shuffle->Decrypt(in.each.data(), count); });
    }
    for (size_t count : {16, 64}) {
      Packets out(Cipher::TripleDes, Direction::Encrypt, count);
      Count("3DES encryption, shuffle, packets: " + std::to_string(count), [&] { shuffle->Encrypt(out.each.data(), count); });
    }
  }

  uint8_t scalars[2][kP384Bytes], points[2][2 * kP384Bytes], x[kP384Bytes];
  for (uint8_t* scalar : scalars) Roll(scalar, kP384Bytes);
  // p384.cc multiplies in another way on processors with these instructions.
  const char* way = __builtin_cpu_supports("adx") && __builtin_cpu_supports("bmi2") ? " with ADX" : "";
  Count(std::string("P-384, public value") + way, [&] { P384Public(scalars[0], points[0]); });
  P384Public(scalars[1], points[1]);
  Count(std::string("P-384, shared secret") + way, [&] {
    if (!P384Shared(scalars[0], points[1], x)) std::abort();
  });

  std::vector<uint8_t> bytes(64 * 1401);
  Roll(bytes.data(), bytes.size());
  volatile uint64_t sum = 0;
  const bool avx2 = __builtin_cpu_supports("avx2");
  Count(avx2 ? "checksum by AVX2, packets of 1,400 bytes: 64" : "checksum, packets of 1,400 bytes: 64", [&] {
    for (size_t i = 0; i < 64; i++) sum = sum + SumBytes(bytes.data() + 1401 * i, 1400);
  });

  Count("replay window, numbers in order and out of it: 6,400", [&] {
    ReplayWindow window(128);
    for (uint32_t i = 1; i <= 6400; i++) {
      uint32_t sequence = i ^ (i & 8 ? 3 : 0);
      if (!window.Check(sequence)) continue;
      window.Advance(sequence);
      sum = sum + sequence;
    }
  });
  return 0;
}
