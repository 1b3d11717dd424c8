#!/bin/sh
# Builds des.cc, the test of the bit-sliced DES, and runs it. It needs g++ and OpenSSL's headers and library (Debian:
# libssl-dev), and valgrind for `secret` and `leak`.
#
#   des.sh check [packets [seed]]   des.sh secret   des.sh leak
#   des.sh build FILE               builds only
#   des.sh build-kernels FILE       the same of ../bench/kernels.cc, for callgrind
set -eu

native=$(cd "$(dirname "$0")/.." && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

# Only type declarations are taken from Node's headers, as in fuzz.sh.
include=${NODE_INCLUDE:-$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")/include/node}
mkdir "$build/node"
cp "$include"/node_api.h "$include"/node_api_types.h "$include"/js_native_api.h "$include"/js_native_api_types.h "$build/node/"

program=$build/des
source=$native/test/des.cc
case "${1:-}" in
  build) program=$2 ;;
  build-kernels)
    program=$2
    source="$native/bench/kernels.cc $native/checksum.cc $native/p384.cc"
    ;;
esac
# shellcheck disable=SC2086
g++ -std=c++20 -O2 -g1 -Wall -Wextra -Werror -fno-exceptions -fno-rtti -I"$build/node" -o "$program" $source \
  "$native/suites_bitslice.cc" "$native/suites_shuffle.cc" "$native/suites_openssl.cc" "$native"/des_*.cc -lcrypto
case "${1:-}" in
  build | build-kernels) ;;
  secret | leak) valgrind -q --error-exitcode=9 "$program" "$1" ;;
  *) "$program" "$@" ;;
esac
