#include "vm/tail_reader.hpp"

#include <unistd.h>

#include <array>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "io/spawn.hpp"
#include "vm/console_ring.hpp"

namespace gondolin::vm {

// Lives as long as the reader or its loop.
class TailReader::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(const asio::any_io_executor& executor, UniqueFd fd, std::size_t max_lines)
      : descriptor_(executor, fd.release()), ring_(max_lines) {
    descriptor_.non_blocking(true);
  }

  void start() {
    spawn(descriptor_.get_executor(), [self = shared_from_this()] { return self->read_loop(); });
  }

  void close() {
    boost::system::error_code ignored;
    descriptor_.close(ignored);
  }

  void catch_up() {
    if (!descriptor_.is_open()) return;
    ssize_t count = 0;
    while ((count = ::read(descriptor_.native_handle(), buffer_.data(), buffer_.size())) > 0) {
      take(static_cast<std::size_t>(count));
    }
  }

  [[nodiscard]] const ConsoleRing& ring() const { return ring_; }
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  Awaitable<void> read_loop() {
    while (descriptor_.is_open()) {
      boost::system::error_code error;
      co_await descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                                      asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
      ssize_t count = ::read(descriptor_.native_handle(), buffer_.data(), buffer_.size());
      if (count == 0) co_return;
      if (count > 0) take(static_cast<std::size_t>(count));
    }
  }

  void take(std::size_t count) {
    bytes_read_ += count;
    ring_.add(Bytes(buffer_).first(count));
  }

  asio::posix::stream_descriptor descriptor_;
  ConsoleRing ring_;
  std::uint64_t bytes_read_ = 0;
  std::array<std::byte, 4096> buffer_{};
};

TailReader::TailReader(const boost::asio::any_io_executor& executor, UniqueFd fd,
                       std::size_t max_lines)
    : core_(std::make_shared<Core>(executor, std::move(fd), max_lines)) {
  core_->start();
}

TailReader::~TailReader() {
  core_->close();
}

void TailReader::catch_up() {
  core_->catch_up();
}

std::vector<std::string> TailReader::lines() const {
  return core_->ring().lines();
}

std::uint64_t TailReader::bytes_read() const {
  return core_->bytes_read();
}

}  // namespace gondolin::vm
