// GuestFs: blocking and asynchronous calls onto vm::GuestFiles on the VM's loop.
//
// Each call is a coroutine function; the blocking form runs it, the other has it run.
#include "gondolin/fs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

#include "api/convert.hpp"
#include "api/fs_impl.hpp"
#include "api/promise.hpp"
#include "wire/files.hpp"

namespace gondolin {
namespace {

using api::FileCalls;

FileType to_type(wire::FileKind kind) {
  switch (kind) {
    case wire::FileKind::kFile:
      return FileType::kFile;
    case wire::FileKind::kDirectory:
      return FileType::kDirectory;
    case wire::FileKind::kSymlink:
      return FileType::kSymlink;
    case wire::FileKind::kOther:
      break;
  }
  return FileType::kOther;
}

FileInfo to_info(wire::FileStatus status) {
  const auto modified = static_cast<std::int64_t>(status.modified_ns);
  return {.type = to_type(status.kind),
          .permissions = status.permissions,
          .uid = status.uid,
          .gid = status.gid,
          .size = status.size,
          .modified =
              std::chrono::sys_time<std::chrono::nanoseconds>(std::chrono::nanoseconds(modified)),
          .link_target = std::move(status.link_target)};
}

wire::WriteMode to_mode(FileWriteMode mode) {
  switch (mode) {
    case FileWriteMode::kReplace:
      return wire::WriteMode::kReplace;
    case FileWriteMode::kCreate:
      return wire::WriteMode::kCreate;
    case FileWriteMode::kAppend:
      return wire::WriteMode::kAppend;
    case FileWriteMode::kAtomic:
      return wire::WriteMode::kAtomic;
  }
  return wire::WriteMode::kReplace;
}

void check_path(const std::string& path) {
  if (wire::is_guest_path(path)) return;
  throw ApiError(ApiErrorCode::kInvalidArgument, "not an absolute path of at most " +
                                                     std::to_string(wire::kMaxPath) +
                                                     " bytes without NUL: '" + path + "'");
}

std::uint32_t checked_permissions(std::uint32_t permissions) {
  if (permissions <= wire::kPermissionBits) return permissions;
  throw ApiError(ApiErrorCode::kInvalidArgument, "permissions are 0 to 07777");
}

wire::ReadFile to_request(const std::string& path, const FileReadOptions& options) {
  check_path(path);
  constexpr std::uint64_t kEnd = std::numeric_limits<std::int64_t>::max();
  if (options.offset > kEnd) {
    throw ApiError(ApiErrorCode::kInvalidArgument, "no file has an offset beyond 2^63 - 1");
  }
  const std::uint64_t room = kEnd - options.offset;
  return {.path = path,
          .offset = options.offset,
          .length = std::min(options.length.value_or(room), room)};
}

wire::WriteFile to_request(const std::string& path, const FileWriteOptions& options) {
  check_path(path);
  wire::WriteFile request{.path = path, .mode = to_mode(options.mode)};
  if (options.permissions) request.permissions = checked_permissions(*options.permissions);
  return request;
}

// --- the work of each call, on the loop -------------------------------------------

Awaitable<std::string> read_all(FileCalls calls, std::string path, FileReadOptions options) {
  auto file = calls.check("read", path, co_await calls.files().read(to_request(path, options)));
  std::string content;
  std::vector<std::byte> buffer(wire::kMaxFileData);
  while (true) {
    const std::size_t count = calls.check("read", path, co_await file->read_some(buffer));
    if (count == 0) co_return content;
    if (count > options.max_bytes - content.size()) {
      throw ApiError(
          ApiErrorCode::kFailed,
          "read " + path + ": it has more than " + std::to_string(options.max_bytes) + " bytes",
          EFBIG);
    }
    content += as_text(Bytes(buffer).first(count));
  }
}

Awaitable<FileReader> open_reader_in(FileCalls calls, std::string path, FileReadOptions options) {
  auto file = calls.check("open", path, co_await calls.files().read(to_request(path, options)));
  FileInfo info = to_info(file->status());
  co_return FileReader::Impl::make(calls, path, std::move(info), std::move(file));
}

Awaitable<void> write_all(FileCalls calls, std::string path, std::string content,
                          FileWriteOptions options) {
  auto file = calls.check("write", path, co_await calls.files().write(to_request(path, options)));
  calls.check("write", path, co_await file->write(as_bytes(content)));
  calls.check("write", path, co_await file->finish());
}

Awaitable<FileWriter> open_writer_in(FileCalls calls, std::string path, FileWriteOptions options) {
  auto file = calls.check("open", path, co_await calls.files().write(to_request(path, options)));
  co_return FileWriter::Impl::make(calls, path, std::move(file));
}

Awaitable<std::vector<FileEntry>> list_in(FileCalls calls, std::string path) {
  check_path(path);
  auto found = calls.check("list", path, co_await calls.files().list({path}));
  std::vector<FileEntry> entries;
  entries.reserve(found.size());
  for (wire::DirectoryEntry& entry : found)
    entries.push_back({std::move(entry.name), to_type(entry.kind)});
  co_return entries;
}

Awaitable<FileInfo> stat_in(FileCalls calls, std::string path, SymlinkMode link) {
  check_path(path);
  const auto last =
      link == SymlinkMode::kItself ? wire::LastLink::kItself : wire::LastLink::kFollow;
  co_return to_info(
      calls.check("stat", path, co_await calls.files().stat({.path = path, .link = last})));
}

Awaitable<void> make_directory_in(FileCalls calls, std::string path, MakeDirectoryOptions options) {
  check_path(path);
  wire::FileMessage request = wire::MakeDirectory{
      .path = path,
      .permissions = checked_permissions(options.permissions),
      .parents = options.recursive ? wire::Parents::kMake : wire::Parents::kMustExist};
  calls.check("make directory", path, co_await calls.files().change(std::move(request)));
}

Awaitable<void> rename_in(FileCalls calls, std::string from, std::string to,
                          RenameOptions options) {
  check_path(from);
  check_path(to);
  wire::FileMessage request = wire::RenameFile{
      .from = from,
      .to = to,
      .existing = options.replace ? wire::Existing::kReplace : wire::Existing::kKeep};
  calls.check("rename", from, co_await calls.files().change(std::move(request)));
}

Awaitable<void> remove_in(FileCalls calls, std::string path, RemoveOptions options) {
  check_path(path);
  wire::FileMessage request = wire::RemoveFile{
      .path = path, .depth = options.recursive ? wire::Depth::kTree : wire::Depth::kOne};
  auto removed = co_await calls.files().change(std::move(request));
  if (!removed && removed.error().os_error == ENOENT && !options.must_exist) co_return;
  calls.check("remove", path, std::move(removed));
}

}  // namespace

// --- GuestFs -------------------------------------------------------------------------

GuestFs::GuestFs(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::string GuestFs::read(const std::string& path, const FileReadOptions& options) {
  return impl_->run(read_all, path, options);
}
void GuestFs::async_read(std::string path, FileReadOptions options, Completion<std::string> done) {
  impl_->run_async(std::move(done), read_all, std::move(path), std::move(options));
}

FileReader GuestFs::open_reader(const std::string& path, const FileReadOptions& options) {
  return impl_->run(open_reader_in, path, options);
}
void GuestFs::async_open_reader(std::string path, FileReadOptions options,
                                Completion<FileReader> done) {
  impl_->run_async(std::move(done), open_reader_in, std::move(path), std::move(options));
}

void GuestFs::write(const std::string& path, std::string_view content,
                    const FileWriteOptions& options) {
  impl_->run(write_all, path, std::string(content), options);
}
void GuestFs::async_write(std::string path, std::string content, FileWriteOptions options,
                          Completion<void> done) {
  impl_->run_async(std::move(done), write_all, std::move(path), std::move(content),
                   std::move(options));
}

FileWriter GuestFs::open_writer(const std::string& path, const FileWriteOptions& options) {
  return impl_->run(open_writer_in, path, options);
}
void GuestFs::async_open_writer(std::string path, FileWriteOptions options,
                                Completion<FileWriter> done) {
  impl_->run_async(std::move(done), open_writer_in, std::move(path), std::move(options));
}

std::vector<FileEntry> GuestFs::list(const std::string& path) {
  return impl_->run(list_in, path);
}
void GuestFs::async_list(std::string path, Completion<std::vector<FileEntry>> done) {
  impl_->run_async(std::move(done), list_in, std::move(path));
}

FileInfo GuestFs::stat(const std::string& path, SymlinkMode link) {
  return impl_->run(stat_in, path, link);
}
void GuestFs::async_stat(std::string path, SymlinkMode link, Completion<FileInfo> done) {
  impl_->run_async(std::move(done), stat_in, std::move(path), link);
}

void GuestFs::make_directory(const std::string& path, const MakeDirectoryOptions& options) {
  impl_->run(make_directory_in, path, options);
}
void GuestFs::async_make_directory(std::string path, MakeDirectoryOptions options,
                                   Completion<void> done) {
  impl_->run_async(std::move(done), make_directory_in, std::move(path), std::move(options));
}

void GuestFs::rename(const std::string& from, const std::string& to, const RenameOptions& options) {
  impl_->run(rename_in, from, to, options);
}
void GuestFs::async_rename(std::string from, std::string to, RenameOptions options,
                           Completion<void> done) {
  impl_->run_async(std::move(done), rename_in, std::move(from), std::move(to), std::move(options));
}

void GuestFs::remove(const std::string& path, const RemoveOptions& options) {
  impl_->run(remove_in, path, options);
}
void GuestFs::async_remove(std::string path, RemoveOptions options, Completion<void> done) {
  impl_->run_async(std::move(done), remove_in, std::move(path), std::move(options));
}

}  // namespace gondolin
