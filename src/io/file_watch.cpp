#include "io/file_watch.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/unique_fd.hpp"
#include "io/link_path.hpp"

namespace gondolin {

namespace asio = boost::asio;

namespace {

constexpr std::uint32_t kOfFile = IN_CREATE | IN_OPEN | IN_MODIFY | IN_CLOSE | IN_DELETE | IN_MOVE;
constexpr std::uint32_t kOfLink = IN_CREATE | IN_DELETE | IN_MOVE;
constexpr std::uint32_t kOfDirectory = IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t kEndsWatch = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT;
constexpr std::uint32_t kReplaces = IN_DELETE | IN_MOVE;
constexpr std::uint32_t kTouches = IN_MODIFY | IN_CLOSE_WRITE | IN_CREATE | kReplaces;

// How often a vanished directory is looked for.
constexpr std::chrono::milliseconds kRetry{50};
// How long what may be the beginning of a change is given to become one: a file that was
// truncated is written next, one that was moved away is replaced.
constexpr std::chrono::milliseconds kSettle{30};
// How long a file that somebody has modified and not closed must rest to count as written.
constexpr std::chrono::milliseconds kRest{1000};

constexpr int kMostAttempts = 5;

UniqueFd open_to_read(const std::filesystem::path& file) {
  return UniqueFd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

tl::unexpected<Error> cannot_read(const std::filesystem::path& file, int error) {
  if (error == ENOENT) return fail(ErrorCode::kNotFound, file.string() + " does not exist");
  return fail_errno("cannot read " + file.string(), error);
}

enum class Writers : std::uint8_t { kNone, kSome, kUnknown };

// Whether somebody has the file open to write it. Where nobody has, nobody can until `fd`
// is closed: opening it waits for that. Not every file system and owner has this.
Writers hold_off_writers(const UniqueFd& fd) {
  // The signal that tells of a writer who waits, of whom we need not know: one that is
  // ignored unless asked for.
  ::fcntl(fd.get(), F_SETSIG, SIGURG);
  if (::fcntl(fd.get(), F_SETLEASE, F_RDLCK) == 0) return Writers::kNone;
  return errno == EAGAIN ? Writers::kSome : Writers::kUnknown;
}

Result<std::string> read_open_file(const UniqueFd& fd, const std::filesystem::path& file,
                                   std::size_t most) {
  struct stat about{};
  if (::fstat(fd.get(), &about) != 0) return cannot_read(file, errno);
  if (!S_ISREG(about.st_mode)) {
    return fail(ErrorCode::kInvalidArgument, file.string() + " is not a regular file");
  }
  std::string content(most + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    ssize_t n = ::read(fd.get(), content.data() + size, content.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cannot_read(file, errno);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  content.resize(size);
  return content;
}

}  // namespace

class FileWatch::Impl : public std::enable_shared_from_this<FileWatch::Impl> {
 public:
  Impl(const asio::any_io_executor& executor, const std::filesystem::path& file,
       std::function<void()> on_change)
      : file_(file),
        on_change_(std::move(on_change)),
        events_(executor),
        retry_(executor),
        settle_(executor) {}

  Status start() {
    int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return fail_errno("inotify", errno);
    events_.assign(fd);
    watch();
    if (const int error = names_.front().error; error != 0) {
      return fail_errno("cannot watch " + file_.parent_path().string(), error);
    }
    read();
    return {};
  }

  void stop() {
    on_change_ = nullptr;
    boost::system::error_code ignored;
    events_.close(ignored);
    retry_.cancel();
    settle_.cancel();
  }

  // What somebody writes is not read, unless it has rested since it was last refused.
  Result<std::string> read_settled(std::size_t most) {
    UniqueFd fd = open_to_read(file_);
    const int error = errno;
    const Writers writers = fd.valid() ? hold_off_writers(fd) : Writers::kNone;
    take_pending(Reader::kOther);  // what led to the content that is there now
    const bool written = is_written(writers, open_count_ - (fd.valid() ? 1 : 0));
    const bool quiet = touches_ == std::exchange(touches_seen_, touches_);
    const auto refused = fail(ErrorCode::kRefused, file_.string() + " is being written");
    Result<std::string> content = refused;
    if (writers == Writers::kNone || (quiet && !written)) {
      modified_ = false;
      content = fd.valid() ? read_open_file(fd, file_, most) : cannot_read(file_, error);
    } else {
      look_later(written ? kRest : kSettle);
    }
    fd.reset();
    if (take_pending(Reader::kThis) == Touched::kYes) {
      look_later(kSettle);
      if (writers != Writers::kNone) content = refused;  // nothing held them off meanwhile
    }
    return content;
  }

 private:
  enum class Touched : std::uint8_t { kNo, kYes };
  enum class Reader : std::uint8_t { kOther, kThis };  // whose opening and closing we see

  // What the events of one batch come to.
  struct Batch {
    Touched touched = Touched::kNo;  // by anything but readers
    bool settled = false;            // a change is complete
    bool moved = false;              // the way to the file
  };

  // A name that decides what the file is, and the watch of its directory.
  struct Name {
    std::filesystem::path path;
    int watch = -1;
    int error = 0;  // why there is none

    bool operator==(const Name&) const = default;
  };

  // Watches every name on the way to the file. Again, until the way did not change
  // meanwhile: a link that did before it was watched is not told of.
  void watch() {
    for (int attempts = 0; attempts < kMostAttempts; ++attempts) {
      std::vector<Name> names;
      for (const std::filesystem::path& path : names_on_the_way(file_))
        names.push_back(watched(path));
      std::swap(names_, names);
      if (names == names_) break;
      open_count_ = 0;
      for (const Name& old : names) {
        if (!is_watched(old.watch)) ::inotify_rm_watch(events_.native_handle(), old.watch);
      }
    }
    if (std::ranges::any_of(names_, [](const Name& name) { return name.error != 0; })) look_again();
  }

  Name watched(const std::filesystem::path& path) {
    std::error_code ignored;
    const bool link = std::filesystem::is_symlink(path, ignored);
    const std::uint32_t mask = (link ? kOfLink : kOfFile) | kOfDirectory | IN_ONLYDIR | IN_MASK_ADD;
    Name name{.path = path};
    name.watch = ::inotify_add_watch(events_.native_handle(), path.parent_path().c_str(), mask);
    if (name.watch < 0) name.error = errno;
    return name;
  }

  [[nodiscard]] bool is_watched(int watch) const {
    return std::ranges::find(names_, watch, &Name::watch) != names_.end();
  }

  void read() {
    events_.async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](boost::system::error_code error, std::size_t n) {
          if (error || !self->on_change_) return;
          const Batch batch = self->take(n, Reader::kOther);
          if ((batch.settled || batch.moved) && self->on_change_) self->on_change_();
          self->read();
        });
  }

  // Takes the events that wait, without telling of them: whoever asks is about to look.
  Touched take_pending(Reader reader) {
    Touched touched = Touched::kNo;
    for (;;) {
      const ssize_t n = ::read(events_.native_handle(), buffer_.data(), buffer_.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return touched;
      if (take(static_cast<std::size_t>(n), reader).touched == Touched::kYes) {
        touched = Touched::kYes;
      }
    }
  }

  Batch take(std::size_t size, Reader reader) {
    Batch batch;
    bool replaced = false;  // a name on the way is another's
    for (std::size_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer_.data() + at);
      at += sizeof(inotify_event) + event->len;
      if ((event->mask & IN_Q_OVERFLOW) != 0) batch.settled = true;
      if (!is_watched(event->wd)) continue;
      if ((event->mask & kEndsWatch) != 0) batch.moved = true;
      if (event->len == 0 || !names(event->wd, event->name)) continue;
      batch.settled |= settles(event->mask, reader);
      replaced |= (event->mask & (kReplaces | IN_CREATE)) != 0;
      if ((event->mask & kTouches) != 0) batch.touched = Touched::kYes;
    }
    if (batch.moved || replaced) watch();
    if (batch.settled || batch.moved) batch.touched = Touched::kYes;
    if (batch.touched == Touched::kYes) {
      ++touches_;
      touched_ = std::chrono::steady_clock::now();
    }
    return batch;
  }

  [[nodiscard]] bool names(int watch, const char* entry) const {
    return std::ranges::any_of(names_, [&](const Name& name) {
      return name.watch == watch && name.path.filename() == entry;
    });
  }

  // Whether somebody is at it: who modified the file, and not a reader, has it open. Who
  // has just opened it may be truncating it: a file system is slow at that, and has the
  // file empty before it tells of it.
  [[nodiscard]] bool is_written(Writers writers, int others) const {
    if (std::chrono::steady_clock::now() - touched_ >= kRest) return false;
    return writers == Writers::kSome ? modified_ || others > 0
                                     : writers == Writers::kUnknown && modified_ && others > 0;
  }

  // Looks whether somebody is writing now, and arranges to look again later if so.
  [[nodiscard]] bool being_written() {
    UniqueFd fd = open_to_read(file_);
    const Writers writers = fd.valid() ? hold_off_writers(fd) : Writers::kUnknown;
    const bool written = is_written(writers, open_count_);
    fd.reset();
    const bool touched = take_pending(Reader::kThis) == Touched::kYes;
    if (touched || written) look_later(touched ? kSettle : kRest);
    return touched || written;
  }

  // Takes one event of the file: whether a change is complete by it. Counts who has the
  // file open; the kernel merges equal events that follow each other, so that the count
  // may be too low.
  bool settles(std::uint32_t mask, Reader reader) {
    if ((mask & IN_OPEN) != 0) ++open_count_;
    if ((mask & IN_CLOSE) != 0 && open_count_ > 0) --open_count_;
    if ((mask & kReplaces) != 0) open_count_ = 0;
    if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) {
      modified_ = false;
      due_ = false;
      return true;
    }
    // What O_TRUNC, truncate(2) or an editor's rename(2) tells of is no state of its own
    // where more follows at once.
    if ((mask & kTouches) != 0) modified_ = true;
    const bool last_closed =
        (mask & IN_CLOSE_NOWRITE) != 0 && modified_ && open_count_ == 0 && reader == Reader::kOther;
    if ((mask & kTouches) != 0 || last_closed) look_later(kSettle);
    return false;
  }

