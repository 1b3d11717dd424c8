// Tests our own DES, in bit slices and in bytes, without Node; run by test/esp/bitslice.test.ts, and by hand with more packets.
//
//   des check [packets [seed]]   known answers, then random packets against OpenSSL: every way that this processor has
//   des secret                   for valgrind: the same work on keys and data that memcheck holds to be undefined, so
//                                that it tells of every branch and every address made from them
//   des leak                     the same with OpenSSL's DES, whose tables memcheck must complain of

#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define SECRET(at, size) VALGRIND_MAKE_MEM_UNDEFINED(at, size)
#define TOLD(at, size) VALGRIND_MAKE_MEM_DEFINED(at, size)
#else
#define SECRET(at, size) static_cast<void>(at)
#define TOLD(at, size) static_cast<void>(at)
#endif

#include "../des_nibble_kernel.h"
#include "../des_shuffle_kernel.h"
#include "../suites.h"

using namespace floatgate;

namespace {

std::mt19937 dice(1);
uint32_t Below(uint32_t limit) { return dice() % limit; }

[[noreturn]] void Fail(const char* what, const char* unit) {
  std::fprintf(stderr, "%s: %s\n", unit, what);
  std::exit(1);
}

// Bits that can be combined and moved but neither asked nor counted with: were the kernel to branch on one, or to
// index by one, it would not compile.
class Sealed {
 public:
  Sealed() = default;
  static Sealed Of(uint64_t word) { return Sealed(word); }
  void PutInto(uint64_t* at) const { *at = word_; }
  friend Sealed operator&(Sealed a, Sealed b) { return Sealed(a.word_ & b.word_); }
  friend Sealed operator|(Sealed a, Sealed b) { return Sealed(a.word_ | b.word_); }
  friend Sealed operator^(Sealed a, Sealed b) { return Sealed(a.word_ ^ b.word_); }
  friend Sealed operator-(Sealed a, Sealed b) { return Sealed(a.word_ - b.word_); }
  friend Sealed operator~(Sealed a) { return Sealed(~a.word_); }
  friend Sealed operator<<(Sealed a, int by) { return Sealed(a.word_ << by); }
  friend Sealed operator>>(Sealed a, int by) { return Sealed(a.word_ >> by); }

 private:
  explicit Sealed(uint64_t word) : word_(word) {}
  uint64_t word_;
};

template <template <class> class Circuits>
struct SealedMachine {
  using V = Sealed;
  using Boxes = Circuits<SealedMachine>;
  template <uint8_t Function>
  static V Lut(V a, V b, V c) {
    V result = Splat(0);
    for (int i = 0; i < 8; i++) {
      if (Function >> i & 1) result = result | ((i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c));
    }
    return result;
  }
  static V Splat(uint64_t word) { return Sealed::Of(word); }
  static V LoadWord(const uint64_t* at) { return Sealed::Of(*at); }
  static void StoreWord(uint64_t* at, V v) { v.PutInto(at); }
};
using Sealed2 = SealedMachine<DesBoxes2>;
using Sealed3 = SealedMachine<DesBoxes3>;
constexpr DesEncryptor kSealedEncryptors[] = {DesChain<Sealed2, Sealed2, 1>::kEncryptor,
                                              DesChain<Sealed3, Sealed3, 1>::kEncryptor};
constexpr DesUnit kSealed[] = {
    {"sealed, gates of two", &Des<Sealed2>::kDecryptor, 1, &kSealedEncryptors[0], 1},
    {"sealed, gates of three", &Des<Sealed3>::kDecryptor, 1, &kSealedEncryptors[1], 1},
};

// Sixteen bytes of the same kind, for DES in bytes.
struct SealedPair {
  Sealed low, high;
  friend SealedPair operator&(SealedPair a, SealedPair b) { return {a.low & b.low, a.high & b.high}; }
  friend SealedPair operator|(SealedPair a, SealedPair b) { return {a.low | b.low, a.high | b.high}; }
  friend SealedPair operator^(SealedPair a, SealedPair b) { return {a.low ^ b.low, a.high ^ b.high}; }
};

struct SealedBytes {
  using V = SealedPair;
  static constexpr bool kWordMatrix = false;

