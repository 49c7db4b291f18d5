// fuzz: api
// A hostile guest on a mount: FUSE messages of every kind, whole or spoiled, in any order,
// through libfuse to a MemoryProvider. What must hold: every answer is well-formed, bounds
// are kept, and the provider is only ever given paths as vfs.hpp says.
#include <fcntl.h>
#include <linux/fuse.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>

#include <fuzzer/FuzzedDataProvider.h>

#include "api/served_files.hpp"
#include "base/check.hpp"
#include "vfs/fuse_session.hpp"
#include "wire/fuse_relay.hpp"

namespace gondolin {
namespace {

void check_path(const std::string& path) {
  GONDOLIN_CHECK(!path.empty() && path.size() <= 4095 && path[0] == '/');
  if (path == "/") return;
  for (std::size_t at = 1; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string name = path.substr(at, end - at);
    GONDOLIN_CHECK(!name.empty() && name.size() <= 255 && name != "." && name != "..");
    GONDOLIN_CHECK(name.find('\0') == std::string::npos);
    at = end + 1;
  }
}

// The memory provider behind a check of every path.
class CheckingProvider final : public VfsProvider {
 public:
  VfsAttributes attributes(const std::string& path) override {
    check_path(path);
    return memory_.attributes(path);
  }
  std::vector<FileEntry> list(const std::string& path) override {
    check_path(path);
    return memory_.list(path);
  }
  std::unique_ptr<VfsFile> open(const std::string& path, const VfsOpen& how) override {
    check_path(path);
    return memory_.open(path, how);
  }
  std::unique_ptr<VfsFile> create(const std::string& path, std::uint32_t permissions,
                                  const VfsOpen& how) override {
    check_path(path);
    return memory_.create(path, permissions, how);
  }
  void make_directory(const std::string& path, std::uint32_t permissions) override {
    check_path(path);
    memory_.make_directory(path, permissions);
  }
  void remove_file(const std::string& path) override {
    check_path(path);
    memory_.remove_file(path);
  }
  void remove_directory(const std::string& path) override {
    check_path(path);
    memory_.remove_directory(path);
  }
  void rename(const std::string& from, const std::string& to, VfsRename mode) override {
    check_path(from);
    check_path(to);
    GONDOLIN_CHECK(!to.starts_with(from + "/"));
    memory_.rename(from, to, mode);
  }
  void change(const std::string& path, const VfsChanges& changes) override {
    check_path(path);
    memory_.change(path, changes);
  }
  std::string read_link(const std::string& path) override {
    check_path(path);
    return memory_.read_link(path);
  }
  void make_link(const std::string& path, const std::string& target) override {
    check_path(path);
    memory_.make_link(path, target);
  }
  VfsUsage usage() override { return memory_.usage(); }

 private:
  MemoryProvider memory_{100'000, 40};
};

// ServedFiles without a thread: every operation is answered at once.
class SyncProvider final : public vfs::Provider {
 public:
  template <typename T>
  using Reply = vfs::Reply<T>;
  using NodeId = vfs::NodeId;
  using HandleId = vfs::HandleId;

