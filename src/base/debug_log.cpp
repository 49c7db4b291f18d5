#include "base/debug_log.hpp"

#include <algorithm>
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

void append_hex(std::string& out, char c) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += "\\x";
  out += kHex[byte >> 4];
  out += kHex[byte & 0xf];
}

// Whether a character of Unicode is not seen, or turns around what stands beside it: spaces
// without a width, marks and overrides of direction, line separators, the byte order mark.
bool deceives(char32_t character) {
  return (character >= 0x200b && character <= 0x200f) ||
         (character >= 0x2028 && character <= 0x202e) ||
         (character >= 0x2060 && character <= 0x206f) || character == 0xfeff;
}

// The length of the character that `text` begins with, 0 if it is none of UTF-8 (RFC
// 3629: no surrogates, nothing longer than it need be), a control, a backslash, or deceives.
std::size_t printable_utf8(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return first >= 0x20 && first != 0x7f && first != '\\' ? 1 : 0;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  char32_t character = first & (0xffU >> (size + 1));
  for (char c : text.substr(1, size - 1)) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) return 0;
    character = character << 6 | (static_cast<unsigned char>(c) & 0x3f);
  }
  constexpr std::array<char32_t, 5> kFirst = {0, 0, 0xa0, 0x800, 0x10000};
  if (character < kFirst[size] || character > 0x10ffff) return 0;
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  return surrogate || deceives(character) ? 0 : size;
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
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = printable_utf8(text);
    if (size > 0) {
      out += text.substr(0, size);
    } else if (const char c = text.front(); c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      append_hex(out, c);
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

}  // namespace gondolin
