#include "ingress/listeners_file.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "base/debug_log.hpp"
#include "base/parse_number.hpp"

namespace gondolin::ingress {

const std::string_view kInitialListeners =
    "# Which HTTP servers of this VM the host can reach. One route a line:\n"
    "#   <prefix> :<port> [strip_prefix=false]\n"
    "# For example, everything to a server on port 8000, and /api/* to port 9000:\n"
    "#   / :8000\n"
    "#   /api :9000\n"
    "# Changes count at once. /etc/gondolin/status says what is in force.\n";

namespace {

constexpr std::string_view kBlanks = " \t";

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// The peer's text as it may stand in a message: printable and not endless.
std::string quoted(std::string_view text) {
  constexpr std::size_t kMost = 60;
  if (text.size() <= kMost) return "'" + printable(text) + "'";
  return "'" + printable(text.substr(0, kMost)) + "…'";
}

std::string_view next_field(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  std::string_view field = rest.substr(0, rest.find_first_of(kBlanks));
  rest.remove_prefix(field.size());
  return field;
}

// The value after "strip_prefix=", none if it is neither true nor false.
std::optional<StripPrefix> parse_strip(std::string_view value) {
  if (value == "true") return StripPrefix::kYes;
  if (value == "false") return StripPrefix::kNo;
  return std::nullopt;
}

// How a normalized prefix is written so that it reads back as itself: the one "/" that
// reading drops is put behind one that ends with "/".
std::string written(std::string_view prefix) {
  const bool loses_one = prefix.size() > 1 && prefix.ends_with('/');
  return std::string(prefix) + (loses_one ? "/" : "");
}

bool has_dot_segment(std::string_view prefix) {
  std::string path = std::string(prefix) + "/";
  return path.find("/./") != std::string::npos || path.find("/../") != std::string::npos;
}

class Parser {
 public:
  Result<Listeners> parse(std::string_view text);

 private:
  Status parse_line(std::string_view line);
  Status parse_options(std::string_view rest, Route& route);
  void add(Route route);

  tl::unexpected<Error> bad(const std::string& what) const {
    return fail(ErrorCode::kInvalidArgument, fmt::format("line {}: {}", number_, what));
  }
  void warn(const std::string& what) {
    result_.warnings.push_back(fmt::format("line {}: {}", number_, what));
  }

  std::size_t number_ = 0;
  std::unordered_map<std::string, std::size_t> line_of_;  // prefix to its first line
  Listeners result_;
};

Status Parser::parse_options(std::string_view rest, Route& route) {
  constexpr std::string_view kStrip = "strip_prefix=";
  bool strip_seen = false;
  for (std::string_view option; !(option = next_field(rest)).empty();) {
    std::size_t equals = option.find('=');
    if (equals == 0 || equals == std::string_view::npos ||
        std::ranges::any_of(option, is_control)) {
      return bad(fmt::format("invalid option {} (key=value)", quoted(option)));
    }
    if (option.starts_with(kStrip)) {
      auto strip = parse_strip(option.substr(kStrip.size()));
      if (!strip) return bad(fmt::format("invalid option {} (true or false)", quoted(option)));
      if (strip_seen) return bad("strip_prefix given twice");
      strip_seen = true;
      route.strip = *strip;
    }
    result_.canonical.append("\t").append(option);
  }
  return {};
}

Status Parser::parse_line(std::string_view line) {
  std::size_t hash = std::min(line.find('#'), line.size());
  std::string_view comment = line.substr(hash);
  std::string_view rest = line.substr(0, hash);
  std::string_view prefix = next_field(rest);
  if (prefix.empty()) {
    if (!comment.empty()) result_.canonical.append(line);
    return {};
  }
  if (std::string_view fault = prefix_fault(prefix); !fault.empty()) {
    return bad(fmt::format("invalid prefix {} ({})", quoted(prefix), fault));
  }
  std::string_view port_field = next_field(rest);
  if (port_field.empty()) {
    return bad(fmt::format("no port for {} (write '{} :8000')", quoted(prefix), printable(prefix)));
  }
  auto port = port_field.starts_with(':') ? parse_decimal<std::uint16_t>(port_field.substr(1))
                                          : std::nullopt;
  if (!port || *port == 0) {
    return bad(fmt::format("invalid port {} (1-65535)", quoted(port_field)));
  }
  Route route{.prefix = std::string(normalize_prefix(prefix)), .port = Port{*port}};
  result_.canonical.append(written(route.prefix)).append("\t:").append(std::to_string(*port));
  if (Status options = parse_options(rest, route); !options) return options;
  if (!comment.empty()) result_.canonical.append("\t").append(comment);
  add(std::move(route));
  return {};
}

void Parser::add(Route route) {
  auto [first, fresh] = line_of_.emplace(route.prefix, number_);
  if (!fresh) {
    warn(fmt::format("{} is routed by line {} already, which wins", quoted(route.prefix),
                     first->second));
    return;
  }
  if (has_dot_segment(route.prefix)) {
    warn(fmt::format("{} has dot segments and can never match", quoted(route.prefix)));
  }
  result_.routes.push_back(std::move(route));
}

Result<Listeners> Parser::parse(std::string_view text) {
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    // All of them, or a comment's second one would be lost at the next reading.
    while (line.ends_with('\r'))
      line.remove_suffix(1);
    ++number_;
    if (Status parsed = parse_line(line); !parsed) return tl::unexpected(parsed.error());
    result_.canonical.push_back('\n');
  }
  return std::move(result_);
}

}  // namespace

std::string_view prefix_fault(std::string_view prefix) {
  if (!prefix.starts_with('/')) return "must start with /";
  for (char c : prefix) {
    if (c == '?') return "must not hold ?";
    if (c == '#') return "must not hold #";
    if (c == ' ' || is_control(c)) return "must not hold blanks or control bytes";
  }
  return {};
}

std::string_view normalize_prefix(std::string_view prefix) {
  if (prefix.size() > 1 && prefix.ends_with('/')) prefix.remove_suffix(1);
  return prefix;
}

Result<Listeners> parse_listeners(std::string_view text) {
  if (text.size() > kMaxListenersBytes) {
    return fail(ErrorCode::kLimit, "the file is larger than 64 KiB");
  }
  if (text.find('\0') == std::string_view::npos) return Parser().parse(text);
  std::string without_nul(text);
  std::erase(without_nul, '\0');
  return Parser().parse(without_nul);
}

std::string render_listeners(std::span<const Route> routes) {
  std::string text;
  for (const Route& route : routes) {
    text +=
        fmt::format("{}\t:{}{}\n", written(route.prefix), static_cast<std::uint16_t>(route.port),
                    route.strip == StripPrefix::kNo ? "\tstrip_prefix=false" : "");
  }
  return text;
}

}  // namespace gondolin::ingress
