#include "guest/sandboxd/environment.hpp"

#include <algorithm>

namespace gondolin::guest {
namespace {

constexpr std::string_view kDefaults[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "USER=root",
    "LOGNAME=root",
    "SHELL=/bin/sh",
    "LANG=C.UTF-8",
};

std::string_view name_of(std::string_view assignment) {
  return assignment.substr(0, assignment.find('='));
}

void set(std::vector<std::string>& environment, std::string_view assignment) {
  auto same = [&](const std::string& other) { return name_of(other) == name_of(assignment); };
  auto found = std::ranges::find_if(environment, same);
  if (found == environment.end()) {
    environment.emplace_back(assignment);
  } else {
    *found = assignment;
  }
}

}  // namespace

std::vector<std::string> environment_for(const wire::Spawn& spawn) {
  std::vector<std::string> environment(std::begin(kDefaults), std::end(kDefaults));
  if (spawn.terminal) environment.emplace_back("TERM=xterm-256color");
  for (const auto& assignment : spawn.environment)
    set(environment, assignment);
  return environment;
}

std::string_view variable(const std::vector<std::string>& environment, std::string_view name) {
  for (std::string_view assignment : environment) {
    if (name_of(assignment) == name && assignment.size() > name.size()) {
      return assignment.substr(name.size() + 1);
    }
  }
  return {};
}

std::vector<std::string> candidates_for(const std::string& command, std::string_view path) {
  if (command.find('/') != std::string::npos) return {command};
  std::vector<std::string> candidates;
  if (command.empty()) return candidates;
  while (true) {
    std::size_t colon = path.find(':');
    std::string directory(path.substr(0, colon));
    candidates.push_back((directory.empty() ? "." : directory) + "/" + command);
    if (colon == std::string_view::npos) return candidates;
    path.remove_prefix(colon + 1);
  }
}

}  // namespace gondolin::guest
