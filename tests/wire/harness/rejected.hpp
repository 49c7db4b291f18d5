// Requests that the gateway must refuse: one row each.
#pragma once

#include <set>
#include <string>

namespace gondolin::wiretest {

// The request's exact bytes, and the statuses that its source allows.
struct RejectedRow {
  std::string name;
  std::string source;
  std::string request;
  std::set<int> statuses = {400};
};

// Sends row.request at once and again byte by byte, each time with a second
// request behind it, and expects one error answer, the end of the connection,
// and nothing at any backend.
void expect_rejected(const RejectedRow& row);

// A chunked body that breaks the grammar, behind a good head.
struct BadChunkRow {
  std::string name;
  std::string source;
  std::string body;
  std::set<int> statuses = {400};
};

// Sends a good head and row.body, together and apart, at once and byte by byte:
// the client gets an error answer and the end; a backend that was reached never
// sees the end of a message.
void expect_bad_chunk(const BadChunkRow& row);

}  // namespace gondolin::wiretest
