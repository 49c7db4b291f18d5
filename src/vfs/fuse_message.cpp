// One row of kRules for each opcode that is known. An opcode without a row, or with
// an error in its row, is answered here and never gets to libfuse, so only the
// handlers named in this table can be reached by a guest:
//
// - A fixed part of the size the kernel sends from protocol 7.23 on (older ones are
//   refused at INIT), which libfuse casts to the struct of that opcode.
// - Names, and the targets of symbolic links, which libfuse finds with strlen().
// - WRITE's data, whose size is a field of the message, and BATCH_FORGET's entries,
//   whose count is one.
//
// INTERRUPT is dropped: libfuse keeps those that match no request in a list that
// has no end, and a request that is not interrupted is still answered in its time.
#include "vfs/fuse_message.hpp"

#include <linux/fuse.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "wire/fuse_relay.hpp"

namespace gondolin::vfs {
namespace {

constexpr std::uint32_t kOldestMinor = 23;
constexpr std::size_t kOldInitSize = offsetof(fuse_init_in, flags2);
constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxTarget = 4095;

enum class Tail : std::uint8_t { kNothing, kName, kTwoNames, kNameAndTarget, kWriteData, kForgets };

struct Rule {
  std::uint32_t opcode;
  std::string_view name;
  std::size_t fixed;  // bytes between the header and the tail
  Tail tail = Tail::kNothing;
  Verdict verdict = Verdict::kPass;
  int error = 0;
};

constexpr Rule answered(std::uint32_t opcode, std::string_view name, int error) {
  return {opcode, name, 0, Tail::kNothing, Verdict::kAnswer, error};
}

constexpr std::array kRules = {
    Rule{FUSE_LOOKUP, "LOOKUP", 0, Tail::kName},
    Rule{FUSE_FORGET, "FORGET", sizeof(fuse_forget_in)},
    Rule{FUSE_GETATTR, "GETATTR", sizeof(fuse_getattr_in)},
    Rule{FUSE_SETATTR, "SETATTR", sizeof(fuse_setattr_in)},
    Rule{FUSE_READLINK, "READLINK", 0},
    Rule{FUSE_SYMLINK, "SYMLINK", 0, Tail::kNameAndTarget},
    answered(FUSE_MKNOD, "MKNOD", EPERM),
    Rule{FUSE_MKDIR, "MKDIR", sizeof(fuse_mkdir_in), Tail::kName},
    Rule{FUSE_UNLINK, "UNLINK", 0, Tail::kName},
    Rule{FUSE_RMDIR, "RMDIR", 0, Tail::kName},
    Rule{FUSE_RENAME, "RENAME", sizeof(fuse_rename_in), Tail::kTwoNames},
    Rule{FUSE_RENAME2, "RENAME2", sizeof(fuse_rename2_in), Tail::kTwoNames},
    answered(FUSE_LINK, "LINK", EPERM),
    Rule{FUSE_OPEN, "OPEN", sizeof(fuse_open_in)},
    Rule{FUSE_READ, "READ", sizeof(fuse_read_in)},
    Rule{FUSE_WRITE, "WRITE", sizeof(fuse_write_in), Tail::kWriteData},
    Rule{FUSE_STATFS, "STATFS", 0},
    Rule{FUSE_RELEASE, "RELEASE", sizeof(fuse_release_in)},
    Rule{FUSE_FSYNC, "FSYNC", sizeof(fuse_fsync_in)},
    answered(FUSE_FSYNCDIR, "FSYNCDIR", ENOSYS),
    answered(FUSE_SETXATTR, "SETXATTR", ENOSYS),
    answered(FUSE_GETXATTR, "GETXATTR", ENOSYS),
    answered(FUSE_LISTXATTR, "LISTXATTR", ENOSYS),
    answered(FUSE_REMOVEXATTR, "REMOVEXATTR", ENOSYS),
    Rule{FUSE_FLUSH, "FLUSH", sizeof(fuse_flush_in)},
    Rule{FUSE_INIT, "INIT", kOldInitSize},
    Rule{FUSE_OPENDIR, "OPENDIR", sizeof(fuse_open_in)},
    Rule{FUSE_READDIR, "READDIR", sizeof(fuse_read_in)},
    Rule{FUSE_RELEASEDIR, "RELEASEDIR", sizeof(fuse_release_in)},
    answered(FUSE_ACCESS, "ACCESS", ENOSYS),
    Rule{FUSE_CREATE, "CREATE", sizeof(fuse_create_in), Tail::kName},
    Rule{FUSE_INTERRUPT, "INTERRUPT", 0, Tail::kNothing, Verdict::kDrop},
    Rule{FUSE_DESTROY, "DESTROY", 0},
    Rule{FUSE_BATCH_FORGET, "BATCH_FORGET", sizeof(fuse_batch_forget_in), Tail::kForgets},
};

const Rule* find_rule(std::uint32_t opcode) {
  const auto* found = std::ranges::find(kRules, opcode, &Rule::opcode);
  return found == kRules.end() ? nullptr : found;
}

// The struct at the start of `body`, which is long enough.
template <typename T>
T load(Bytes body) {
  T value;
  std::memcpy(&value, body.data(), sizeof(T));
  return value;
}

// Takes a name and its NUL off the front of `rest`; 0, or the errno to answer.
int take_name(std::string_view& rest) {
  const std::size_t length = rest.find('\0');
  if (length == std::string_view::npos || length == 0) return EINVAL;
  if (length > kMaxName) return ENAMETOOLONG;
  const std::string_view name = rest.substr(0, length);
  if (name == "." || name == ".." || name.find('/') != std::string_view::npos) return EINVAL;
  rest.remove_prefix(length + 1);
  return 0;
}

// The same for the target of a symbolic link, which is any text.
int take_target(std::string_view rest) {
  const std::size_t length = rest.find('\0');
  if (length == std::string_view::npos || length == 0) return EINVAL;
  return length > kMaxTarget ? ENAMETOOLONG : 0;
}

// Whether what follows the fixed part is all there: 0, or the errno to answer.
int check_tail(Tail tail, Bytes body, std::size_t fixed) {
  std::string_view rest = as_text(body.subspan(fixed));
  switch (tail) {
    case Tail::kNothing:
      return 0;
    case Tail::kName:
      return take_name(rest);
    case Tail::kTwoNames:
      if (int error = take_name(rest)) return error;
      return take_name(rest);
    case Tail::kNameAndTarget:
      if (int error = take_name(rest)) return error;
      return take_target(rest);
    case Tail::kWriteData:
      return load<fuse_write_in>(body).size > rest.size() ? EINVAL : 0;
    case Tail::kForgets:
      return load<fuse_batch_forget_in>(body).count > rest.size() / sizeof(fuse_forget_one) ? EINVAL
                                                                                            : 0;
  }
  return EINVAL;
}

int check_init(Bytes body) {
  fuse_init_in init{};
  std::memcpy(&init, body.data(), std::min(body.size(), sizeof(init)));
  if (init.major != FUSE_KERNEL_VERSION || init.minor < kOldestMinor) return EPROTO;
  if ((init.flags & FUSE_INIT_EXT) != 0 && body.size() < sizeof(init)) return EINVAL;
  return 0;
}

int check_body(const Rule& rule, Bytes body) {
  if (body.size() < rule.fixed) return EINVAL;
  if (int error = check_tail(rule.tail, body, rule.fixed)) return error;
  return rule.opcode == FUSE_INIT ? check_init(body) : 0;
}

bool is_forget(std::uint32_t opcode) {
  return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET;
}

}  // namespace

Result<CheckedMessage> check_message(Bytes message) {
  if (message.size() < sizeof(fuse_in_header) || message.size() > wire::kMaxFuseMessage) {
    return fail(ErrorCode::kProtocol,
                "a FUSE message of " + std::to_string(message.size()) + " bytes");
  }
  const auto header = load<fuse_in_header>(message);
  if (header.len != message.size()) {
    return fail(ErrorCode::kProtocol, "a FUSE message of " + std::to_string(message.size()) +
                                          " bytes that says it has " + std::to_string(header.len));
  }
  CheckedMessage checked{.opcode = header.opcode, .unique = header.unique, .node = header.nodeid};
  const Rule* rule = find_rule(header.opcode);
  checked.verdict = rule ? rule->verdict : Verdict::kAnswer;
  checked.error = rule ? rule->error : ENOSYS;
  if (checked.verdict != Verdict::kPass) return checked;
  checked.error = check_body(*rule, message.subspan(sizeof(header)));
  if (checked.error != 0)
    checked.verdict = is_forget(header.opcode) ? Verdict::kDrop : Verdict::kAnswer;
  return checked;
}

std::string_view opcode_name(std::uint32_t opcode) {
  const Rule* rule = find_rule(opcode);
  return rule ? rule->name : "opcode";
}

}  // namespace gondolin::vfs
