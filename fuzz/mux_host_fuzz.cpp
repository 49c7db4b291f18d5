// fuzz: wire
// The host's mux against a guest that sends anything: never a crash, never more than
// the bounds allow, and what the host sends is always sound.
#include "mux_fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gondolin::wire;
  auto hello = encode_greeting(FrameType::kHello, {.window = 65536});
  fuzz_mux(FuzzInput(data, size), Role::kHost, hello);
  return 0;
}
