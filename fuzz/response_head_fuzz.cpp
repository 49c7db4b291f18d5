// fuzz: http
// Response heads: the pieces that the bytes come in do not matter, and what would
// be forwarded of an accepted head is itself an accepted head that says the same.
#include <cstdint>

#include "../tests/unit/http/outcome.hpp"
#include "base/check.hpp"
#include "http/forward.hpp"
#include "http/head_writer.hpp"

namespace {

using namespace gondolin::http;

void check_forwarded(const ResponseHead& head, ResponseTo request) {
  HeadWriter writer;
  writer.begin_response(head.status, head.reason);
  const ForwardFilter filter(head);
  std::size_t kept = 0;
  for (const Field& field : head.fields) {
    if (!filter.keeps(field)) continue;
    writer.field(field.name, field.value);
    ++kept;
  }
  if (head.body.kind == BodyKind::kNone && head.content_length) {
    writer.content_length(*head.content_length);
  }
  writer.framing(head.body);
  const std::string_view written = writer.finish();
  ResponseParser parser(request, Limits{.start_line = 1 << 20, .head = 1 << 21, .fields = 256});
  const auto progress = parser.parse(written);
  GONDOLIN_CHECK(progress && *progress == Progress::kComplete);
  const ResponseHead& again = parser.head();
  GONDOLIN_CHECK(again.size == written.size());
  GONDOLIN_CHECK(again.status == head.status && again.reason == head.reason);
  GONDOLIN_CHECK(again.body == head.body && again.content_length == head.content_length);
  GONDOLIN_CHECK(again.fields.size() >= kept && again.fields.size() <= kept + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 16;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Limits limits =
      data[0] < 16 ? Limits{.start_line = 40, .head = 200, .fields = 4} : Limits{};
  const ResponseTo request = data[0] >= 0xf0 ? ResponseTo::kHead : ResponseTo::kOther;
  const std::string whole = testing::response_outcome(bytes, request, testing::kWhole, limits);
  GONDOLIN_CHECK(testing::response_outcome(bytes, request, 1, limits) == whole);
  GONDOLIN_CHECK(testing::response_outcome(bytes, request, step, limits) == whole);

  ResponseParser parser(request, limits);
  const auto progress = parser.parse(bytes);
  if (progress && *progress == Progress::kComplete) check_forwarded(parser.head(), request);
  return 0;
}
