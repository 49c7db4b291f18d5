#include "vm/find_qemu.hpp"

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace gondolin::vm {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::optional<std::filesystem::path> find_program(std::string_view name) {
  auto executable = [](const std::filesystem::path& path) {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string_view::npos) {
    std::filesystem::path path = std::filesystem::absolute(name);
    return executable(path) ? std::optional(path) : std::nullopt;
  }
  std::string_view rest = environment("PATH");
  while (!rest.empty()) {
    std::string_view directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(directory.size() + 1, rest.size()));
    std::filesystem::path path = std::filesystem::path(directory) / name;
    if (path.is_absolute() && executable(path)) return path;
  }
  return std::nullopt;
}

}  // namespace

Result<std::filesystem::path> find_qemu() {
  std::string_view wanted = environment("GONDOLIN_QEMU");
  std::string_view name = wanted.empty() ? "qemu-system-x86_64" : wanted;
  if (auto found = find_program(name)) return *found;
  if (!wanted.empty()) {
    return fail(ErrorCode::kUnavailable,
                "GONDOLIN_QEMU names " + std::string(wanted) + ", which is no program");
  }
  return fail(ErrorCode::kUnavailable,
              "qemu-system-x86_64 is not installed: install the package qemu-system-x86 "
              "(apt-get install qemu-system-x86)");
}

}  // namespace gondolin::vm
