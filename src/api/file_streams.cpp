// FileReader and FileWriter: calls from any thread onto a file that is open in the guest.
#include <algorithm>
#include <utility>
#include <vector>

#include "api/fs_impl.hpp"

namespace gondolin {
namespace {

using Reading = std::shared_ptr<api::OpenGuestFile<vm::FileReading>>;
using Writing = std::shared_ptr<api::OpenGuestFile<vm::FileWriting>>;

// Of one asynchronous read.
constexpr std::size_t kLargestRead = std::size_t{1024} * 1024;

Awaitable<std::size_t> read_into(Reading file, MutableBytes buffer) {
  api::OpenGuestFile<vm::FileReading>::Turn turn(*file);
  co_return file->check("read", co_await file->file().read_some(buffer));
}

Awaitable<std::string> read_piece(Reading file, std::size_t max) {
  std::string piece(std::clamp(max, std::size_t{1}, kLargestRead), '\0');
  piece.resize(co_await read_into(std::move(file),
                                  std::as_writable_bytes(std::span(piece.data(), piece.size()))));
  co_return piece;
}

Awaitable<void> write_piece(Writing file, Bytes bytes) {
  api::OpenGuestFile<vm::FileWriting>::Turn turn(*file);
  file->check("write", co_await file->file().write(bytes));
}

Awaitable<void> write_text(Writing file, std::string text) {
  co_await write_piece(std::move(file), as_bytes(text));
}

Awaitable<void> finish_writing(Writing file) {
  api::OpenGuestFile<vm::FileWriting>::Turn turn(*file);
  file->set_finished();
  file->check("write", co_await file->file().finish());
}

std::shared_ptr<api::LoopThread> loop_of(const api::FileCalls& calls) {
  auto loop = calls.loop();
  if (!loop) throw api::closed_error();
  return loop;
}

}  // namespace

FileReader FileReader::Impl::make(const api::FileCalls& calls, const std::string& path,
                                  FileInfo about, std::unique_ptr<vm::FileReading> file) {
  auto open = std::make_shared<api::OpenGuestFile<vm::FileReading>>(calls, path, std::move(file));
  return FileReader(std::make_unique<Impl>(loop_of(calls), std::move(open), std::move(about)));
}

FileWriter FileWriter::Impl::make(const api::FileCalls& calls, const std::string& path,
                                  std::unique_ptr<vm::FileWriting> file) {
  auto open = std::make_shared<api::OpenGuestFile<vm::FileWriting>>(calls, path, std::move(file));
  return FileWriter(std::make_unique<Impl>(loop_of(calls), std::move(open)));
}

FileReader::FileReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FileReader::FileReader(FileReader&&) noexcept = default;
FileReader& FileReader::operator=(FileReader&&) noexcept = default;
FileReader::~FileReader() = default;

const FileInfo& FileReader::info() const {
  return impl_->info;
}

std::size_t FileReader::read(std::span<std::byte> buffer) {
  return impl_->loop().run(read_into(impl_->file(), buffer));
}

void FileReader::async_read(std::size_t max, Completion<std::string> done) {
  api::run_async(
      impl_->loop(), [file = impl_->file(), max] { return read_piece(file, max); },
      std::move(done));
}

FileWriter::FileWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FileWriter::FileWriter(FileWriter&&) noexcept = default;
FileWriter& FileWriter::operator=(FileWriter&&) noexcept = default;
FileWriter::~FileWriter() = default;

void FileWriter::write(std::span<const std::byte> bytes) {
  impl_->loop().run(write_piece(impl_->file(), bytes));
}

void FileWriter::async_write(std::string bytes, Completion<void> done) {
  api::run_async(
      impl_->loop(),
      [file = impl_->file(), bytes = std::move(bytes)] { return write_text(file, bytes); },
      std::move(done));
}

void FileWriter::finish() {
  impl_->loop().run(finish_writing(impl_->file()));
}

void FileWriter::async_finish(Completion<void> done) {
  api::run_async(
      impl_->loop(), [file = impl_->file()] { return finish_writing(file); }, std::move(done));
}

}  // namespace gondolin
