// The host's side of the files streams of the control port: reads and changes the
// guest's files. The protocol is wire/files.hpp's.
//
// Everything belongs to one event-loop thread. What the guest sends is not trusted: an
// answer that breaks the protocol fails its own call, a list or content that does not
// end is cut off at the caller's bound.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "io/stream.hpp"
#include "vm/mux_channel.hpp"
#include "wire/files.hpp"

namespace gondolin::vm {

// A files stream with its request sent. Destroying it ends the request; no operation on
// it may be in progress then.
class FileExchange {
 public:
  FileExchange(MuxChannel& channel, std::unique_ptr<MuxStream> stream,
               std::chrono::milliseconds patience);
  FileExchange(const FileExchange&) = delete;
  FileExchange& operator=(const FileExchange&) = delete;

  [[nodiscard]] Awaitable<Status> send(const wire::FileMessage& message);
  // The next message of the answer. A FileFailed is an error with the guest's errno:
  // kNotFound for ENOENT and ENOTDIR, kRefused for EACCES and EPERM, kInvalidArgument for
  // EINVAL, ENAMETOOLONG and ELOOP, kLimit for ENOSPC and EDQUOT, kIo otherwise. kReset when
  // the guest's daemon went away, kTimeout when the guest is silent for too long.
  [[nodiscard]] Awaitable<Result<wire::FileMessage>> receive();
  // Both are to be called at the end of a request. Ends this direction; waits for FileDone.
  void finish_sending() { stream_->shutdown_write(); }
  [[nodiscard]] Awaitable<Status> done();

  // Ends the request; operations in progress return kCancelled.
  void cancel() { stream_->reset(); }

 private:
  MuxChannel& channel_;
  std::unique_ptr<MuxStream> stream_;
  std::chrono::milliseconds patience_;
  wire::FileMessageReader reader_;
  ByteBuffer buffer_;
  Bytes unread_{};  // in buffer_
};

// A file of the guest that is being read.
class FileReading {
 public:
  FileReading(std::unique_ptr<FileExchange> exchange, wire::FileStatus status)
      : exchange_(std::move(exchange)), status_(std::move(status)) {}

  // What the file was when it was opened.
  [[nodiscard]] const wire::FileStatus& status() const { return status_; }
  // Reads at least one byte into `buffer`; 0 at the end. One call at a time.
  [[nodiscard]] Awaitable<Result<std::size_t>> read_some(MutableBytes buffer);
  void cancel() { exchange_->cancel(); }

 private:
  std::unique_ptr<FileExchange> exchange_;
  wire::FileStatus status_;
  ByteBuffer content_;
  std::size_t content_at_ = 0;
  bool ended_ = false;
};

// A file of the guest that is being written. Unless finish() has returned success its
// content is unfinished, and that of an atomic write is thrown away.
class FileWriting {
 public:
  explicit FileWriting(std::unique_ptr<FileExchange> exchange) : exchange_(std::move(exchange)) {}

  // Returns when all bytes are on their way: an error of the guest may come with a later
  // call. One call at a time, of this or of finish().
  [[nodiscard]] Awaitable<Status> write(Bytes bytes);
  // Returns when the guest's file system has taken everything.
  [[nodiscard]] Awaitable<Status> finish();
  void cancel() { exchange_->cancel(); }

 private:
  std::unique_ptr<FileExchange> exchange_;
};

// Cheap to copy; must not outlive its channel.
class GuestFiles {
 public:
  // How long the guest may be silent where it has something to say. Removing a tree and
  // listing a directory count as one such time.
  static constexpr std::chrono::milliseconds kPatience = std::chrono::minutes(1);
  // Of one directory's list.
  static constexpr std::size_t kMaxEntries = 1'000'000;

  // `channel` is that of the control port and must outlive this.
  explicit GuestFiles(MuxChannel& channel, std::chrono::milliseconds patience = kPatience)
      : channel_(&channel), patience_(patience) {}

  // Requests must keep the rules of wire/files.hpp; errors are those of
  // FileExchange::receive(), and kUnavailable when the guest is gone.
  [[nodiscard]] Awaitable<Result<std::unique_ptr<FileReading>>> read(wire::ReadFile request) const;
  [[nodiscard]] Awaitable<Result<std::unique_ptr<FileWriting>>> write(
      wire::WriteFile request) const;
  // Sorted by name. kLimit for more than kMaxEntries.
  [[nodiscard]] Awaitable<Result<std::vector<wire::DirectoryEntry>>> list(
      wire::ListDirectory request) const;
  [[nodiscard]] Awaitable<Result<wire::FileStatus>> stat(wire::StatFile request) const;
  // A MakeDirectory, RenameFile or RemoveFile.
  [[nodiscard]] Awaitable<Status> change(wire::FileMessage request) const;

 private:
  [[nodiscard]] Awaitable<Result<std::unique_ptr<FileExchange>>> begin(
      wire::FileMessage request) const;

  MuxChannel* channel_;
  std::chrono::milliseconds patience_;
};

}  // namespace gondolin::vm
