// The vocabulary of file systems served to a guest: nodes, handles, attributes,
// and the reply that every operation owes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <tl/expected.hpp>

#include "base/bytes.hpp"

namespace gondolin::vfs {

// A file or directory, for as long as a provider keeps it. Every provider's root
// directory is kRootNode. The guest may send any number at any time.
enum class NodeId : std::uint64_t {};
inline constexpr NodeId kRootNode{1};

// An open file or directory of one mount. The guest may send any number here too.
enum class HandleId : std::uint64_t {};

// What an operation fails with: a value of <cerrno>, such as ENOENT.
enum class Errno : int {};

template <typename T>
using Outcome = tl::expected<T, Errno>;

[[nodiscard]] inline tl::unexpected<Errno> failed(int error) {
  return tl::unexpected<Errno>(Errno{error});
}

// Nanoseconds since 1970, good for the years 1678 to 2262.
using Time = std::chrono::sys_time<std::chrono::nanoseconds>;

enum class NodeKind : std::uint8_t { kFile, kDirectory, kSymlink };

struct Attributes {
  NodeId node{};
  NodeKind kind = NodeKind::kFile;
  std::uint32_t permissions = 0;  // the low twelve bits of st_mode
  std::uint32_t links = 1;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;  // bytes
  Time accessed = {};
  Time modified = {};
  Time changed = {};
};

// What SETATTR asks to change; an absent field stays as it is.
struct AttributeChanges {
  std::optional<std::uint32_t> permissions;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint64_t> size;
  std::optional<Time> accessed;
  std::optional<Time> modified;
  std::optional<HandleId> handle;  // ftruncate and its like name the open file
};

// Who asks, as the guest's kernel says it: to be stored, never to be trusted.
struct Caller {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

struct DirectoryEntry {
  std::string name;
  NodeId node{};
  NodeKind kind = NodeKind::kFile;
  std::uint64_t next = 0;  // the offset at which reading goes on behind this entry
};

// Whether the guest may keep file contents in its page cache while the file is
// open, or has to ask for every byte. With kBypass its kernel refuses shared mappings
// (mmap(2) fails with ENODEV) and reads private ones afresh when they are made.
enum class PageCache : std::uint8_t { kBypass, kUse };

struct Opened {
  HandleId handle{};
  PageCache cache = PageCache::kBypass;
};

struct Created {
  Attributes attributes;
  Opened opened;
};

struct FileSystemUsage {
  std::uint64_t block_size = 4096;  // bytes; the unit of the two below
  std::uint64_t blocks = 0;
  std::uint64_t free_blocks = 0;
  std::uint64_t files = 0;
  std::uint64_t free_files = 0;
};

enum class RenameMode : std::uint8_t { kReplace, kNoReplace, kExchange };

// The answer that an operation owes, given exactly once: at once or later, on the
// event-loop thread. It stays valid when the mount it belongs to is gone; the
// answer is then discarded. One that is destroyed unused answers EIO, so that no
// guest process waits forever.
template <typename T>
class Reply {
 public:
  using Deliver = std::function<void(Outcome<T>)>;

  explicit Reply(Deliver deliver) : deliver_(std::move(deliver)) {}
  Reply(Reply&& other) noexcept : deliver_(std::exchange(other.deliver_, nullptr)) {}
  Reply& operator=(Reply&&) = delete;
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  ~Reply() {
    if (deliver_) deliver_(failed(5 /* EIO */));
  }

  // A view in `outcome` need only live until this returns.
  void operator()(Outcome<T> outcome) { std::exchange(deliver_, nullptr)(std::move(outcome)); }

 private:
  Deliver deliver_;
};

}  // namespace gondolin::vfs
