#include "guest/sandboxd/session.hpp"

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>

#include "base/parse_number.hpp"

namespace gondolin::guest {
namespace {

namespace fs = std::filesystem;

constexpr int kLooks = 8;

// The session of a process: the fourth field behind the name in /proc/PID/stat. The
// name may hold anything, parentheses too.
pid_t session_of(const fs::path& process) {
  std::ifstream file(process / "stat");
  std::string line;
  std::getline(file, line);
  std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return -1;
  std::string_view rest = std::string_view(line).substr(name_end + 1);
  // " S ppid pgrp session ..."
  for (int field = 0; field < 4; ++field) {
    std::size_t space = rest.find(' ');
    if (space == std::string_view::npos) return -1;
    rest.remove_prefix(space + 1);
  }
  auto session = parse_decimal<unsigned>(rest.substr(0, rest.find(' ')));
  return session ? static_cast<pid_t>(*session) : -1;
}

}  // namespace

void signal_session(pid_t session, int number) {
  std::set<pid_t> signaled;
  for (int look = 0; look < kLooks; ++look) {
    bool found_new = false;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
      auto pid = parse_decimal<unsigned>(entry.path().filename().string());
      if (!pid || session_of(entry.path()) != session) continue;
      if (!signaled.insert(static_cast<pid_t>(*pid)).second) continue;
      ::kill(static_cast<pid_t>(*pid), number);
      found_new = true;
    }
    if (!found_new) return;
  }
}

}  // namespace gondolin::guest
