#include "base/debug_log.hpp"

#include <array>

namespace gondolin {
namespace {

constexpr std::array kTopics = {DebugTopic::kProtocol, DebugTopic::kIngress, DebugTopic::kVfs,
                                DebugTopic::kExec};

std::string_view trim(std::string_view text) {
  auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

Status enable_named(DebugTopics& topics, std::string_view name) {
  bool known = name == "all";
  for (DebugTopic topic : kTopics) {
    if (name != "all" && name != debug_topic_name(topic)) continue;
    topics.enable(topic);
    known = true;
  }
  if (!known) {
    return fail(ErrorCode::kInvalidArgument, "unknown debug topic '" + printable(name) +
                                                 "' (protocol, ingress, vfs, exec, all)");
  }
  if (name == "protocol") topics.enable(DebugTopic::kIngress);
  return {};
}

}  // namespace

std::string_view debug_topic_name(DebugTopic topic) {
  switch (topic) {
    case DebugTopic::kProtocol:
      return "protocol";
    case DebugTopic::kIngress:
      return "ingress";
    case DebugTopic::kVfs:
      return "vfs";
    case DebugTopic::kExec:
      return "exec";
  }
  return "unknown";
}

Result<DebugTopics> DebugTopics::parse(std::string_view list) {
  DebugTopics topics;
  while (!list.empty()) {
    auto comma = list.find(',');
    std::string_view name = trim(list.substr(0, comma));
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    if (name.empty()) continue;
    if (auto status = enable_named(topics, name); !status) return tl::unexpected(status.error());
  }
  return topics;
}

void DebugLog::line(DebugTopic topic, std::string_view message) const {
  if (enabled(topic)) sink_(topic, printable(message));
}

std::string printable(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 0xf];
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace gondolin
