{
  # The addon of Floatgate: system calls and arithmetic, by the batch. Build: npm run build:native
  "variables": {
    # Multi-buffer crypto, where its header is installed (Debian: libipsec-mb-dev).
    "have_ipsec_mb%": "<!(test -e /usr/include/intel-ipsec-mb.h -o -e /usr/include/ipsec-mb.h && echo 1 || echo 0)",
    # 1: AddressSanitizer and UndefinedBehaviorSanitizer; see test/asan.sh.
    "sanitize%": 0
  },
  "targets": [
    {
      "target_name": "floatgate",
      "sources": [
        "addon.cc",
        "addresses.cc",
        "batch.cc",
        "checksum.cc",
        "datagram.cc",
        "device_features.cc",
        "files.cc",
        "ike.cc",
        "modp.cc",
        "modp_ifma.cc",
        "napi.cc",
        "p384.cc",
        "netlink.cc",
        "poller.cc",
        "raw_esp.cc",
        "segments.cc",
        "steering.cc",
        "tun.cc",
        "tun_steering.cc",
        "tun_super.cc",
        "udp.cc",
        "<!@(ls esp*.cc suites_*.cc des_*.cc aes_*.cc)"
      ],
      "cflags": ["-fvisibility=hidden"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-O3"],
      "cflags_cc": ["-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-exceptions", "-fno-rtti"],
      "cflags!": ["-O3", "-Wno-unused-parameter"],
      "conditions": [
        ["have_ipsec_mb==1", { "defines": ["HAVE_IPSEC_MB"], "libraries": ["-lIPSec_MB"] }],
        ["sanitize==1", {
          "cflags_cc": [
            "-O1",
            "-g",
            "-fno-omit-frame-pointer",
            "-fsanitize=address,undefined",
            "-fno-sanitize=vptr",
            "-fno-sanitize-recover=all"
          ],
          "ldflags": ["-fsanitize=address,undefined"]
        }]
      ]
    }
  ]
}
