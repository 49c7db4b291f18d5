// fuzz: http
// Request heads: the pieces that the bytes come in do not matter, and what would
// be forwarded of an accepted head is itself an accepted head that says the same.
#include <cstdint>

#include "../tests/unit/http/outcome.hpp"
#include "base/check.hpp"
#include "http/authority.hpp"
#include "http/forward.hpp"
#include "http/head_writer.hpp"
#include "http/path.hpp"
#include "http/websocket.hpp"

namespace {

using namespace gondolin::http;

void check_forwarded(const RequestHead& head) {
  PathNormalizer normalizer;
  HeadWriter writer;
  const std::string_view path = normalizer.normalize(head.target.path);
  writer.begin_request(head.method, {path, head.target.query});
  writer.field("Host", head.authority);
  const ForwardFilter filter(head);
  std::size_t kept = 1;
  for (const Field& field : head.fields) {
    if (field.id == FieldName::kHost || !filter.keeps(field)) continue;
    writer.field(field.name, field.value);
    ++kept;
  }
  writer.framing(head.body);
  const std::string_view written = writer.finish();
  RequestParser parser(Limits{.start_line = 1 << 20, .head = 1 << 21, .fields = 256});
  const auto progress = parser.parse(written);
  GONDOLIN_CHECK(progress && *progress == Progress::kComplete);
  const RequestHead& again = parser.head();
  GONDOLIN_CHECK(again.size == written.size());
  GONDOLIN_CHECK(again.method == head.method && again.target.path == path);
  GONDOLIN_CHECK(again.body == head.body && again.authority == head.authority);
  GONDOLIN_CHECK(again.fields.size() == kept + (head.body.kind == BodyKind::kNone ? 0U : 1U));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 16;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Limits limits =
      data[0] < 16 ? Limits{.start_line = 40, .head = 200, .fields = 4} : Limits{};
  const std::string whole = testing::request_outcome(bytes, testing::kWhole, limits);
  GONDOLIN_CHECK(testing::request_outcome(bytes, 1, limits) == whole);
  GONDOLIN_CHECK(testing::request_outcome(bytes, step, limits) == whole);

  RequestParser parser(limits);
  const auto progress = parser.parse(bytes);
  const auto partial = parser.partial(bytes);
  GONDOLIN_CHECK(partial.fields.size() <= limits.fields);
  if (!progress || *progress == Progress::kNeedMore) return 0;
  GONDOLIN_CHECK(partial.method == parser.head().method);
  const RequestHead& head = parser.head();
  GONDOLIN_CHECK(head.authority.empty() || parse_authority(head.authority));
  static_cast<void>(check_websocket_handshake(head));
  if (head.target.form != TargetForm::kAuthority) check_forwarded(head);
  return 0;
}