  static Sealed Bytes(uint8_t byte) { return Sealed::Of(uint64_t{0x0101010101010101} * byte); }
  static V Splat(uint8_t byte) { return {Bytes(byte), Bytes(byte)}; }
  template <class T>
  static const T* Hidden(const T* tables) {
    return tables;
  }
  static V Ready(V v) { return v; }
  static V LoadUnaligned(const void* at) {
    V v;
    std::memcpy(&v, at, sizeof v);
    return v;
  }
  static void StoreUnaligned(void* at, V v) { std::memcpy(at, &v, sizeof v); }
  static V Xor3(V a, V b, V c) { return a ^ b ^ c; }
  static void Exchange(V& a, V& b, V mask) {
    V differ = (a ^ b) & mask;
    a = a ^ differ;
    b = b ^ differ;
  }
  template <int By>
  static V Shift(V v) {
    if constexpr (By > 0) return {v.low << By, v.high << By};
    else return {v.low >> -By, v.high >> -By};
  }
  // Ones in each byte whose bit is one.
  static V Whole(V v, int bit) {
    auto whole = [&](Sealed word) {
      Sealed ones = word >> bit & Bytes(1);
      return (ones << 8) - ones;
    };
    return {whole(v.low), whole(v.high)};
  }

  static V Pick(V a, V b, V by) { return a ^ ((a ^ b) & Whole(by, 7)); }
  static V Look(const Sixteen& table, V index) {
    V left[16];
    for (int i = 0; i < 16; i++) left[i] = Splat(table.of[i]);
    for (int bit = 3; bit >= 0; bit--) {
      for (int i = 0; i < 1 << bit; i++) left[i] = left[i] ^ ((left[i] ^ left[i + (1 << bit)]) & Whole(index, bit));
    }
    return left[0];
  }

  static constexpr BoxAnswers Prepare(const BoxAnswers& answers) { return answers; }
  static V Box(const BoxAnswers& answers, V six) {
    V left[64];
    for (int i = 0; i < 64; i++) left[i] = Splat(answers.spread[answers.four[i]]);
    for (int bit = 5; bit >= 0; bit--) {
      V chosen = Whole(six, bit);
      for (int i = 0; i < 1 << bit; i++) left[i] = left[i] ^ ((left[i] ^ left[i + (1 << bit)]) & chosen);
    }
    return left[0];
  }
  static constexpr Images Prepare(const Images& images) { return images; }
  static V Map(const Images& images, V v) {
    V sum = {};
    for (int bit = 0; bit < 8; bit++) sum = sum ^ (Whole(v, bit) & Splat(images.of[bit]));
    return sum;
  }

  template <int Size>
  static Sealed Interleave(Sealed a, Sealed b) {
    auto spread = [](Sealed four) {
      four = four & Sealed::Of(0xffffffff);
      if constexpr (Size < 4) four = (four | four << 16) & Sealed::Of(0x0000ffff0000ffff);
      if constexpr (Size < 2) four = (four | four << 8) & Sealed::Of(0x00ff00ff00ff00ff);
      return four;
    };
    return spread(a) | spread(b) << (8 * Size);
  }
  template <int Size>
  static V Low(V a, V b) {
    return {Interleave<Size>(a.low, b.low), Interleave<Size>(a.low >> 32, b.low >> 32)};
  }
  template <int Size>
  static V High(V a, V b) {
    return {Interleave<Size>(a.high, b.high), Interleave<Size>(a.high >> 32, b.high >> 32)};
  }
  static void TransposeWords(V (&x)[2]) { std::swap(x[0].high, x[1].low); }
};
constexpr DesShuffle kSealedShuffles[] = {
    {"sealed, bytes", &DesSideBySide<DesBytes<SealedBytes>>::kOffer, 1, DesShuffleExpand},
    {"sealed, nibbles", &DesSideBySide<DesNibbles<SealedBytes>>::kOffer, 1, DesNibbleExpand},
};

constexpr size_t kMost = 1600;  // bytes of text
constexpr size_t kGuard = 64;

// A job with its own keys and memory; the text lies anywhere.
struct Packet {
  Keys* keys;
  std::vector<uint8_t> memory;
  uint8_t iv[8];
  size_t at, length;
  Job job;

