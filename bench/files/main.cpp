// bench-files: operations per second on a directory, for scripts/bench fs. It runs inside
// the guest, on /etc/gondolin and on a tmpfs.
//
//   bench-files DIRECTORY MILLISECONDS     prints one line of JSON: the rate of each operation
//
// Each operation is repeated alone for so long, on small files of its own, which are removed
// at the end.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "base/parse_number.hpp"
#include "base/unique_fd.hpp"
#include "common/sockets.hpp"

namespace gondolin::bench {
namespace {

using Clock = std::chrono::steady_clock;

// The size of a small table of routes.
constexpr std::size_t kFileSize = 200;

void require(bool done, const std::string& what) {
  if (!done) give_up(what + ": " + std::strerror(errno));
}

UniqueFd open_file(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  require(fd.valid(), path);
  return fd;
}

void write_file(const std::string& path) {
  static const std::string content(kFileSize, '#');
  const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  require(::write(fd.get(), content.data(), content.size()) == kFileSize, path);
}

void read_file(const std::string& path) {
  std::array<char, 4096> content{};
  const UniqueFd fd = open_file(path, O_RDONLY);
  require(::read(fd.get(), content.data(), content.size()) == kFileSize, path);
}

void stat_file(const std::string& path) {
  struct stat status{};
  require(::stat(path.c_str(), &status) == 0, path);
}

// Calls `operation` for `duration`; how often it did so in a second.
template <typename Operation>
double rate(std::chrono::milliseconds duration, Operation operation) {
  const auto begin = Clock::now();
  std::uint64_t count = 0;
  do {
    operation();
    ++count;
  } while (Clock::now() - begin < duration);
  return static_cast<double>(count) / std::chrono::duration<double>(Clock::now() - begin).count();
}

void run(const std::string& directory, std::chrono::milliseconds duration) {
  std::string path = directory + "/bench-a";
  std::string other = directory + "/bench-b";
  const double writes = rate(duration, [&] { write_file(path); });
  const double reads = rate(duration, [&] { read_file(path); });
  const double stats = rate(duration, [&] { stat_file(path); });
  const double renames = rate(duration, [&] {
    require(::rename(path.c_str(), other.c_str()) == 0, path);
    std::swap(path, other);
  });
  ::unlink(path.c_str());
  std::printf("{\"stat\": %.1f, \"read\": %.1f, \"write\": %.1f, \"rename\": %.1f}\n", stats, reads,
              writes, renames);
}

}  // namespace
}  // namespace gondolin::bench

int main(int argc, char** argv) {
  const auto milliseconds = argc == 3 ? gondolin::parse_decimal<unsigned>(argv[2]) : std::nullopt;
  if (!milliseconds) gondolin::bench::give_up("usage: bench-files DIRECTORY MILLISECONDS");
  gondolin::bench::run(argv[1], std::chrono::milliseconds(*milliseconds));
}
