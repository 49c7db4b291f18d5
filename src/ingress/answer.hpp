// What the gateway itself answers. Programs get one plain line; a browser gets a
// small page with the same status that says what to do next.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/header_list.hpp"
#include "http/message.hpp"
#include "http/status.hpp"

namespace gondolin::ingress {

// What of the request decides how an answer is written.
struct AnswerTo {
  enum class Audience : std::uint8_t { kProgram, kBrowser };
  enum class Method : std::uint8_t { kGet, kHead, kOther };
  Audience audience = Audience::kProgram;
  Method method = Method::kOther;
  http::Version version = http::Version::kHttp11;
  http::Persistence persistence = http::Persistence::kClose;
};

// A browser says that it wants HTML; programs that take anything ("*/*") do not.
[[nodiscard]] AnswerTo::Audience audience_of(const http::HeaderList& fields);

struct Answer {
  http::StatusCode status;
  std::string line;             // the plain body, without its newline
  std::string page = {};        // the HTML body; empty: made of the status and `line`
  std::string_view allow = {};  // the Allow field
  std::string reason = {};      // in place of the status's own phrase; a valid one
  // In place of all of the above: this text, byte by byte.
  std::optional<std::string> body = {};
};

// "no route" for 404 and so on: the contract's line for each status.
[[nodiscard]] std::string_view default_line(http::StatusCode status);

// Head and body, as sent.
[[nodiscard]] std::string write_answer(const Answer& answer, const AnswerTo& to);

// The answer when there is no memory for any other; closes the connection.
inline constexpr std::string_view kOutOfMemoryAnswer =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

// The page for a 404: the routes in force (as describe_routes() has them) and how to
// add one. `path` is the client's, `error` why the newest listeners file is not in
// force, "" if it is. It tries again by itself, but not what was more than a GET.
[[nodiscard]] std::string no_route_page(std::string_view path, std::string_view routes,
                                        std::string_view error, AnswerTo::Method method);

// The page for a 502 while nothing answers on `port`: what `listening` says does. It tries
// again likewise.
[[nodiscard]] std::string unreachable_page(std::uint16_t port, std::string_view prefix,
                                           std::string_view listening, AnswerTo::Method method);

// `text` with &, <, >, " and ' as character references.
[[nodiscard]] std::string escape_html(std::string_view text);

}  // namespace gondolin::ingress
