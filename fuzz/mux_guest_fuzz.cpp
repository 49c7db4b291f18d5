// fuzz: wire
// The guest's mux against a host that sends anything: never a crash, and what the guest
// sends is always whole frames that fit one write.
#include "mux_fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gondolin::wire;
  auto welcome = encode_greeting(FrameType::kWelcome, {.window = 65536});
  fuzz_mux(FuzzInput(data, size), Role::kGuest, welcome);
  return 0;
}
