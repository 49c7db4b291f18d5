// A guest's kernel for tests: builds raw FUSE messages, gives them to a FuseSession, or
// wherever a test has them go, and reads the replies, as the kernel's headers lay them out.
#pragma once

#include <fcntl.h>
#include <linux/fuse.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/debug_log.hpp"
#include "vfs/fuse_session.hpp"

namespace gondolin::vfs {

// The bytes of a struct, as a message holds it.
template <typename T>
std::string raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

// A name with its NUL.
inline std::string name(std::string_view text) {
  return std::string(text) + '\0';
}

inline ByteBuffer fuse_message(std::uint32_t opcode, std::uint64_t unique, std::uint64_t node,
                               std::string_view body) {
  fuse_in_header header{};
  header.len = static_cast<std::uint32_t>(sizeof(header) + body.size());
  header.opcode = opcode;
  header.unique = unique;
  header.nodeid = node;
  ByteBuffer message(header.len);
  std::memcpy(message.data(), &header, sizeof(header));
  std::memcpy(message.data() + sizeof(header), body.data(), body.size());
  return message;
}

inline fuse_init_in init_body() {
  fuse_init_in init{};
  init.major = FUSE_KERNEL_VERSION;
  init.minor = 36;
  init.max_readahead = 128 * 1024;
  init.flags = FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_INIT_EXT;
  return init;
}

struct FuseReply {
  int error = 0;  // an errno, positive
  std::string body;

  // The struct at `offset` of the body.
  template <typename T>
  [[nodiscard]] T as(std::size_t offset = 0) const {
    T value{};
    if (offset < body.size()) {
      std::memcpy(&value, body.data() + offset, std::min(sizeof(T), body.size() - offset));
    }
    return value;
  }
};

// What programs do with files, as messages.
class FuseCalls {
 public:
  static constexpr std::uint64_t kRoot = 1;

  FuseCalls() = default;
  FuseCalls(const FuseCalls&) = delete;
  FuseCalls& operator=(const FuseCalls&) = delete;
  virtual ~FuseCalls() = default;

  // Error 999 stands for no reply at all.
  virtual FuseReply call(std::uint32_t opcode, std::uint64_t node, std::string_view body) = 0;

  FuseReply lookup(std::string_view file) { return call(FUSE_LOOKUP, kRoot, name(file)); }
  // 0 when there is no such file.
  std::uint64_t node_of(std::string_view file) { return lookup(file).as<fuse_entry_out>().nodeid; }
  FuseReply getattr(std::uint64_t node) { return call(FUSE_GETATTR, node, raw(fuse_getattr_in{})); }

  FuseReply open(std::uint64_t node, int flags) {
    fuse_open_in in{};
    in.flags = static_cast<std::uint32_t>(flags);
    return call(FUSE_OPEN, node, raw(in));
  }
  FuseReply create(std::string_view file, int flags, std::uint32_t mode = 0100644) {
    fuse_create_in in{};
    in.flags = static_cast<std::uint32_t>(flags | O_CREAT);
    in.mode = mode;
    return call(FUSE_CREATE, kRoot, raw(in) + name(file));
  }
  FuseReply read(std::uint64_t node, std::uint64_t handle, std::uint64_t offset = 0,
                 std::uint32_t size = 65536) {
    fuse_read_in in{};
    in.fh = handle;
    in.offset = offset;
    in.size = size;
    return call(FUSE_READ, node, raw(in));
  }
  FuseReply write(std::uint64_t node, std::uint64_t handle, std::uint64_t offset,
                  std::string_view data, int flags = O_WRONLY) {
    fuse_write_in in{};
    in.fh = handle;
    in.offset = offset;
    in.size = static_cast<std::uint32_t>(data.size());
    in.flags = static_cast<std::uint32_t>(flags);
    return call(FUSE_WRITE, node, raw(in) + std::string(data));
  }
  FuseReply flush(std::uint64_t node, std::uint64_t handle) {
    fuse_flush_in in{};
    in.fh = handle;
    return call(FUSE_FLUSH, node, raw(in));
  }
  FuseReply fsync(std::uint64_t node, std::uint64_t handle) {
    fuse_fsync_in in{};
    in.fh = handle;
    return call(FUSE_FSYNC, node, raw(in));
  }
  FuseReply release(std::uint64_t node, std::uint64_t handle) {
    fuse_release_in in{};
    in.fh = handle;
    return call(FUSE_RELEASE, node, raw(in));
  }
  FuseReply unlink(std::string_view file) { return call(FUSE_UNLINK, kRoot, name(file)); }
  FuseReply rename(std::string_view from, std::string_view to, std::uint32_t flags = 0) {
    fuse_rename2_in in{};
    in.newdir = kRoot;
    in.flags = flags;
    return call(FUSE_RENAME2, kRoot, raw(in) + name(from) + name(to));
  }
  FuseReply setattr(std::uint64_t node, const fuse_setattr_in& in) {
    return call(FUSE_SETATTR, node, raw(in));
  }
  FuseReply truncate(std::uint64_t node, std::uint64_t size,
                     std::optional<std::uint64_t> handle = std::nullopt) {
    fuse_setattr_in in{};
    in.valid = FATTR_SIZE | (handle ? static_cast<std::uint32_t>(FATTR_FH) : 0U);
    in.size = size;
    in.fh = handle.value_or(0);
    return setattr(node, in);
  }

