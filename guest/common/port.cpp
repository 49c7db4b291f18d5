#include "guest/common/port.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "base/check.hpp"

namespace gondolin::guest {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPortsDirectory = "/sys/class/virtio-ports";
constexpr std::chrono::seconds kOpenDeadline{10};
constexpr int kRetryMs = 5;

// What one read(2) gives at most: the kernel's buffers of a port are pages.
constexpr std::size_t kPortBuffer = 4096;

// The device node ("/dev/vport0p1") of the port called `name`, if it is there yet.
std::optional<std::string> find_port(std::string_view name) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(kPortsDirectory, error)) {
    std::ifstream file(entry.path() / "name");
    std::string found;
    if (std::getline(file, found) && found == name) {
      return "/dev/" + entry.path().filename().string();
    }
  }
  return std::nullopt;
}

}  // namespace

Result<UniqueFd> open_port(std::string_view name) {
  auto deadline = std::chrono::steady_clock::now() + kOpenDeadline;
  while (true) {
    auto node = find_port(name);
    if (node) {
      UniqueFd fd(::open(node->c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
      if (fd.valid()) return fd;
      if (errno != EBUSY && errno != ENOENT && errno != ENXIO) return fail_errno(*node, errno);
    }
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(ErrorCode::kTimeout,
                  "the port " + std::string(name) + (node ? " is in use" : " does not exist"));
    }
    ::poll(nullptr, 0, kRetryMs);
  }
}

Port::Port(UniqueFd fd) : fd_(std::move(fd)) {
  struct stat status{};
  GONDOLIN_CHECK(::fstat(fd_.get(), &status) == 0);
  is_socket_ = S_ISSOCK(status.st_mode);
  int flags = ::fcntl(fd_.get(), F_GETFL);
  GONDOLIN_CHECK(flags >= 0 && ::fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK) == 0);
}

Status Port::watch(Epoll& epoll, std::uint64_t tag) {
  epoll_ = &epoll;
  tag_ = tag;
  watched_events_ = wanted_events();
  return epoll.add(fd_.get(), watched_events_, tag);
}

Status Port::expect() {
  const std::uint32_t wanted = wanted_events();
  if (wanted == watched_events_) return {};
  watched_events_ = wanted;
  return epoll_->modify(fd_.get(), wanted, tag_);
}

// What is known to work is not asked for, lest epoll never waits; but it also reports,
// unasked, that no host is attached.
std::uint32_t Port::wanted_events() const {
  std::uint32_t events = 0;
  if (!readable_ || !attached_) events |= EPOLLIN;
  if (!writable_) events |= EPOLLOUT;
  if (readable_ || !attached_) events |= EPOLLET;
  return events;
}

void Port::on_event(std::uint32_t events) {
  constexpr std::uint32_t kBoth = EPOLLHUP | EPOLLERR;
  if (events & (EPOLLIN | kBoth)) readable_ = true;
  if (events & (EPOLLOUT | kBoth)) writable_ = true;
}

Result<std::size_t> Port::read(MutableBytes space) {
  GONDOLIN_CHECK(!space.empty());
  ssize_t count = ::read(fd_.get(), space.data(), space.size());
  if (count > 0) {
    const auto size = static_cast<std::size_t>(count);
    attached_ = true;
    readable_ = size == space.size() || size >= kPortBuffer;
    return size;
  }
  if (count == 0 && is_socket_) return fail(ErrorCode::kClosed, "the host end was closed");
  if (count < 0 && errno == EINTR) return 0;
  if (count < 0 && errno != EAGAIN) return failed("reading the port");
  attached_ = count < 0;
  readable_ = false;
  return 0;
}

tl::unexpected<Error> Port::failed(const char* what) const {
  bool closed = is_socket_ && (errno == EPIPE || errno == ECONNRESET);
  return closed ? fail(ErrorCode::kClosed, "the host end was closed") : fail_errno(what, errno);
}

Result<std::size_t> Port::write(Bytes frames) {
  GONDOLIN_CHECK(frames.size() <= wire::kMaxFrame);
  ssize_t count = ::write(fd_.get(), frames.data(), frames.size());
  if (count > 0) return static_cast<std::size_t>(count);
  if (count < 0 && errno == EINTR) return 0;
  if (count < 0 && errno != EAGAIN) return failed("writing the port");
  writable_ = false;
  return 0;
}

wire::Nonce fresh_nonce() {
  wire::Nonce nonce{};
  while (::getrandom(nonce.data(), nonce.size(), 0) != static_cast<ssize_t>(nonce.size())) {
    GONDOLIN_CHECK(errno == EINTR);
  }
  return nonce;
}

}  // namespace gondolin::guest
