#include "cli/running_processes.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>

namespace gondolin::cli {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The first word behind each name of a status file.
std::map<std::string, std::string> status_of(const fs::path& directory) {
  std::map<std::string, std::string> fields;
  std::istringstream lines(read_file(directory / "status"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    words >> fields[name];
  }
  return fields;
}

// What the command line says that it is; nothing when it is not one of ours.
std::optional<std::string> role_of(const std::string& command) {
  using namespace std::string_view_literals;
  if (command.find("\0-name\0gondolin\0"sv) != std::string::npos) return "QEMU";
  const std::string_view program = std::string_view(command).substr(0, command.find('\0'));
  if (fs::path(program).filename() != "gondolin") return std::nullopt;
  std::string_view rest = std::string_view(command).substr(program.size());
  for (std::string_view name : {"gateway", "exec", "bash"}) {
    if (rest.substr(std::min<std::size_t>(1, rest.size())).starts_with(std::string(name) + '\0'))
      return std::string(name);
  }
  return std::nullopt;
}

bool every_thread_has_a_filter(const fs::path& directory) {
  std::error_code error;
  for (fs::directory_iterator task(directory / "task", error); !error && task != end(task);
       task.increment(error)) {
    if (status_of(task->path())["Seccomp:"] != "2") return false;
  }
  return !error;
}

}  // namespace

std::vector<RunningProcess> running_processes() {
  std::vector<RunningProcess> found;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error); !error && entry != end(entry);
       entry.increment(error)) {
    const fs::path& directory = entry->path();
    const std::string name = directory.filename().string();
    int pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc()) continue;
    auto role = role_of(read_file(directory / "cmdline"));
    if (!role) continue;
    auto status = status_of(directory);
    if (status["Uid:"].empty()) continue;
    found.push_back(
        {.pid = pid,
         .what = *role,
         .user = status["Uid:"],
         .no_new_privileges = status["NoNewPrivs:"] == "1",
         .seccomp = every_thread_has_a_filter(directory),
         .capabilities = status["CapEff:"].find_first_not_of('0') != std::string::npos});
  }
  std::ranges::sort(found, {}, &RunningProcess::pid);
  return found;
}

}  // namespace gondolin::cli
