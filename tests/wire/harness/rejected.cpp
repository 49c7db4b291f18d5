#include "harness/rejected.hpp"

#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

constexpr std::string_view kSmuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

enum class Pace { kAtOnce, kByteByByte };

// Byte by byte, what is longer shows nothing new, only slower.
constexpr std::size_t kLongestDrip = 5000;

void send_paced(Connection& client, std::string_view bytes, Pace pace) {
  if (pace == Pace::kAtOnce || bytes.size() > kLongestDrip) {
    client.send(bytes);
  } else {
    static_cast<void>(client.drip(bytes));
  }
}

void expect_refusal_and_end(Connection& client, const std::set<int>& statuses) {
  const Response response = expect_error(client, statuses);
  EXPECT_TRUE(response.head.lists("connection", "close")) << "the answer must announce the close";
  client.expect_end();
}

// What reached the backend is no complete chunked message: the gateway broke it
// off. Returns once the gateway has closed.
void expect_broken_off(Connection& backend) {
  const std::string bytes = backend.receive_rest().bytes;
  EXPECT_EQ(bytes.find("/smuggled"), std::string::npos) << visible(bytes);
  EXPECT_FALSE(bytes.ends_with("\r\n0\r\n\r\n")) << "a complete message: " << visible(bytes);
}

void expect_bad_chunk_with_head(const BadChunkRow& row, Pace pace) {
  Connection client = site().connect();
  send_paced(client, post_chunked("/", row.body + std::string(kSmuggled)), pace);
  expect_refusal_and_end(client, row.statuses);
  while (auto backend = site().root.accept_pending())
    expect_broken_off(*backend);
}

void expect_bad_chunk_after_head(const BadChunkRow& row, Pace pace) {
  Exchange x = exchange(post_chunked("/", "2\r\nok\r\n"));
  send_paced(x.client, row.body + std::string(kSmuggled), pace);
  expect_refusal_and_end(x.client, row.statuses);
  expect_broken_off(x.backend);
}

}  // namespace

void expect_rejected(const RejectedRow& row) {
  for (const Pace pace : {Pace::kAtOnce, Pace::kByteByByte}) {
    SCOPED_TRACE((pace == Pace::kAtOnce ? "at once: " : "byte by byte: ") + visible(row.request));
    Connection client = site().connect();
    send_paced(client, row.request + std::string(kSmuggled), pace);
    expect_refusal_and_end(client, row.statuses);
    expect_only_marker_reaches_backends(site());
  }
}

void expect_bad_chunk(const BadChunkRow& row) {
  for (const Pace pace : {Pace::kAtOnce, Pace::kByteByByte}) {
    SCOPED_TRACE((pace == Pace::kAtOnce ? "at once: " : "byte by byte: ") + visible(row.body));
    expect_bad_chunk_with_head(row, pace);
    expect_bad_chunk_after_head(row, pace);
  }
  expect_only_marker_reaches_backends(site());
}

}  // namespace gondolin::wiretest
