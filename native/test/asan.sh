#!/bin/sh
# Runs the addon's tests with AddressSanitizer and UndefinedBehaviorSanitizer, in a copy of the tree: the real build stays
# as it is. Usage: native/test/asan.sh [test paths]; without any, the tests of test/native and test/esp.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

mkdir -p "$copy/native/sbox" "$copy/test"
cp "$root"/native/*.cc "$root"/native/*.h "$root"/native/binding.gyp "$copy/native/"
cp "$root"/native/sbox/*.h "$copy/native/sbox/"
cp -r "$root/src" "$root/package.json" "$root/tsconfig.json" "$root/vitest.config.ts" "$copy/"
cp -r "$root/test/." "$copy/test/"
# They run programs of their own, and valgrind beside the sanitizers' runtimes is one too many.
rm "$copy/test/esp/bitslice.test.ts" "$copy/test/native/kernels.test.ts"
ln -s "$root/node_modules" "$copy/node_modules"

cd "$copy"
npx --no-install node-gyp --directory native --loglevel error rebuild -- -Dsanitize=1

# Node itself is not instrumented, so the runtimes must be there before it, and its own leaks are not ours to count.
LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)"
ASAN_OPTIONS=detect_leaks=0:halt_on_error=1
UBSAN_OPTIONS=print_stacktrace=1
export LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS
if [ $# -eq 0 ]; then
  set -- test/native
  if [ -d test/esp ]; then set -- "$@" test/esp; fi
fi
node node_modules/vitest/vitest.mjs run --fileParallelism=false "$@"
