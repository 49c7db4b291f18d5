// What is said on a files stream of the control port: one request about the guest's
// files, and its answer.
//
// The host opens the stream (FilesTarget), sends one request and reads the answer:
//
//   ReadFile        FileStatus, FileData ..., FileDone
//   WriteFile       the host sends FileData ..., FileDone; the answer is FileDone
//   ListDirectory   DirectoryEntries ..., FileDone
//   StatFile        FileStatus, FileDone
//   the others      FileDone
//
// In place of any message of the answer FileFailed may come, after which nothing
// does; an answer to WriteFile may come so before the content is whole. Either end
// stops by ending the stream: a write that was not told FileDone leaves what an
// interrupted one leaves, or with WriteMode::kAtomic nothing.
//
// Content flows as the stream's window allows, so a slow reader slows the other end.
// Reading is strict, as in wire/control.hpp; paths are absolute, of at most
// kMaxPath bytes and without NUL, names are no paths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/message_cutter.hpp"

namespace gondolin::wire {

inline constexpr std::size_t kMaxPath = 4095;
inline constexpr std::size_t kMaxName = 255;
// Of one FileData.
inline constexpr std::size_t kMaxFileData = std::size_t{32} * 1024;
// The longest message of a files stream.
inline constexpr std::size_t kMaxFileMessage = std::size_t{64} * 1024;
inline constexpr std::uint32_t kPermissionBits = 07777;

// --- host to guest -----------------------------------------------------------

struct ReadFile {
  std::string path{};
  std::uint64_t offset = 0;  // at most 2^63 - 1, as the two together
  std::uint64_t length = 0;  // bytes at most
  bool operator==(const ReadFile&) const = default;
};

enum class WriteMode : std::uint8_t {
  kReplace = 1,  // empties the file first
  kCreate = 2,   // EEXIST when there is one
  kAppend = 3,
  kAtomic = 4,  // writes another file, which takes the name when the content is whole
};
struct WriteFile {
  std::string path{};
  WriteMode mode = WriteMode::kReplace;
  // Of a file that is made; kAtomic keeps those of the file it replaces unless they
  // are given.
  std::optional<std::uint32_t> permissions{};
  bool operator==(const WriteFile&) const = default;
};

struct ListDirectory {
  std::string path{};
  bool operator==(const ListDirectory&) const = default;
};

enum class LastLink : std::uint8_t { kFollow = 1, kItself = 2 };
struct StatFile {
  std::string path{};
  LastLink link = LastLink::kFollow;
  bool operator==(const StatFile&) const = default;
};

enum class Parents : std::uint8_t {
  kMustExist = 1,
  kMake = 2,  // and the directory itself may exist, too
};
struct MakeDirectory {
  std::string path{};
  std::uint32_t permissions = 0755;
  Parents parents = Parents::kMustExist;
  bool operator==(const MakeDirectory&) const = default;
};

enum class Existing : std::uint8_t { kReplace = 1, kKeep = 2 };
struct RenameFile {
  std::string from{};
  std::string to{};
  Existing existing = Existing::kReplace;
  bool operator==(const RenameFile&) const = default;
};

enum class Depth : std::uint8_t {
  kOne = 1,   // a file, or a directory that is empty
  kTree = 2,  // a directory with what is in it, on its file system
};
struct RemoveFile {
  std::string path{};
  Depth depth = Depth::kOne;
  bool operator==(const RemoveFile&) const = default;
};

// --- both ways -----------------------------------------------------------------

struct FileData {  // not empty, at most kMaxFileData
  ByteBuffer bytes{};
  bool operator==(const FileData&) const = default;
};
struct FileDone {  // the content is whole; the request was done
  bool operator==(const FileDone&) const = default;
};

// --- guest to host ---------------------------------------------------------------

enum class FileKind : std::uint8_t { kFile = 1, kDirectory = 2, kSymlink = 3, kOther = 4 };
struct FileStatus {
  FileKind kind = FileKind::kFile;
  std::uint32_t permissions = 0;  // the low twelve bits of st_mode
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;         // bytes
  std::uint64_t modified_ns = 0;  // since 1970, two's complement
  std::string link_target{};      // of kSymlink
  bool operator==(const FileStatus&) const = default;
};

struct DirectoryEntry {
  std::string name{};
  FileKind kind = FileKind::kFile;
  bool operator==(const DirectoryEntry&) const = default;
};
struct DirectoryEntries {  // not empty
  std::vector<DirectoryEntry> entries{};
  bool operator==(const DirectoryEntries&) const = default;
};

struct FileFailed {
  std::uint32_t os_error = 0;  // 1 to 4095
  bool operator==(const FileFailed&) const = default;
};

using FileMessage =
    std::variant<ReadFile, WriteFile, ListDirectory, StatFile, MakeDirectory, RenameFile,
                 RemoveFile, FileData, FileDone, FileStatus, DirectoryEntries, FileFailed>;

// Whether `path` may stand in a request.
[[nodiscard]] bool is_guest_path(std::string_view path);

// The message with its length in front. It must keep the rules above.
[[nodiscard]] ByteBuffer encode_file_message(const FileMessage& message);

// Cuts one direction of a files stream into messages.
class FileMessageReader {
 public:
  // Takes bytes of `input` up to the end of the current message and returns how many.
  [[nodiscard]] Result<std::size_t> feed(Bytes input) { return cutter_.feed(input); }
  // The message, once it is complete. kProtocol when it is malformed.
  [[nodiscard]] Result<std::optional<FileMessage>> next();

 private:
  MessageCutter cutter_{kMaxFileMessage};
};

}  // namespace gondolin::wire
