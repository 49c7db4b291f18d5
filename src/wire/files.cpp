// One struct that writes each message and one function that reads each. Every rule
// of the header is checked in reading, by whichever end reads.
#include "wire/files.hpp"

#include <algorithm>
#include <limits>

#include "base/check.hpp"
#include "wire/byte_codec.hpp"
#include "wire/frame.hpp"

namespace gondolin::wire {
namespace {

enum class FileTag : std::uint8_t {
  kReadFile = 1,
  kWriteFile = 2,
  kListDirectory = 3,
  kStatFile = 4,
  kMakeDirectory = 5,
  kRenameFile = 6,
  kRemoveFile = 7,
  kFileData = 8,
  kFileDone = 9,
  kFileStatus = 10,
  kDirectoryEntries = 11,
  kFileFailed = 12,
};

constexpr std::uint64_t kMaxOffset = std::numeric_limits<std::int64_t>::max();
constexpr std::uint32_t kMaxErrno = 4095;

// In the place of permissions that were not given.
constexpr std::uint32_t kNoPermissions = 0xffff'ffff;

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name != "." && name != ".." &&
         name.find('/') == name.npos;
}

struct FileMessageWriter {
  ByteWriter& to;

  void operator()(const ReadFile& request) const {
    to.choice(FileTag::kReadFile);
    to.string(request.path);
    to.integer(request.offset);
    to.integer(request.length);
  }
  void operator()(const WriteFile& request) const {
    to.choice(FileTag::kWriteFile);
    to.string(request.path);
    to.choice(request.mode);
    to.integer(request.permissions.value_or(kNoPermissions));
  }
  void operator()(const ListDirectory& request) const {
    to.choice(FileTag::kListDirectory);
    to.string(request.path);
  }
  void operator()(const StatFile& request) const {
    to.choice(FileTag::kStatFile);
    to.string(request.path);
    to.choice(request.link);
  }
  void operator()(const MakeDirectory& request) const {
    to.choice(FileTag::kMakeDirectory);
    to.string(request.path);
    to.integer(request.permissions);
    to.choice(request.parents);
  }
  void operator()(const RenameFile& request) const {
    to.choice(FileTag::kRenameFile);
    to.string(request.from);
    to.string(request.to);
    to.choice(request.existing);
  }
  void operator()(const RemoveFile& request) const {
    to.choice(FileTag::kRemoveFile);
    to.string(request.path);
    to.choice(request.depth);
  }
  void operator()(const FileData& data) const {
    to.choice(FileTag::kFileData);
    to.blob(data.bytes);
  }
  void operator()(const FileDone&) const { to.choice(FileTag::kFileDone); }
  void operator()(const FileStatus& status) const {
    to.choice(FileTag::kFileStatus);
    to.choice(status.kind);
    to.integer(status.permissions);
    to.integer(status.uid);
    to.integer(status.gid);
    to.integer(status.size);
    to.integer(status.modified_ns);
    to.string(status.link_target);
  }
  void operator()(const DirectoryEntries& list) const {
    to.choice(FileTag::kDirectoryEntries);
    to.list(list.entries, [this](const DirectoryEntry& entry) {
      to.string(entry.name);
      to.choice(entry.kind);
    });
  }
  void operator()(const FileFailed& failed) const {
    to.choice(FileTag::kFileFailed);
    to.integer(failed.os_error);
  }
};

// A reader that also knows paths and names.
struct FileMessageParser {
  ByteReader& from;

  [[nodiscard]] std::string path() const {
    std::string text = from.string();
    if (!is_guest_path(text)) from.fail();
    return text;
  }
  [[nodiscard]] std::uint32_t permissions() const {
    auto bits = from.integer<std::uint32_t>();
    if (bits > kPermissionBits) from.fail();
    return bits;
  }

