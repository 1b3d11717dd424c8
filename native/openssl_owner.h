// Objects of OpenSSL's that go with their owner, wiped where they may hold secrets.
#pragma once

#include <openssl/bn.h>

#include <memory>

namespace floatgate {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Number = std::unique_ptr<BIGNUM, Freer<BN_clear_free>>;
using Scratch = std::unique_ptr<BN_CTX, Freer<BN_CTX_free>>;

}  // namespace floatgate