  // --- what programs do, as strace shows it ------------------------------------

  // A file that is there or gets made: its node and handle.
  struct OpenFile {
    std::uint64_t node = 0;
    std::uint64_t handle = 0;
  };
  OpenFile open_path(std::string_view file, int flags) {
    if (const std::uint64_t node = node_of(file)) {
      return {node, open(node, flags & ~O_CREAT).as<fuse_open_out>().fh};
    }
    const FuseReply made = create(file, flags);
    return {made.as<fuse_entry_out>().nodeid, made.as<fuse_open_out>(sizeof(fuse_entry_out)).fh};
  }
  void close(OpenFile file) {
    flush(file.node, file.handle);
    release(file.node, file.handle);
  }
  // bash's `echo TEXT > FILE`, or `>>`: the redirection closes the first descriptor
  // before anything is written.
  void echo(std::string_view text, std::string_view file, int mode = O_TRUNC) {
    const OpenFile opened = open_path(file, O_WRONLY | O_CREAT | mode);
    flush(opened.node, opened.handle);
    const std::uint64_t end = getattr(opened.node).as<fuse_attr_out>().attr.size;
    write(opened.node, opened.handle, mode == O_APPEND ? end : 0, text, O_WRONLY | mode);
    close(opened);
  }
  std::string cat(std::string_view file) {
    const OpenFile opened = open_path(file, O_RDONLY);
    std::string content = read(opened.node, opened.handle).body;
    close(opened);
    return content;
  }
};

// The kernel of a FuseSession's guest.
class FuseGuest final : public FuseCalls {
 public:
  explicit FuseGuest(Provider& provider)
      : session_(provider, [this](std::span<const Bytes> parts) { take(parts); }, log_) {}

  FuseSession& session() { return session_; }
  [[nodiscard]] std::size_t replies() const { return reply_count_; }

  // Sends a message and returns its unique id; the reply may come later.
  std::uint64_t send(std::uint32_t opcode, std::uint64_t node, std::string_view body) {
    ByteBuffer message = fuse_message(opcode, ++unique_, node, body);
    last_ = session_.handle(message);
    return unique_;
  }
  [[nodiscard]] const Result<Handled>& last() const { return *last_; }

  // The reply to the message, if it has come; each can be taken once.
  std::optional<FuseReply> reply_to(std::uint64_t unique) {
    auto found = replies_.find(unique);
    if (found == replies_.end()) return std::nullopt;
    return std::exchange(found->second, {});
  }
  FuseReply call(std::uint32_t opcode, std::uint64_t node, std::string_view body) override {
    return reply_to(send(opcode, node, body)).value_or(FuseReply{.error = 999, .body = {}});
  }

  FuseReply mount() { return call(FUSE_INIT, 0, raw(init_body())); }

 private:
  void take(std::span<const Bytes> parts) {
    if (parts.empty()) return;
    std::string whole;
    for (Bytes part : parts)
      whole += as_text(part);
    fuse_out_header header{};
    std::memcpy(&header, whole.data(), sizeof(header));
    ++reply_count_;
    replies_[header.unique] =
        FuseReply{.error = -header.error, .body = whole.substr(sizeof(header))};
    if (header.len != whole.size()) replies_[header.unique]->error = 998;
  }

  DebugLog log_;
  std::map<std::uint64_t, std::optional<FuseReply>> replies_;
  std::size_t reply_count_ = 0;
  std::uint64_t unique_ = 0;
  std::optional<Result<Handled>> last_;
  FuseSession session_;
};

// The names in a READDIR reply, and the offset behind the last.
struct Listing {
  std::vector<std::string> names;
  std::uint64_t next = 0;
};

inline Listing parse_listing(const std::string& body) {
  Listing listing;
  std::size_t at = 0;
  while (at + FUSE_NAME_OFFSET <= body.size()) {
    fuse_dirent entry{};
    std::memcpy(&entry, body.data() + at, FUSE_NAME_OFFSET);
    listing.names.emplace_back(body.substr(at + FUSE_NAME_OFFSET, entry.namelen));
    listing.next = entry.off;
    at += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + entry.namelen);
  }
  return listing;
}

}  // namespace gondolin::vfs
