// fuzz: wire
// Targets and messages of the control port: whatever is accepted is encoded again to
// the very same bytes, so there is one way to say each thing.
#include <algorithm>
#include <cstdint>

#include "base/check.hpp"
#include "wire/control.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gondolin;
  Bytes bytes = std::as_bytes(std::span(data, size));
  if (auto target = wire::decode_target(bytes)) {
    GONDOLIN_CHECK(std::ranges::equal(wire::encode_target(*target), bytes));
  }
  wire::MessageReader reader;
  ByteBuffer said;
  for (Bytes rest = bytes; !rest.empty();) {
    auto taken = reader.feed(rest);
    if (!taken) break;
    rest = rest.subspan(*taken);
    auto message = reader.next();
    if (!message) break;
    if (!*message) continue;
    auto encoded = wire::encode_message(**message);
    GONDOLIN_CHECK(encoded.has_value());
    said.insert(said.end(), encoded->begin(), encoded->end());
    GONDOLIN_CHECK(std::ranges::equal(said, bytes.first(bytes.size() - rest.size())));
  }
  return 0;
}