  void Roll(Keys& of, size_t text_length) {
    keys = &of;
    at = kGuard + Below(64);
    length = text_length;
    memory.resize(at + length + kGuard);
    for (uint8_t& byte : memory) byte = static_cast<uint8_t>(dice());
    for (uint8_t& byte : iv) byte = static_cast<uint8_t>(dice());
  }
  Job* Begin() {
    job = {.keys = keys,
           .packet = nullptr,
           .signed_length = 0,
           .icv = nullptr,
           .iv = iv,
           .text = memory.data() + at,
           .text_length = static_cast<uint32_t>(length),
           .done = false};
    return &job;
  }
};

void Expand(Cipher cipher, Direction direction, const uint8_t* key, Keys& keys) {
  const uint8_t integrity[32] = {};
  SuiteKeys suite = {cipher, Integrity::Sha1, direction, key, integrity};
  keys.cipher = cipher;
  keys.integrity = Integrity::Sha1;
  keys.direction = direction;
  keys.des->Expand(suite, nullptr);
  if (!keys.openssl->Expand(suite)) Fail("no DES", "OpenSSL");
}

// One way to do either direction.
struct Way {
  const char* name;
  std::unique_ptr<Bitslice> bitslice;
  std::unique_ptr<Shuffle> shuffle;

