// fuzz: vfs
// What a hostile guest can do to the host through the fs port. The input is a program
// for such a guest: mostly well-formed FUSE messages over few names, nodes and
// handles, so that they meet; some with a field, a length or the whole body wrong;
// frames cut anywhere; HELLOs and INITs in between; and now and then the host changes
// things too. Checked are the sanitizers' findings, the form of every reply, and the
// promises of ConfigDirectory.
#include <fcntl.h>
#include <linux/fuse.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <fuzzer/FuzzedDataProvider.h>

#include "base/check.hpp"
#include "vfs/config_directory.hpp"
#include "vfs/fs_link.hpp"
#include "wire/fuse_relay.hpp"

namespace gondolin::vfs {
namespace {

template <typename T>
std::string raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

// A struct that is zero but for what `fill` sets.
template <typename T, typename Fill>
std::string with(Fill fill) {
  T value{};
  fill(value);
  return raw(value);
}

std::string text(Bytes bytes) {
  return std::string(as_text(bytes));
}

class HostileGuest {
 public:
  explicit HostileGuest(FuzzedDataProvider& data) : data_(data) {
    directory_.on_listeners_change([this](const ListenersSnapshot& now) {
      GONDOLIN_CHECK(now.version > version_told_);
      GONDOLIN_CHECK(!now.content || now.content->size() <= ConfigDirectory::kMaxListenersSize);
      version_told_ = now.version;
      if (rewrites_) {
        GONDOLIN_CHECK(directory_.replace_if(now.version - 1, "stale").has_value() == false);
        if (auto version = directory_.replace_if(now.version, "rewritten\n")) {
          version_told_ = *version;
        }
      }
    });
    drain();
    send_bytes(text(wire::encode_greeting(wire::FrameType::kHello, {})));
    send_message(FUSE_INIT, body_of(FUSE_INIT));
  }

  void run() {
    while (data_.remaining_bytes() > 0 && steps_++ < 2000)
      step();
  }

 private:
  void step() {
    switch (data_.ConsumeIntegralInRange<int>(0, 19)) {
      case 0:
        return send_bytes(data_.ConsumeRandomLengthString(200));
      case 1:
        return send_bytes(text(wire::encode_greeting(wire::FrameType::kHello, {})));
      case 2:
        return change_as_host();
      case 3:
        return send_message(data_.ConsumeIntegral<std::uint8_t>(),
                            data_.ConsumeRandomLengthString(300));
      default:
        const std::uint32_t opcode = data_.PickValueInArray(kOpcodes);
        std::string body = body_of(opcode);
        if (data_.ConsumeIntegralInRange<int>(0, 15) == 15) spoil(body);
        send_message(opcode, body);
    }
  }

  void change_as_host() {
    rewrites_ = data_.ConsumeBool();
    directory_.set_status(data_.ConsumeRandomLengthString(20));
    const auto version = directory_.read().version;
    if (auto replaced = directory_.replace_if(version, data_.ConsumeRandomLengthString(20))) {
      GONDOLIN_CHECK(*replaced > version);
      version_told_ = *replaced;
    }
  }

  // --- messages ----------------------------------------------------------------

  static constexpr std::array<std::uint32_t, 28> kOpcodes = {
      FUSE_LOOKUP,  FUSE_FORGET,  FUSE_GETATTR,      FUSE_SETATTR, FUSE_MKDIR,      FUSE_UNLINK,
      FUSE_RMDIR,   FUSE_RENAME,  FUSE_RENAME2,      FUSE_OPEN,    FUSE_READ,       FUSE_WRITE,
      FUSE_STATFS,  FUSE_RELEASE, FUSE_FSYNC,        FUSE_FLUSH,   FUSE_INIT,       FUSE_OPENDIR,
      FUSE_READDIR, FUSE_CREATE,  FUSE_BATCH_FORGET, FUSE_DESTROY, FUSE_RELEASEDIR, FUSE_INTERRUPT,
      FUSE_OPEN,    FUSE_WRITE,   FUSE_SYMLINK,      FUSE_READLINK};

