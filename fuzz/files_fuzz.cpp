// fuzz: wire
// Messages about files: whatever is accepted is encoded again to the very same bytes, and
// keeps the rules that the host and the guest rely on.
#include <algorithm>
#include <cstdint>
#include <variant>

#include "base/check.hpp"
#include "wire/files.hpp"

namespace {

using namespace gondolin;

// What is relied on without another look.
struct Rules {
  void operator()(const wire::ReadFile& m) const {
    GONDOLIN_CHECK(wire::is_guest_path(m.path) && m.offset + m.length < 1ULL << 63);
  }
  void operator()(const wire::RenameFile& m) const {
    GONDOLIN_CHECK(wire::is_guest_path(m.from) && wire::is_guest_path(m.to));
  }
  void operator()(const wire::FileData& m) const {
    GONDOLIN_CHECK(!m.bytes.empty() && m.bytes.size() <= wire::kMaxFileData);
  }
  void operator()(const wire::DirectoryEntries& m) const {
    for (const auto& entry : m.entries)
      GONDOLIN_CHECK(!entry.name.empty() && entry.name.find('/') == std::string::npos);
  }
  void operator()(const wire::FileFailed& m) const {
    GONDOLIN_CHECK(m.os_error > 0 && m.os_error < 4096);
  }
  template <typename Other>
  void operator()(const Other&) const {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes = std::as_bytes(std::span(data, size));
  wire::FileMessageReader reader;
  ByteBuffer said;
  for (Bytes rest = bytes; !rest.empty();) {
    auto taken = reader.feed(rest);
    if (!taken) break;
    rest = rest.subspan(*taken);
    auto message = reader.next();
    if (!message) break;
    if (!*message) continue;
    std::visit(Rules{}, **message);
    const ByteBuffer encoded = wire::encode_file_message(**message);
    said.insert(said.end(), encoded.begin(), encoded.end());
    GONDOLIN_CHECK(std::ranges::equal(said, bytes.first(bytes.size() - rest.size())));
  }
  return 0;
}