  void restart() override { files_.restart(); }
  void lookup(NodeId parent, std::string_view name, Reply<vfs::Attributes> reply) override {
    reply(files_.lookup(parent, std::string(name)));
  }
  void forget(NodeId node, std::uint64_t count) override { files_.forget(node, count); }
  void create(NodeId parent, std::string_view name, std::uint32_t permissions, int flags,
              vfs::Caller, Reply<vfs::Created> reply) override {
    reply(files_.create(parent, std::string(name), permissions, flags));
  }
  void mkdir(NodeId parent, std::string_view name, std::uint32_t permissions, vfs::Caller,
             Reply<vfs::Attributes> reply) override {
    reply(files_.mkdir(parent, std::string(name), permissions));
  }
  void unlink(NodeId parent, std::string_view name, Reply<void> reply) override {
    reply(files_.unlink(parent, std::string(name)));
  }
  void rmdir(NodeId parent, std::string_view name, Reply<void> reply) override {
    reply(files_.rmdir(parent, std::string(name)));
  }
  void rename(NodeId parent, std::string_view name, NodeId new_parent, std::string_view new_name,
              vfs::RenameMode mode, Reply<void> reply) override {
    reply(files_.rename(parent, std::string(name), new_parent, std::string(new_name), mode));
  }
  void readlink(NodeId node, Reply<std::string> reply) override { reply(files_.readlink(node)); }
  void symlink(NodeId parent, std::string_view name, std::string_view target, vfs::Caller,
               Reply<vfs::Attributes> reply) override {
    reply(files_.symlink(parent, std::string(name), std::string(target)));
  }
  void getattr(NodeId node, Reply<vfs::Attributes> reply) override { reply(files_.getattr(node)); }
  void setattr(NodeId node, const vfs::AttributeChanges& changes,
               Reply<vfs::Attributes> reply) override {
    reply(files_.setattr(node, changes));
  }
  void statfs(Reply<vfs::FileSystemUsage> reply) override { reply(files_.statfs()); }
  void open(NodeId node, int flags, Reply<vfs::Opened> reply) override {
    reply(files_.open(node, flags));
  }
  void read(NodeId, HandleId handle, std::uint64_t offset, std::size_t size,
            Reply<Bytes> reply) override {
    auto bytes = files_.read(handle, offset, size);
    if (!bytes) return reply(tl::unexpected(bytes.error()));
    reply(Bytes(*bytes));
  }
  void write(NodeId, HandleId handle, std::uint64_t offset, Bytes data, int,
             Reply<std::size_t> reply) override {
    reply(files_.write(handle, offset, data));
  }
  void flush(NodeId, HandleId handle, Reply<void> reply) override { reply(files_.flush(handle)); }
  void fsync(NodeId, HandleId handle, Reply<void> reply) override { reply(files_.fsync(handle)); }
  void release(NodeId, HandleId handle, Reply<void> reply) override {
    reply(files_.release(handle));
  }
  void opendir(NodeId node, Reply<vfs::Opened> reply) override { reply(files_.opendir(node)); }
  void readdir(NodeId, HandleId handle, std::uint64_t offset, std::size_t limit,
               Reply<std::vector<vfs::DirectoryEntry>> reply) override {
    reply(files_.readdir(handle, offset, limit));
  }
  void releasedir(NodeId, HandleId handle, Reply<void> reply) override {
    reply(files_.release(handle));
  }

 private:
  api::ServedFiles files_{{.path = "/m",
                           .provider = std::make_shared<CheckingProvider>(),
                           .max_open_files = 8,
                           .max_names = 30},
                          [](const std::string&) {}};
};

class HostileMount {
 public:
  explicit HostileMount(FuzzedDataProvider& data) : data_(data) {}

  void run() {
    send(FUSE_INIT, 0, init());
    while (data_.remaining_bytes() > 0) {
      const std::uint32_t opcode = data_.PickValueInArray(kOpcodes);
      std::string body = body_of(opcode);
      if (data_.ConsumeIntegralInRange<int>(0, 31) == 31) spoil(body);
      send(opcode, data_.ConsumeIntegralInRange<std::uint64_t>(0, 12), body);
    }
  }

 private:
  static constexpr std::array<std::uint32_t, 26> kOpcodes = {
      FUSE_LOOKUP,  FUSE_LOOKUP,  FUSE_FORGET,  FUSE_GETATTR, FUSE_SETATTR,  FUSE_MKDIR,
      FUSE_UNLINK,  FUSE_RMDIR,   FUSE_RENAME2, FUSE_RENAME,  FUSE_OPEN,     FUSE_READ,
      FUSE_WRITE,   FUSE_STATFS,  FUSE_RELEASE, FUSE_FSYNC,   FUSE_FLUSH,    FUSE_INIT,
      FUSE_OPENDIR, FUSE_READDIR, FUSE_CREATE,  FUSE_SYMLINK, FUSE_READLINK, FUSE_RELEASEDIR,
      FUSE_WRITE,   FUSE_MKDIR};