  std::string name() {
    static constexpr std::array<const char*, 5> kNames = {"listeners", "status", "a", "b",
                                                          ".listeners.swp"};
    return std::string(data_.PickValueInArray(kNames)) + '\0';
  }
  std::uint64_t handle() { return data_.ConsumeIntegralInRange<std::uint64_t>(0, 15); }
  std::uint64_t offset() {
    if (data_.ConsumeIntegralInRange<int>(0, 7) == 7) return data_.ConsumeIntegral<std::uint64_t>();
    return data_.ConsumeIntegralInRange<std::uint64_t>(0, 70'000);
  }
  std::uint32_t flags() {
    std::uint32_t flags = data_.ConsumeIntegralInRange<std::uint32_t>(0, 3);
    for (int flag : {O_TRUNC, O_APPEND, O_EXCL}) {
      if (data_.ConsumeBool()) flags |= static_cast<std::uint32_t>(flag);
    }
    return flags;
  }

  std::string body_of(std::uint32_t opcode) {
    switch (opcode) {
      case FUSE_INIT:
        return with<fuse_init_in>([](auto& in) {
          in.major = FUSE_KERNEL_VERSION;
          in.minor = FUSE_KERNEL_MINOR_VERSION;
          in.flags = FUSE_ATOMIC_O_TRUNC | FUSE_MAX_PAGES;
        });
      case FUSE_LOOKUP:
      case FUSE_UNLINK:
      case FUSE_RMDIR:
        return name();
      case FUSE_FORGET:
        return with<fuse_forget_in>([&](auto& in) { in.nlookup = offset(); });
      case FUSE_GETATTR:
        return raw(fuse_getattr_in{});
      case FUSE_SETATTR:
        return setattr_body();
      case FUSE_SYMLINK:
        return name() + data_.ConsumeRandomLengthString(20) + '\0';
      case FUSE_MKDIR:
        return raw(fuse_mkdir_in{}) + name();
      case FUSE_RENAME:
        return with<fuse_rename_in>([](auto& in) { in.newdir = 1; }) + name() + name();
      case FUSE_RENAME2:
        return with<fuse_rename2_in>([&](auto& in) {
                 in.newdir = 1;
                 in.flags = data_.ConsumeIntegralInRange<std::uint32_t>(0, 3);
               }) +
               name() + name();
      case FUSE_OPEN:
      case FUSE_OPENDIR:
        return with<fuse_open_in>([&](auto& in) { in.flags = flags(); });
      case FUSE_CREATE:
        return with<fuse_create_in>([&](auto& in) { in.flags = flags() | O_CREAT; }) + name();
      case FUSE_READ:
      case FUSE_READDIR:
        return with<fuse_read_in>([&](auto& in) {
          in.fh = handle();
          in.offset = offset();
          in.size = data_.ConsumeIntegral<std::uint32_t>();
        });
      case FUSE_WRITE:
        return write_body();
      case FUSE_RELEASE:
      case FUSE_RELEASEDIR:
        return with<fuse_release_in>([&](auto& in) { in.fh = handle(); });
      case FUSE_FSYNC:
        return with<fuse_fsync_in>([&](auto& in) { in.fh = handle(); });
      case FUSE_FLUSH:
        return with<fuse_flush_in>([&](auto& in) { in.fh = handle(); });
      case FUSE_BATCH_FORGET:
        return with<fuse_batch_forget_in>([&](auto& in) {
                 in.count = data_.ConsumeIntegralInRange<std::uint32_t>(0, 4);
               }) +
               raw(fuse_forget_one{}) + raw(fuse_forget_one{});
      default:
        return {};
    }
  }

  std::string setattr_body() {
    fuse_setattr_in in{};
    in.valid = data_.ConsumeIntegral<std::uint16_t>();
    in.fh = handle();
    in.size = offset();
    in.atime = in.mtime = offset();
    in.atimensec = data_.ConsumeIntegral<std::uint32_t>();
    in.mode = data_.ConsumeIntegral<std::uint32_t>();
    return raw(in);
  }

  std::string write_body() {
    const auto size = data_.ConsumeBool() ? data_.ConsumeIntegralInRange<std::size_t>(0, 65536)
                                          : data_.ConsumeIntegralInRange<std::size_t>(0, 8);
    fuse_write_in in{};
    in.fh = handle();
    in.offset = offset();
    in.size = static_cast<std::uint32_t>(size);
    in.flags = flags();
    return raw(in) + std::string(size, 'w');
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

  void send_message(std::uint32_t opcode, const std::string& body) {
    fuse_in_header header{};
    header.len = static_cast<std::uint32_t>(sizeof(header) + body.size());
    header.opcode = opcode;
    header.unique = ++unique_;
    header.nodeid = data_.ConsumeIntegralInRange<std::uint64_t>(0, 9);
    if (opcode == FUSE_CREATE || opcode == FUSE_RENAME2) header.nodeid = 1;
    if (data_.ConsumeIntegralInRange<int>(0, 63) == 63) header.len ^= 1U;
    std::string message = raw(header) + body;
    while (!message.empty()) {
      // A range gives 0 when the input has ended, so that is never the rare case.
      const std::size_t most = std::min(message.size(), wire::kMaxPayload);
      const std::size_t size = data_.ConsumeIntegralInRange<int>(0, 15) == 15
                                   ? data_.ConsumeIntegralInRange<std::size_t>(0, most)
                                   : most;
      const bool last = size == message.size();
      send_bytes(text(wire::encode({.type = wire::FrameType::kMessage,
                                    .flags = last ? std::uint8_t{0} : wire::kFlagMore,
                                    .stream = 0,
                                    .length = static_cast<std::uint32_t>(size)})) +
                 message.substr(0, size));
      message.erase(0, size);
    }
  }

  // --- the port --------------------------------------------------------------------

  void send_bytes(std::string_view bytes) {
    while (!bytes.empty()) {
      const MutableBytes space = link_.input_space();
      GONDOLIN_CHECK(!space.empty());  // everything is answered at once and drained
      const std::size_t count = std::min(space.size(), bytes.size());
      std::memcpy(space.data(), bytes.data(), count);
      link_.input_received(count);
      bytes.remove_prefix(count);
      take_events();
    }
  }

  void take_events() {
    while (true) {
      const auto event = link_.next_event();
      drain();
      if (!event) {
        joined_.clear();
        link_.restart();
        drain();
        send_bytes(text(wire::encode_greeting(wire::FrameType::kHello, {})));
        return;
      }
      if (!*event && link_.output().empty()) return;
    }
  }

  void drain() {
    while (!link_.output().empty()) {
      Bytes out = link_.output();
      const std::size_t size = out.size();
      while (!out.empty()) {
        const auto header = wire::decode_header(out.first(wire::kHeaderSize));
        GONDOLIN_CHECK(header.has_value());
        check_frame(*header, out.subspan(wire::kHeaderSize, header->length));
        out = out.subspan(wire::kHeaderSize + header->length);
      }
      link_.output_sent(size);
    }
  }

  void check_frame(const wire::FrameHeader& header, Bytes payload) {
    if (header.type != wire::FrameType::kMessage) {
      joined_.clear();
      return;
    }
    joined_ += as_text(payload);
    if ((header.flags & wire::kFlagMore) != 0) return;
    fuse_out_header reply{};
    GONDOLIN_CHECK(joined_.size() >= sizeof(reply) && joined_.size() <= wire::kMaxFuseMessage);
    std::memcpy(&reply, joined_.data(), sizeof(reply));
    GONDOLIN_CHECK(reply.len == joined_.size());
    GONDOLIN_CHECK(reply.error <= 0 && reply.error > -512);
    GONDOLIN_CHECK(reply.error == 0 || joined_.size() == sizeof(reply));
    joined_.clear();
  }

  FuzzedDataProvider& data_;
  DebugLog log_;
  ConfigDirectory directory_{"first\n"};
  FsLink link_{directory_, log_, [] {}};
  std::string joined_;
  std::uint64_t unique_ = 0;
  std::uint64_t version_told_ = 1;
  bool rewrites_ = false;
  int steps_ = 0;
};

}  // namespace
}  // namespace gondolin::vfs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  FuzzedDataProvider data(bytes, size);
  gondolin::vfs::HostileGuest(data).run();
  return 0;
}