  [[nodiscard]] ReadFile read_file() const {
    ReadFile request{.path = path()};
    request.offset = from.integer<std::uint64_t>();
    request.length = from.integer<std::uint64_t>();
    if (request.offset > kMaxOffset || request.length > kMaxOffset - request.offset) from.fail();
    return request;
  }
  [[nodiscard]] WriteFile write_file() const {
    WriteFile request{.path = path()};
    request.mode = from.choice(WriteMode::kAtomic);
    auto bits = from.integer<std::uint32_t>();
    if (bits == kNoPermissions) return request;
    if (bits > kPermissionBits) from.fail();
    request.permissions = bits;
    return request;
  }
  [[nodiscard]] StatFile stat_file() const {
    StatFile request{.path = path()};
    request.link = from.choice(LastLink::kItself);
    return request;
  }
  [[nodiscard]] MakeDirectory make_directory() const {
    MakeDirectory request{.path = path()};
    request.permissions = permissions();
    request.parents = from.choice(Parents::kMake);
    return request;
  }
  [[nodiscard]] RenameFile rename_file() const {
    RenameFile request{.from = path()};
    request.to = path();
    request.existing = from.choice(Existing::kKeep);
    return request;
  }
  [[nodiscard]] RemoveFile remove_file() const {
    RemoveFile request{.path = path()};
    request.depth = from.choice(Depth::kTree);
    return request;
  }
  [[nodiscard]] FileData file_data() const {
    Bytes bytes = from.blob();
    if (bytes.empty() || bytes.size() > kMaxFileData) {
      from.fail();
      return {};
    }
    return {ByteBuffer(bytes.begin(), bytes.end())};
  }
  [[nodiscard]] FileStatus file_status() const {
    FileStatus status;
    status.kind = from.choice(FileKind::kOther);
    status.permissions = permissions();
    status.uid = from.integer<std::uint32_t>();
    status.gid = from.integer<std::uint32_t>();
    status.size = from.integer<std::uint64_t>();
    status.modified_ns = from.integer<std::uint64_t>();
    status.link_target = from.string();
    bool sound = status.size <= kMaxOffset && status.link_target.size() <= kMaxPath &&
                 (status.kind == FileKind::kSymlink || status.link_target.empty());
    if (!sound) from.fail();
    return status;
  }
  [[nodiscard]] DirectoryEntries entries() const {
    DirectoryEntries list{from.list([this] {
      DirectoryEntry entry{.name = from.string()};
      entry.kind = from.choice(FileKind::kOther);
      if (!is_name(entry.name)) from.fail();
      return entry;
    })};
    if (list.entries.empty()) from.fail();
    return list;
  }
  [[nodiscard]] FileFailed failed() const {
    auto os_error = from.integer<std::uint32_t>();
    if (os_error == 0 || os_error > kMaxErrno) from.fail();
    return {os_error};
  }

  [[nodiscard]] FileMessage message() const {
    switch (static_cast<FileTag>(from.integer<std::uint8_t>())) {
      case FileTag::kReadFile:
        return read_file();
      case FileTag::kWriteFile:
        return write_file();
      case FileTag::kListDirectory:
        return ListDirectory{path()};
      case FileTag::kStatFile:
        return stat_file();
      case FileTag::kMakeDirectory:
        return make_directory();
      case FileTag::kRenameFile:
        return rename_file();
      case FileTag::kRemoveFile:
        return remove_file();
      case FileTag::kFileData:
        return file_data();
      case FileTag::kFileDone:
        return FileDone{};
      case FileTag::kFileStatus:
        return file_status();
      case FileTag::kDirectoryEntries:
        return entries();
      case FileTag::kFileFailed:
        return failed();
    }
    from.fail();
    return {};
  }
};

}  // namespace

bool is_guest_path(std::string_view path) {
  return !path.empty() && path.size() <= kMaxPath && path.front() == '/' &&
         path.find('\0') == path.npos;
}

ByteBuffer encode_file_message(const FileMessage& message) {
  ByteBuffer bytes =
      with_length([&](ByteWriter& to) { std::visit(FileMessageWriter{to}, message); });
  GONDOLIN_CHECK(bytes.size() <= kLengthSize + kMaxFileMessage);
  return bytes;
}

Result<std::optional<FileMessage>> FileMessageReader::next() {
  return next_message(cutter_, "malformed message about files",
                      [](ByteReader& from) { return FileMessageParser{from}.message(); });
}

}  // namespace gondolin::wire
