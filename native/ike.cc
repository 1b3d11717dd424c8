// What IKE computes, in one call each: Diffie-Hellman, hashes, HMACs and CBC. node:crypto does the same on
// the same OpenSSL, but makes an object for each, checks each key again, and knows no precomputed powers of a
// generator.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "ike.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include <cstring>
#include <memory>

#include "modp.h"
#include "napi.h"
#include "openssl_owner.h"
#include "p384.h"
#include "suites.h"

namespace floatgate {
namespace {

// ------------------------------------------------------------------------------------------------------
// P-256

constexpr size_t kP256Bytes = 32;
constexpr uint32_t kP256Group = 19;
constexpr uint32_t kP384Group = 20;

using EcPoint = std::unique_ptr<EC_POINT, Freer<EC_POINT_clear_free>>;

const EC_GROUP* P256() {
  static const EC_GROUP* group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  return group;
}

// What OpenSSL has for this curve is in assembler and constant time. `point` is 0 for the generator; gets
// `size` bytes of the coordinates of the product.
bool P256Multiply(ByteSpan scalar, const uint8_t* point, uint8_t* into, size_t size) {
  Scratch scratch(BN_CTX_new());
  Number k(BN_bin2bn(scalar.data, static_cast<int>(scalar.size), nullptr));
  EcPoint base(EC_POINT_new(P256())), product(EC_POINT_new(P256()));
  uint8_t encoded[1 + 2 * kP256Bytes] = {POINT_CONVERSION_UNCOMPRESSED};
  if (point != nullptr) {
    std::memcpy(encoded + 1, point, 2 * kP256Bytes);
    // Refuses what is not on the curve, whose every point is of the full order.
    if (EC_POINT_oct2point(P256(), base.get(), encoded, sizeof encoded, scratch.get()) != 1) return false;
  }
  const bool ok = EC_POINT_mul(P256(), product.get(), point == nullptr ? k.get() : nullptr,
                               point == nullptr ? nullptr : base.get(), point == nullptr ? nullptr : k.get(),
                               scratch.get()) == 1 &&
                  EC_POINT_point2oct(P256(), product.get(), POINT_CONVERSION_UNCOMPRESSED, encoded,
                                     sizeof encoded, scratch.get()) == sizeof encoded;
  if (ok) std::memcpy(into, encoded + 1, size);
  OPENSSL_cleanse(encoded, sizeof encoded);
  return ok;
}

// ----------------------------------------------------------------------------------------------
// Diffie-Hellman

struct GroupSizes {
  size_t exponent = 0, value = 0, secret = 0;
};

GroupSizes SizesOf(uint32_t group, bool vectors) {
  if (group == kP256Group) return {kP256Bytes, 2 * kP256Bytes, kP256Bytes};
  if (group == kP384Group) return {kP384Bytes, 2 * kP384Bytes, kP384Bytes};
  const Modp* modp = Modp::Of(group, vectors);
  if (modp == nullptr) return {};
  return {modp->exponent_bytes(), modp->size(), modp->size()};
}

// Every function below takes one array of the caller's, `room`, in which its arguments lie one behind the
// other and its result takes their place: to hand over small arrays one by one costs more than to hash what
// is in them. Secrets are wiped.

// dhPublic(group, room, vectors): a private key becomes our public value, as a KE payload holds it. MODP groups use
// vector instructions only where that is said and the processor has them.
napi_value DhPublic(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const uint32_t group = args.U32(0);
  const ByteSpan room = args.Bytes(1);
  const bool vectors = args.Bool(2);
  if (!args.ok()) return nullptr;
  const GroupSizes sizes = SizesOf(group, vectors);
  if (sizes.exponent == 0 || room.size < sizes.exponent + sizes.value) return ThrowType(env, "no such group");
  const ByteSpan key = {room.data, sizes.exponent};
  uint8_t* into = room.data + sizes.exponent;
  bool ok = true;
  if (group == kP384Group) {
    P384Public(key.data, into);
  } else {
    ok = group == kP256Group ? P256Multiply(key, nullptr, into, sizes.value)
                             : Modp::Of(group, vectors)->Public(key, into);
  }
  std::memmove(room.data, into, sizes.value);
  OPENSSL_cleanse(room.data + sizes.value, sizes.exponent);
  return ok ? Undefined(env) : ThrowType(env, "OpenSSL refuses");
}

// dhShared(group, room, vectors): a private key and the peer's value become the secret; whether the peer's value is a
// fair one.
napi_value DhShared(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const uint32_t group = args.U32(0);
  const ByteSpan room = args.Bytes(1);
  const bool vectors = args.Bool(2);
  if (!args.ok()) return nullptr;
  const GroupSizes sizes = SizesOf(group, vectors);
  const size_t given = sizes.exponent + sizes.value;
  if (sizes.exponent == 0 || room.size < given + sizes.secret) return ThrowType(env, "no such group");
  const ByteSpan key = {room.data, sizes.exponent};
  const ByteSpan peer = {room.data + sizes.exponent, sizes.value};
  uint8_t* into = room.data + given;
  bool ok = false;
  if (group == kP384Group) {
    ok = P384Shared(key.data, peer.data, into);
  } else {
    ok = group == kP256Group ? P256Multiply(key, peer.data, into, sizes.secret)
                             : Modp::Of(group, vectors)->Shared(key, peer, into);
  }
  std::memmove(room.data, into, sizes.secret);
  OPENSSL_cleanse(room.data + sizes.secret, given);
  return MakeBool(env, ok);
}

// ------------------------------------------------------------------------------------------- hashes and
// ciphers

// OpenSSL's low-level functions, as for ESP (suites_openssl.cc): its objects cost as much as to hash a short message.
union HashState {
  MD5_CTX md5;
  SHA_CTX sha1;
  SHA256_CTX sha256;
};

struct Hash {
  size_t size;
  void (*begin)(HashState& state);
  void (*add)(HashState& state, const uint8_t* data, size_t size);
  void (*end)(HashState& state, uint8_t* into);
};

constexpr Hash kHashes[] = {
    {MD5_DIGEST_LENGTH, [](HashState& s) { MD5_Init(&s.md5); },
     [](HashState& s, const uint8_t* data, size_t size) { MD5_Update(&s.md5, data, size); },
     [](HashState& s, uint8_t* into) { MD5_Final(into, &s.md5); }},
    {SHA_DIGEST_LENGTH, [](HashState& s) { SHA1_Init(&s.sha1); },
     [](HashState& s, const uint8_t* data, size_t size) { SHA1_Update(&s.sha1, data, size); },
     [](HashState& s, uint8_t* into) { SHA1_Final(into, &s.sha1); }},
    {SHA256_DIGEST_LENGTH, [](HashState& s) { SHA256_Init(&s.sha256); },
     [](HashState& s, const uint8_t* data, size_t size) { SHA256_Update(&s.sha256, data, size); },
     [](HashState& s, uint8_t* into) { SHA256_Final(into, &s.sha256); }},
};
constexpr size_t kHashBlock = 64;  // of each of them
constexpr size_t kMaxHash = SHA256_DIGEST_LENGTH;

const Hash* HashOf(uint32_t algorithm) {
  return algorithm < sizeof kHashes / sizeof *kHashes ? &kHashes[algorithm] : nullptr;
}

// digest(algorithm, room, length): a message becomes its hash.
napi_value Digest(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const Hash* hash = HashOf(args.U32(0));
  const ByteSpan room = args.Bytes(1);
  const size_t length = args.U32(2);
  if (!args.ok()) return nullptr;
  if (hash == nullptr || length > room.size || room.size < kMaxHash) return ThrowType(env, "no such hash");
  HashState state;
  hash->begin(state);
  hash->add(state, room.data, length);
  hash->end(state, room.data);
  return Undefined(env);
}

// hmac(algorithm, room, keyLength, length): a key and a message become the message's HMAC (RFC 2104).
napi_value Hmac(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const Hash* hash = HashOf(args.U32(0));
  const ByteSpan room = args.Bytes(1);
  const size_t key_length = args.U32(2);
  const size_t length = args.U32(3);
  if (!args.ok()) return nullptr;
  if (hash == nullptr || key_length + length > room.size || room.size < kMaxHash)
    return ThrowType(env, "no such hash");
  HashState state;
  uint8_t result[kMaxHash];
  // The key: padded, or hashed where it is longer than a block.
  uint8_t block[kHashBlock] = {};
  if (key_length <= sizeof block) {
    std::memcpy(block, room.data, key_length);
  } else {
    hash->begin(state);
    hash->add(state, room.data, key_length);
    hash->end(state, block);
  }
  for (uint8_t& byte : block) byte ^= 0x36;
  hash->begin(state);
  hash->add(state, block, sizeof block);
  hash->add(state, room.data + key_length, length);
  hash->end(state, result);
  for (uint8_t& byte : block) byte ^= 0x36 ^ 0x5c;
  hash->begin(state);
  hash->add(state, block, sizeof block);
  hash->add(state, result, hash->size);
  hash->end(state, result);
  OPENSSL_cleanse(room.data, key_length + length);
  std::memcpy(room.data, result, hash->size);
  OPENSSL_cleanse(block, sizeof block);
  OPENSSL_cleanse(result, sizeof result);
  OPENSSL_cleanse(&state, sizeof state);
  return Undefined(env);
}

const EVP_CIPHER* CbcOf(Cipher cipher) {
  static EVP_CIPHER* const des = EVP_CIPHER_fetch(nullptr, "DES-EDE3-CBC", nullptr);
  static EVP_CIPHER* const aes[] = {EVP_CIPHER_fetch(nullptr, "AES-128-CBC", nullptr),
                                    EVP_CIPHER_fetch(nullptr, "AES-192-CBC", nullptr),
                                    EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr)};
  return cipher < Cipher::Aes128 ? des : aes[Index(cipher) - Index(Cipher::Aes128)];
}

bool OpensslCbc(Cipher cipher, bool encrypt, ByteSpan key, ByteSpan iv, ByteSpan text) {
  thread_local const std::unique_ptr<EVP_CIPHER_CTX, Freer<EVP_CIPHER_CTX_free>> context(
      EVP_CIPHER_CTX_new());
  uint8_t three[24];
  // As in suites_openssl.cc: OpenSSL 3 has single DES in its legacy provider alone.
  if (cipher == Cipher::Des) {
    for (size_t i = 0; i < 3; i++) std::memcpy(three + 8 * i, key.data, 8);
    key = {three, sizeof three};
  }
  int length = 0;
  const bool ok =
      EVP_CipherInit_ex(context.get(), CbcOf(cipher), nullptr, key.data, iv.data, encrypt ? 1 : 0) == 1 &&
      EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
      EVP_CipherUpdate(context.get(), text.data, &length, text.data, static_cast<int>(text.size)) == 1 &&
      static_cast<size_t>(length) == text.size;
  EVP_CIPHER_CTX_reset(context.get());
  OPENSSL_cleanse(three, sizeof three);
  return ok;
}

// From how many blocks on bit slices decrypt faster than OpenSSL, whatever the unit.
constexpr size_t kSlicedBlocks = 14;

// DES decrypts the blocks of a message side by side.
bool SlicedDecrypt(Cipher cipher, ByteSpan key, ByteSpan iv, ByteSpan text) {
  const size_t block = kCipherSizes[Index(cipher)].block;
  if (cipher >= Cipher::Aes128 || text.size < kSlicedBlocks * block) return false;
  thread_local const std::unique_ptr<Bitslice> bitslice = [] {
    for (auto unit : {DesAvx512, DesAvx2, DesPortable})
      if (auto made = Bitslice::Create(unit())) return made;
    return std::unique_ptr<Bitslice>();
  }();
  if (bitslice == nullptr) return false;
  // Bit slices take the key as it is: no schedule is made of it.
  Keys keys;
  keys.cipher = cipher;
  keys.direction = Direction::Decrypt;
  std::memcpy(keys.des->words, key.data, key.size);
  Job job = {&keys, nullptr, 0, nullptr, iv.data, text.data, static_cast<uint32_t>(text.size), false};
  Job* jobs[] = {&job};
  bitslice->Decrypt(jobs, 1);
  return job.done;
}

// cbc(cipher, encrypt, room, length): a key, an IV and `length` bytes of whole blocks become the blocks'
// other form, which stays behind key and IV.
napi_value Cbc(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const uint32_t index = args.U32(0);
  const bool encrypt = args.Bool(1);
  const ByteSpan room = args.Bytes(2);
  const size_t length = args.U32(3);
  if (!args.ok()) return nullptr;
  if (index > Index(Cipher::Aes256)) return ThrowType(env, "no such cipher");
  const CipherSizes sizes = kCipherSizes[index];
  const size_t before = static_cast<size_t>(sizes.key) + sizes.block;
  if (length % sizes.block != 0 || before + length > room.size) return ThrowType(env, "no whole blocks");
  const Cipher cipher = static_cast<Cipher>(index);
  const ByteSpan key = {room.data, sizes.key};
  const ByteSpan iv = {room.data + sizes.key, sizes.block};
  const ByteSpan text = {room.data + before, length};
  const bool ok =
      (!encrypt && SlicedDecrypt(cipher, key, iv, text)) || OpensslCbc(cipher, encrypt, key, iv, text);
  OPENSSL_cleanse(room.data, sizes.key);
  return ok ? Undefined(env) : ThrowType(env, "OpenSSL refuses");
}

}  // namespace

napi_status RegisterIke(napi_env env, napi_value exports) {
  return Define(
      env, exports,
      {{"dhPublic", DhPublic}, {"dhShared", DhShared}, {"digest", Digest}, {"hmac", Hmac}, {"cbc", Cbc}});
}

}  // namespace floatgate
