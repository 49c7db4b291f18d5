// Tells when the content of one file may have changed: closed after a write, renamed over
// or away, removed, truncated, created. And reads it, never half-written.
//
// It watches the directory through inotify, so the file may come and go; where its name is
// a link, or one is on the way, what the link names and the link itself are watched too. A file
// that somebody still has open is not reported until it is closed: what is in it
// by then may be half of what they mean to write. One that was truncated or taken away is
// given a moment, for what is written or moved in its place.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "base/result.hpp"

namespace gondolin {

// Belongs to the event-loop thread that runs `executor`.
class FileWatch {
 public:
  // `on_change` is called once for each burst of events. The file's directory must
  // exist; a directory that vanishes later is reported, and waited for.
  [[nodiscard]] static Result<FileWatch> start(const boost::asio::any_io_executor& executor,
                                               const std::filesystem::path& file,
                                               std::function<void()> on_change);

  // The content, as read_small_file() has it. kRefused when somebody is writing it:
  // `on_change` tells when that has come to its end. A file that is open for writing and
  // has rested for a second counts as written.
  [[nodiscard]] Result<std::string> read(std::size_t most) const;

  FileWatch(FileWatch&&) noexcept = default;
  FileWatch& operator=(FileWatch&&) noexcept = default;
  ~FileWatch();

 private:
  class Impl;
  explicit FileWatch(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

// The content of a regular file, at most `most` + 1 bytes of it, so that the caller
// can tell a larger one. kNotFound when there is none.
[[nodiscard]] Result<std::string> read_small_file(const std::filesystem::path& file,
                                                  std::size_t most);

// Replaces the file by one with this content, at once: readers see the old or the new.
[[nodiscard]] Status replace_file(const std::filesystem::path& file, const std::string& content);

}  // namespace gondolin
