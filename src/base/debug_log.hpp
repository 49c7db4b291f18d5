// The debug log that GONDOLIN_DEBUG turns on: one line per event, by topic.
//
// Pass a DebugLog by reference; there is no global one. Building a message costs
// something, so ask enabled() first on hot paths.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gondolin {

enum class DebugTopic : std::uint8_t { kProtocol, kIngress, kVfs, kExec };

// The name GONDOLIN_DEBUG knows the topic by: "protocol", "ingress", "vfs", "exec".
[[nodiscard]] std::string_view debug_topic_name(DebugTopic topic);

// Which topics are on.
class DebugTopics {
 public:
  // Parses a comma list of topic names; "all" stands for every topic, and
  // "protocol" turns "ingress" on as well, so that it alone shows why a request
  // was answered 404 or 502. Spaces around names are fine. An unknown name is
  // an error that lists the known ones.
  [[nodiscard]] static Result<DebugTopics> parse(std::string_view list);

  void enable(DebugTopic topic) { bits_ |= bit(topic); }
  [[nodiscard]] bool enabled(DebugTopic topic) const { return (bits_ & bit(topic)) != 0; }

 private:
  static constexpr unsigned bit(DebugTopic topic) { return 1U << static_cast<unsigned>(topic); }
  unsigned bits_ = 0;
};

// Sends lines of the enabled topics to one sink. The sink gets the topic and the
// line without a newline, with control bytes already made visible, on whatever
// thread wrote it; it must be callable from several threads at once.
class DebugLog {
 public:
  using Sink = std::function<void(DebugTopic, std::string_view line)>;

  DebugLog() = default;  // nothing enabled
  DebugLog(DebugTopics topics, Sink sink) : topics_(topics), sink_(std::move(sink)) {}

  [[nodiscard]] bool enabled(DebugTopic topic) const { return topics_.enabled(topic) && sink_; }
  void line(DebugTopic topic, std::string_view message) const;

 private:
  DebugTopics topics_;
  Sink sink_;
};

// `text` with control bytes and backslashes as \n, \r, \t, \\ or \xNN, so that
// what a guest or a client sent cannot forge lines or drive a terminal. UTF-8 stays
// readable, but for its control characters (U+0080 to U+009F) and those that are not seen or
// change the direction of writing; other bytes from 0x80 on become \xNN.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace gondolin
