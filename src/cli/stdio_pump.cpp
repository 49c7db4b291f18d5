#include "cli/stdio_pump.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "gondolin/error.hpp"

namespace gondolin::cli {
namespace {

constexpr std::size_t kBufferSize = 32 * 1024;

// Writes everything; false when nobody reads `fd` any more. The descriptor may
// have been made non-blocking by whoever shares it.
bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      pollfd writable{fd, POLLOUT, 0};
      ::poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

StdioPump::StdioPump(Process& process, Options options)
    : process_(process), options_(std::move(options)), stop_fd_(::eventfd(0, EFD_CLOEXEC)) {
  if (stop_fd_ < 0) throw std::system_error(errno, std::generic_category(), "cannot make an event");
  input_ = std::thread([this] { pump_input(); });
  output_ = std::thread(
      [this] { pump_output({&Process::read_stdout, &Process::close_stdout, STDOUT_FILENO}); });
  errors_ = std::thread(
      [this] { pump_output({&Process::read_stderr, &Process::close_stderr, STDERR_FILENO}); });
}

StdioPump::~StdioPump() {
  output_.join();
  errors_.join();
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(stop_fd_, &one, sizeof one);
  input_.join();
  ::close(stop_fd_);
}

void StdioPump::pump_input() try {
  std::array<std::byte, kBufferSize> buffer;
  std::array<pollfd, 2> fds{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{stop_fd_, POLLIN, 0}};
  while (true) {
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[1].revents != 0) return;
    ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) break;
    if (!forward_input(std::span(buffer).first(static_cast<std::size_t>(count)))) return;
  }
  process_.close_stdin();
} catch (const ApiError&) {
  // The VM is gone; Process::wait() tells the user.
}

bool StdioPump::forward_input(std::span<const std::byte> bytes) {
  if (options_.escape) {
    auto found = std::find(bytes.begin(), bytes.end(), std::byte{*options_.escape});
    if (found != bytes.end()) {
      options_.on_escape();
      return false;
    }
  }
  return process_.write_stdin(bytes);
}

void StdioPump::pump_output(const Output& output) try {
  std::array<std::byte, kBufferSize> buffer;
  while (true) {
    std::size_t count = (process_.*output.read)(buffer);
    if (count == 0) return;
    if (!write_all(output.fd, std::span(buffer).first(count))) {
      (process_.*output.close)();
      return;
    }
  }
} catch (const ApiError&) {
  // As above.
}

}  // namespace gondolin::cli