  // Round keys are made anew, since each way has its own.
  void Run(Direction direction, std::vector<Job*>& jobs) {
    for (const Job* job : jobs) {
      if (shuffle == nullptr) break;
      DesKeys& of = *job->keys->des;
      size_t stages = job->keys->cipher == Cipher::Des ? 1 : 3;
      shuffle->way().expand(of.words, stages, direction == Direction::Encrypt, of.schedule);
    }
    if (direction == Direction::Decrypt) {
      if (bitslice != nullptr) return bitslice->Decrypt(jobs.data(), jobs.size());
      return shuffle->Decrypt(jobs.data(), jobs.size());
    }
    std::stable_sort(jobs.begin(), jobs.end(), [](Job* a, Job* b) { return a->text_length > b->text_length; });
    if (bitslice != nullptr) return bitslice->Encrypt(jobs.data(), jobs.size());
    shuffle->Encrypt(jobs.data(), jobs.size());
  }
};

std::vector<Way> Ways() {
  std::vector<Way> ways;
  for (const DesUnit* unit : {DesAvx512(), DesAvx2(), DesPortable(), &kSealed[0], &kSealed[1]}) {
    if (unit != nullptr) ways.push_back({unit->name, Bitslice::Create(unit), nullptr});
  }
  for (const DesShuffle* way : {DesVbmi(), DesShuffleAvx2(), &kSealedShuffles[0], &kSealedShuffles[1]}) {
    if (way != nullptr) ways.push_back({way->name, nullptr, Shuffle::Create(way)});
  }
  return ways;
}

uint64_t Word(uint64_t big_endian) { return __builtin_bswap64(big_endian); }

// NIST SP 800-17 table A.4, SP 800-67 appendix B: keys, plain text, cipher text.
constexpr uint64_t kAnswers[][5] = {
    {0x7ca110454a1a6e57, 0, 0, 0x01a1d6d039776742, 0x690f5b0d9a26939b},
    {0x0131d9619dc1376e, 0, 0, 0x5cd54ca83def57da, 0x7a389d10354bd271},
    {0x07a1133e4a0b2686, 0, 0, 0x0248d43806f67172, 0x868ebb51cab4599a},
    {0x3849674c2602319e, 0, 0, 0x51454b582ddf440a, 0x7178876e01f19b2a},
    {0x04b915ba43feb5b6, 0, 0, 0x42fd443059577fa2, 0xaf37fb421f8c4095},
    {0x0113b970fd34f2ce, 0, 0, 0x059b5e0851cf143a, 0x86a560f10ec6d85b},
    {0x0170f175468fb5e6, 0, 0, 0x0756d8e0774761d2, 0x0cd3da020021dc09},
    {0x43297fad38e373fe, 0, 0, 0x762514b829bf486a, 0xea676b2cb7db2b7a},
    {0x07a7137045da2a16, 0, 0, 0x3bdd119049372802, 0xdfd64a815caf1a0f},
    {0x04689104c2fd3b2f, 0, 0, 0x26955f6835af609a, 0x5c513c9c4886c088},
    {0x37d06bb516cb7546, 0, 0, 0x164d5e404f275232, 0x0a2aeeae3ff4ab77},
    {0x1f08260d1ac2465e, 0, 0, 0x6b056e18759f5cca, 0xef1bf03e5dfa575a},
    {0x584023641aba6176, 0, 0, 0x004bd6ef09176062, 0x88bf0db6d70dee56},
    {0x025816164629b007, 0, 0, 0x480d39006ee762f2, 0xa1f9915541020b56},
    {0x49793ebc79b3258f, 0, 0, 0x437540c8698f3cfa, 0x6fbf1cafcffd0556},
    {0x4fb05e1515ab73a7, 0, 0, 0x072d43a077075292, 0x2f22e49bab7ca1ac},
    {0x49e95d6d4ca229bf, 0, 0, 0x02fe55778117f12a, 0x5a6b612cc26cce4a},
    {0x018310dc409b26d6, 0, 0, 0x1d9d5c5018f728c2, 0x5f4c038ed12b2e41},
    {0x1c587f1c13924fef, 0, 0, 0x305532286d6f295a, 0x63fac0d034d9f793},
    {0x0123456789abcdef, 0x23456789abcdef01, 0x456789abcdef0123, 0x5468652071756663, 0xa826fd8ce53b855f},
    {0x0123456789abcdef, 0x23456789abcdef01, 0x456789abcdef0123, 0x6b2062726f776e20, 0xcce21c8112256fe6},
    {0x0123456789abcdef, 0x23456789abcdef01, 0x456789abcdef0123, 0x666f78206a756d70, 0x68d5c05dd9b6b900},
};

void KnownAnswers(Way& way) {
  for (const auto& answer : kAnswers) {
    uint64_t key[3] = {Word(answer[0]), Word(answer[1]), Word(answer[2])};
    Cipher cipher = answer[1] == 0 ? Cipher::Des : Cipher::TripleDes;
    for (Direction direction : {Direction::Encrypt, Direction::Decrypt}) {
      Keys keys;
      Expand(cipher, direction, reinterpret_cast<const uint8_t*>(key), keys);
      bool encrypts = direction == Direction::Encrypt;
      uint64_t text = Word(answer[encrypts ? 3 : 4]);
      const uint64_t iv = 0;
      Job job = {.keys = &keys,
                 .packet = nullptr,
                 .signed_length = 0,
                 .icv = nullptr,
                 .iv = reinterpret_cast<const uint8_t*>(&iv),
                 .text = reinterpret_cast<uint8_t*>(&text),
                 .text_length = 8,
                 .done = false};
      std::vector<Job*> jobs = {&job};
      way.Run(direction, jobs);
      if (text != Word(answer[encrypts ? 4 : 3]) || !job.done) Fail("a known answer is another", way.name);
    }
  }
}

// Batches of every size, of few and of many keys, with all lengths; also what lies around each text must stay.
uint64_t Differential(uint64_t packets) {
  std::vector<Way> ways = Ways();
  uint64_t done = 0, batches = 0;
  std::vector<Packet> batch, mine;
  while (done < packets) {
    Cipher cipher = Below(3) == 0 ? Cipher::Des : Cipher::TripleDes;
    Direction direction = Below(2) ? Direction::Encrypt : Direction::Decrypt;
    size_t count = Below(2) ? 1 + Below(kBatchCapacity) : std::min<uint32_t>(1 + Below(6), kBatchCapacity);
    std::vector<Keys> sas(Below(2) ? 1 + Below(3) : 1 + Below(kBatchCapacity));
    for (Keys& sa : sas) {
      uint8_t key[24];
      for (uint8_t& byte : key) byte = static_cast<uint8_t>(dice());
      Expand(cipher, direction, key, sa);
    }
    uint32_t longest = Below(5) == 0 ? kMost / 8 : Below(3) == 0 ? 60 : 12;
    batch.resize(count);
    for (Packet& packet : batch) packet.Roll(sas[Below(static_cast<uint32_t>(sas.size()))], 8 * (1 + Below(longest)));
    std::vector<Packet> before = batch;
    for (Packet& packet : batch) packet.keys->openssl->Crypt(*packet.Begin());
    bool sealed = batches++ % 16 == 0;  // they are slow
    for (Way& way : ways) {
      if (!sealed && std::string_view(way.name).starts_with("sealed")) continue;
      mine = before;
      std::vector<Job*> jobs;
      for (Packet& packet : mine) jobs.push_back(packet.Begin());
      way.Run(direction, jobs);
      for (size_t i = 0; i < count; i++) {
        if (!mine[i].job.done || mine[i].memory != batch[i].memory) Fail("differs from OpenSSL", way.name);
      }
    }
    done += count;
  }
  return done;
}

// The same work with secret keys and secret data; lengths and places are no secrets.
template <class Work>
void InSecret(Work work) {
  for (Cipher cipher : {Cipher::Des, Cipher::TripleDes}) {
    for (Direction direction : {Direction::Encrypt, Direction::Decrypt}) {
      Keys keys[2];
      for (Keys& of : keys) {
        uint8_t key[24];
        for (uint8_t& byte : key) byte = static_cast<uint8_t>(dice());
        Expand(cipher, direction, key, of);
        SECRET(of.des->words, sizeof of.des->words);
      }
      for (size_t of : {1, 2}) {
        std::vector<Packet> packets(20);
        std::vector<Job*> jobs;
        for (size_t i = 0; i < packets.size(); i++) {
          packets[i].Roll(keys[i % of], 8 * (1 + i));
          jobs.push_back(packets[i].Begin());
          SECRET(packets[i].job.text, packets[i].job.text_length);
          SECRET(packets[i].iv, 8);
        }
        work(direction, jobs);
        for (Packet& packet : packets) TOLD(packet.memory.data(), packet.memory.size());
      }
      for (Keys& of : keys) TOLD(of.des.get(), sizeof *of.des);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "check") {
    uint64_t packets = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20000;
    dice.seed(argc > 3 ? static_cast<uint32_t>(std::strtoul(argv[3], nullptr, 10)) : 1);
    for (Way& way : Ways()) KnownAnswers(way);
    uint64_t done = Differential(packets);
    std::printf("%llu packets as OpenSSL has them:", static_cast<unsigned long long>(done));
    for (const Way& way : Ways()) std::printf(" [%s]", way.name);
    std::printf("\n");
    return 0;
  }
  if (what == "secret") {
    for (Way& way : Ways()) {
      InSecret([&](Direction direction, std::vector<Job*>& jobs) { way.Run(direction, jobs); });
      std::printf("[%s]", way.name);
    }
    std::printf("\n");
    return 0;
  }
  if (what == "leak") {
    InSecret([](Direction, std::vector<Job*>& jobs) {
      for (Job* job : jobs) job->keys->openssl->Crypt(*job);
    });
    return 0;
  }
  std::fprintf(stderr, "des check [packets [seed]] | secret | leak\n");
  return 2;
}
