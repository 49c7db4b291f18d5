// What the calls of a GuestFs share, and what is behind a FileReader and a FileWriter.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "api/convert.hpp"
#include "api/promise.hpp"
#include "api/vm_state.hpp"
#include "gondolin/fs.hpp"
#include "vm/guest_files.hpp"

namespace gondolin {
namespace api {

// The guest's files as a coroutine on the loop sees them, and how its failures are told.
// Copies are cheap; used on the loop alone, which the VmState ends before itself.
class FileCalls {
 public:
  explicit FileCalls(VmState& state) : state_(&state) {}

  // Throws kCancelled when the VM was closed.
  [[nodiscard]] vm::GuestFiles files() const { return state_->vm().control().files(); }
  // Keeps the VM's state; null when that is about to go.
  [[nodiscard]] std::shared_ptr<LoopThread> loop() const { return state_->weak_loop().lock(); }

  // The value of `result`, or an ApiError that says what was done to which path: once the
  // VM is closed, kCancelled.
  template <typename T>
  T check(const char* what, const std::string& path, Result<T> result) const {
    if (!result) fail(what, path, result.error());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }

 private:
  [[noreturn]] void fail(const char* what, const std::string& path, const Error& error) const {
    if (*state_->closed()) throw closed_error();
    throw ApiError(to_api_code(error.code), std::string(what) + " " + path + ": " + error.message,
                   error.os_error);
  }

  VmState* state_;
};

// A file that is open in the guest: a vm::FileReading or FileWriting, one call at a time.
// Belongs to the loop; whoever awaits something of it holds it by its shared pointer.
template <typename File>
class OpenGuestFile {
 public:
  OpenGuestFile(FileCalls calls, std::string path, std::unique_ptr<File> file)
      : calls_(calls), path_(std::move(path)), file_(std::move(file)) {}
  OpenGuestFile(const OpenGuestFile&) = delete;
  OpenGuestFile& operator=(const OpenGuestFile&) = delete;

  // Marks a call in progress. Throws kInvalidArgument while there is one, or after finish.
  class Turn {
   public:
    explicit Turn(OpenGuestFile& file) : file_(file) {
      if (file_.busy_ || file_.finished_) {
        throw ApiError(
            ApiErrorCode::kInvalidArgument,
            file_.busy_ ? "another call on the file is in progress" : "the file was finished");
      }
      file_.busy_ = true;
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { file_.busy_ = false; }

   private:
    OpenGuestFile& file_;
  };

  [[nodiscard]] File& file() { return *file_; }
  void set_finished() { finished_ = true; }
  template <typename T>
  T check(const char* what, Result<T> result) const {
    return calls_.check(what, path_, std::move(result));
  }
  // Ends the request and the call in progress.
  void cancel() { file_->cancel(); }

 private:
  const FileCalls calls_;
  const std::string path_;
  const std::unique_ptr<File> file_;
  bool busy_ = false;
  bool finished_ = false;
};

// Keeps an open file and its loop; ends the request when destroyed.
template <typename File>
class FileHandle {
 public:
  FileHandle(std::shared_ptr<LoopThread> loop, std::shared_ptr<OpenGuestFile<File>> file)
      : loop_(std::move(loop)), file_(std::move(file)) {}
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;
  ~FileHandle() {
    // Its end belongs to the loop, like everything else about it.
    loop_->post([file = std::move(file_)]() mutable {
      file->cancel();
      file.reset();
    });
  }

  [[nodiscard]] LoopThread& loop() { return *loop_; }
  [[nodiscard]] const std::shared_ptr<OpenGuestFile<File>>& file() const { return file_; }

 private:
  std::shared_ptr<LoopThread> loop_;
  std::shared_ptr<OpenGuestFile<File>> file_;
};

}  // namespace api

class FileReader::Impl : public api::FileHandle<vm::FileReading> {
 public:
  // To be made on the loop. Throws kCancelled when the VM is about to go.
  static FileReader make(const api::FileCalls& calls, const std::string& path, FileInfo about,
                         std::unique_ptr<vm::FileReading> file);
  Impl(std::shared_ptr<api::LoopThread> loop,
       std::shared_ptr<api::OpenGuestFile<vm::FileReading>> file, FileInfo about)
      : FileHandle(std::move(loop), std::move(file)), info(std::move(about)) {}

  const FileInfo info;
};

class FileWriter::Impl : public api::FileHandle<vm::FileWriting> {
 public:
  // As FileReader::Impl::make().
  static FileWriter make(const api::FileCalls& calls, const std::string& path,
                         std::unique_ptr<vm::FileWriting> file);
  using FileHandle::FileHandle;
};

// The calls of a GuestFs: functions that take a FileCalls and return a coroutine.
class GuestFs::Impl {
 public:
  explicit Impl(std::shared_ptr<api::VmState> state) : state_(std::move(state)) {}

  // Runs `function(api::FileCalls, arguments...)`.
  template <typename T, typename... Parameters, typename... Arguments>
  T run(Awaitable<T> (*function)(api::FileCalls, Parameters...), Arguments&&... arguments) {
    return state_->loop().run(
        function(api::FileCalls(*state_), std::forward<Arguments>(arguments)...));
  }
  // Has it run, and tells `done`.
  template <typename T, typename... Parameters>
  void run_async(Completion<T> done, Awaitable<T> (*function)(api::FileCalls, Parameters...),
                 Parameters... arguments) {
    api::run_async(
        state_->loop(),
        [calls = api::FileCalls(*state_), function, ... held = std::move(arguments)] {
          return function(calls, held...);
        },
        std::move(done));
  }

 private:
  std::shared_ptr<api::VmState> state_;
};

}  // namespace gondolin
