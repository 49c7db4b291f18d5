#include "io/file_watch.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/unique_fd.hpp"

namespace gondolin {

namespace asio = boost::asio;

namespace {

constexpr std::uint32_t kOfFile = IN_CREATE | IN_OPEN | IN_MODIFY | IN_CLOSE | IN_DELETE | IN_MOVE;
constexpr std::uint32_t kOfDirectory = IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t kEndsWatch = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT;
constexpr std::uint32_t kReplaces = IN_DELETE | IN_MOVE;

// How often a vanished directory is looked for.
constexpr std::chrono::milliseconds kRetry{50};

}  // namespace

class FileWatch::Impl : public std::enable_shared_from_this<FileWatch::Impl> {
 public:
  Impl(const asio::any_io_executor& executor, const std::filesystem::path& file,
       std::function<void()> on_change)
      : directory_(file.parent_path()),
        name_(file.filename()),
        on_change_(std::move(on_change)),
        events_(executor),
        retry_(executor) {}

  Status start() {
    int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return fail_errno("inotify", errno);
    events_.assign(fd);
    if (!watch()) return fail_errno("cannot watch " + directory_.string(), errno);
    read();
    return {};
  }

  void stop() {
    on_change_ = nullptr;
    boost::system::error_code ignored;
    events_.close(ignored);
    retry_.cancel();
  }

 private:
  bool watch() {
    watch_ = ::inotify_add_watch(events_.native_handle(), directory_.c_str(),
                                 kOfFile | kOfDirectory | IN_ONLYDIR);
    open_count_ = 0;
    return watch_ >= 0;
  }

  void read() {
    events_.async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](boost::system::error_code error, std::size_t n) {
          if (error || !self->on_change_) return;
          self->take(n);
          self->read();
        });
  }

  void take(std::size_t size) {
    bool changed = false;
    bool ended = false;
    for (std::size_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer_.data() + at);
      at += sizeof(inotify_event) + event->len;
      if ((event->mask & IN_Q_OVERFLOW) != 0) changed = true;
      if (event->wd != watch_) continue;
      if ((event->mask & kEndsWatch) != 0) ended = true;
      if (event->len > 0 && name_ == event->name) changed |= changes(event->mask);
    }
    if (ended) {
      ::inotify_rm_watch(events_.native_handle(), watch_);
      watch_ = -1;
      look_again();
    }
    if ((changed || ended) && on_change_) on_change_();
  }

  // Counts who has the file open. The kernel merges equal events that follow each
  // other, so the count may be too low, which only ever means one look too many.
  bool changes(std::uint32_t mask) {
    if ((mask & IN_OPEN) != 0) ++open_count_;
    if ((mask & IN_CLOSE) != 0 && open_count_ > 0) --open_count_;
    if ((mask & kReplaces) != 0) {
      open_count_ = 0;
      return true;
    }
    if ((mask & IN_CLOSE_WRITE) != 0) return true;
    // truncate(2) needs no open file. A hard link's creation needs none either.
    return (mask & (IN_MODIFY | IN_CREATE)) != 0 && open_count_ == 0;
  }

  void look_again() {
    retry_.expires_after(kRetry);
    retry_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (error || !self->on_change_) return;
      if (self->watch()) {
        self->on_change_();
      } else {
        self->look_again();
      }
    });
  }

  std::filesystem::path directory_;
  std::string name_;
  std::function<void()> on_change_;
  asio::posix::stream_descriptor events_;
  asio::steady_timer retry_;
  int watch_ = -1;
  int open_count_ = 0;
  alignas(inotify_event) std::array<char, 16 * 1024> buffer_;
};

Result<FileWatch> FileWatch::start(const asio::any_io_executor& executor,
                                   const std::filesystem::path& file,
                                   std::function<void()> on_change) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::absolute(file, error);
  if (error || !path.has_filename()) {
    return fail(ErrorCode::kInvalidArgument, "not a file's path: " + file.string());
  }
  auto impl = std::make_shared<Impl>(executor, path, std::move(on_change));
  if (Status started = impl->start(); !started) return tl::unexpected(started.error());
  return FileWatch(std::move(impl));
}

FileWatch::~FileWatch() {
  if (impl_) impl_->stop();
}

Result<std::string> read_small_file(const std::filesystem::path& file, std::size_t most) {
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    if (errno == ENOENT) return fail(ErrorCode::kNotFound, file.string() + " does not exist");
    return fail_errno("cannot read " + file.string(), errno);
  }
  struct stat about{};
  if (::fstat(fd.get(), &about) != 0) return fail_errno("cannot read " + file.string(), errno);
  if (!S_ISREG(about.st_mode)) {
    return fail(ErrorCode::kInvalidArgument, file.string() + " is not a regular file");
  }
  std::string content(most + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    ssize_t n = ::read(fd.get(), content.data() + size, content.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("cannot read " + file.string(), errno);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  content.resize(size);
  return content;
}

Status replace_file(const std::filesystem::path& file, const std::string& content) {
  std::string temporary = file.string() + ".XXXXXX";
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return fail_errno("cannot write " + file.string(), errno);
  auto give_up = [&](int os_error) {
    ::unlink(temporary.c_str());
    return fail_errno("cannot write " + file.string(), os_error);
  };
  struct stat about{};
  const mode_t mode = ::stat(file.c_str(), &about) == 0 ? about.st_mode & 0777 : 0644;
  if (::fchmod(fd.get(), mode) != 0) return give_up(errno);
  for (std::size_t done = 0; done < content.size();) {
    ssize_t n = ::write(fd.get(), content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return give_up(errno);
    done += static_cast<std::size_t>(n);
  }
  if (::rename(temporary.c_str(), file.c_str()) != 0) return give_up(errno);
  return {};
}

}  // namespace gondolin