  template <typename T>
  static std::string raw(const T& value) {
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
  }
  static std::string init() {
    fuse_init_in in{};
    in.major = FUSE_KERNEL_VERSION;
    in.minor = FUSE_KERNEL_MINOR_VERSION;
    in.flags = FUSE_ATOMIC_O_TRUNC;
    return raw(in);
  }
  std::string name() {
    static constexpr std::array<const char*, 4> kNames = {"a", "b", "c", "d"};
    return std::string(data_.PickValueInArray(kNames)) + '\0';
  }
  std::uint64_t small() { return data_.ConsumeIntegralInRange<std::uint64_t>(0, 12); }
  std::uint64_t offset() {
    if (data_.ConsumeIntegralInRange<int>(0, 7) == 7) return data_.ConsumeIntegral<std::uint64_t>();
    return data_.ConsumeIntegralInRange<std::uint64_t>(0, 120'000);
  }

  std::string body_of(std::uint32_t opcode) {
    switch (opcode) {
      case FUSE_INIT:
        return init();
      case FUSE_LOOKUP:
      case FUSE_UNLINK:
      case FUSE_RMDIR:
        return name();
      case FUSE_SYMLINK:
        return name() + data_.ConsumeRandomLengthString(30) + '\0';
      case FUSE_FORGET: {
        fuse_forget_in in{};
        in.nlookup = small();
        return raw(in);
      }
      case FUSE_GETATTR:
        return raw(fuse_getattr_in{});
      case FUSE_SETATTR: {
        fuse_setattr_in in{};
        in.valid = data_.ConsumeIntegral<std::uint16_t>();
        in.fh = small();
        in.size = offset();
        in.mode = data_.ConsumeIntegral<std::uint32_t>();
        return raw(in);
      }
      case FUSE_MKDIR:
        return raw(fuse_mkdir_in{}) + name();
      case FUSE_RENAME: {
        fuse_rename_in in{};
        in.newdir = small();
        return raw(in) + name() + name();
      }
      case FUSE_RENAME2: {
        fuse_rename2_in in{};
        in.newdir = small();
        in.flags = data_.ConsumeIntegralInRange<std::uint32_t>(0, 3);
        return raw(in) + name() + name();
      }
      case FUSE_OPEN:
      case FUSE_OPENDIR: {
        fuse_open_in in{};
        in.flags = flags();
        return raw(in);
      }
      case FUSE_CREATE: {
        fuse_create_in in{};
        in.flags = flags() | O_CREAT;
        in.mode = 0644;
        return raw(in) + name();
      }
      case FUSE_READ:
      case FUSE_READDIR: {
        fuse_read_in in{};
        in.fh = small();
        in.offset = offset();
        in.size = data_.ConsumeIntegral<std::uint32_t>();
        return raw(in);
      }
      case FUSE_WRITE: {
        fuse_write_in in{};
        in.fh = small();
        in.offset = offset();
        in.size = data_.ConsumeIntegralInRange<std::uint32_t>(0, 65536);
        return raw(in) + std::string(in.size, 'w');
      }
      case FUSE_RELEASE:
      case FUSE_RELEASEDIR: {
        fuse_release_in in{};
        in.fh = small();
        return raw(in);
      }
      case FUSE_FSYNC: {
        fuse_fsync_in in{};
        in.fh = small();
        return raw(in);
      }
      case FUSE_FLUSH: {
        fuse_flush_in in{};
        in.fh = small();
        return raw(in);
      }
      default:
        return {};
    }
  }
  std::uint32_t flags() {
    std::uint32_t flags = data_.ConsumeIntegralInRange<std::uint32_t>(0, 3);
    for (int flag : {O_TRUNC, O_APPEND, O_EXCL}) {
      if (data_.ConsumeBool()) flags |= static_cast<std::uint32_t>(flag);
    }
    return flags;
  }
  void spoil(std::string& body) {
    if (body.empty()) return;
    const auto at = data_.ConsumeIntegralInRange<std::size_t>(0, body.size() - 1);
    if (data_.ConsumeBool()) {
      body.resize(at);
    } else {
      body[at] = data_.ConsumeIntegral<char>();
    }
  }

  void send(std::uint32_t opcode, std::uint64_t node, const std::string& body) {
    fuse_in_header header{};
    header.len = static_cast<std::uint32_t>(sizeof(header) + body.size());
    header.opcode = opcode;
    header.unique = ++unique_;
    header.nodeid = node;
    const std::string text = raw(header) + body;
    ByteBuffer message(text.size());
    std::memcpy(message.data(), text.data(), text.size());
    GONDOLIN_CHECK(session_.handle(message).has_value());
    GONDOLIN_CHECK(session_.unanswered() == 0);
  }

  void check_answer(std::span<const Bytes> parts) {
    if (parts.empty()) return;
    std::size_t size = 0;
    for (const Bytes part : parts)
      size += part.size();
    fuse_out_header header{};
    GONDOLIN_CHECK(parts[0].size() >= sizeof(header));
    std::memcpy(&header, parts[0].data(), sizeof(header));
    GONDOLIN_CHECK(header.len == size && size <= wire::kMaxFuseMessage);
    GONDOLIN_CHECK(header.error <= 0 && header.error > -512 && header.unique == unique_);
  }

  FuzzedDataProvider& data_;
  DebugLog log_;
  SyncProvider provider_;
  std::uint64_t unique_ = 0;
  vfs::FuseSession session_{provider_,
                            [this](std::span<const Bytes> parts) { check_answer(parts); }, log_};
};

}  // namespace
}  // namespace gondolin

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  FuzzedDataProvider data(bytes, size);
  gondolin::HostileMount(data).run();
  return 0;
}
