#!/bin/sh
# Builds the ESP engine with its fuzzer and both sanitizers, without Node, and runs it: every find is a bug.
# Usage: native/test/fuzz.sh [seconds [seed]], or `fuzz.sh packets 1000000 [seed]` without sanitizers. It needs g++, OpenSSL's
# headers and library (Debian: libssl-dev) and Node's headers (those beside node, or NODE_INCLUDE); libipsec-mb is fuzzed too
# where its header is.
set -eu

native=$(cd "$(dirname "$0")/.." && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

include=${NODE_INCLUDE:-$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")/include/node}
flags="-std=c++20 -g -Wall -Wextra -Werror -fno-exceptions -fno-rtti"
if [ "${1:-}" = packets ]; then
  flags="$flags -O2"
else
  flags="$flags -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all"
fi
libraries="-lcrypto"
if [ -e /usr/include/intel-ipsec-mb.h ]; then
  flags="$flags -DHAVE_IPSEC_MB"
  libraries="$libraries -lIPSec_MB"
fi

# Only type declarations are taken from Node's headers; its copy of OpenSSL's must not be, as the system's library runs.
mkdir "$build/node"
cp "$include"/node_api.h "$include"/node_api_types.h "$include"/js_native_api.h "$include"/js_native_api_types.h "$build/node/"

# shellcheck disable=SC2086
g++ $flags -I"$build/node" -I"$native" -o "$build/fuzz" \
  "$native/test/fuzz.cc" "$native"/esp_engine.cc "$native"/esp_rows.cc "$native"/suites_*.cc "$native"/des_*.cc "$native"/aes_*.cc $libraries
"$build/fuzz" "$@"