  // Tells of a change that nothing completed, truncate(2) or removal, and of one that was
  // not read.
  void look_later(std::chrono::milliseconds pause) {
    due_ = true;
    settle_.expires_after(pause);
    settle_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (error || !self->on_change_) return;
      if (self->being_written()) return;
      if (std::exchange(self->due_, false)) self->on_change_();
    });
  }

  void look_again() {
    retry_.expires_after(kRetry);
    retry_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (error || !self->on_change_) return;
      const std::vector<Name> before = self->names_;
      self->watch();
      if (self->names_ != before) self->on_change_();
    });
  }

  std::filesystem::path file_;
  std::function<void()> on_change_;
  asio::posix::stream_descriptor events_;
  asio::steady_timer retry_;
  asio::steady_timer settle_;
  std::vector<Name> names_;  // the file's own first
  int open_count_ = 0;
  bool modified_ = false;                          // and nobody has closed it since
  bool due_ = false;                               // to be told of when settle_ ends
  std::uint64_t touches_ = 0;                      // batches of events that changed the file
  std::uint64_t touches_seen_ = 0;                 // as of the last read_settled()
  std::chrono::steady_clock::time_point touched_;  // the last of them
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

Result<std::string> FileWatch::read(std::size_t most) const {
  return impl_->read_settled(most);
}

FileWatch::~FileWatch() {
  if (impl_) impl_->stop();
}

Result<std::string> read_small_file(const std::filesystem::path& file, std::size_t most) {
  UniqueFd fd = open_to_read(file);
  if (!fd.valid()) return cannot_read(file, errno);
  return read_open_file(fd, file, most);
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
