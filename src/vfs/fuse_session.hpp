// FUSE messages of one guest, turned into calls of a Provider by libfuse's
// low-level interface, which gets every message from here and gives every reply
// back to here; no device and no thread is involved.
//
// libfuse trusts the kernel it talks to. Ours is the guest's, hostile from its first
// instruction, so fuse_message.hpp checks every length, count and name first, and
// what libfuse would keep without bound (INTERRUPT) never gets to it.
//
// A guest whose daemon restarted begins again with INIT: each INIT starts a new
// libfuse session over the same provider. Answers that providers still owe to an
// old one are discarded when they come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/bytes.hpp"
#include "base/debug_log.hpp"
#include "base/result.hpp"
#include "vfs/provider.hpp"

namespace gondolin::vfs {

class FuseMount;
struct CheckedMessage;

// The largest READ and WRITE, told to the guest's kernel at INIT.
inline constexpr std::size_t kMaxTransfer = std::size_t{64} * 1024;

enum class Handled : std::uint8_t {
  kMessage,
  kMounted,  // it was INIT, and the answer says that the file system can be used
};

class FuseSession {
 public:
  // Takes one whole reply, in parts that belong together in this order and end with
  // the call. No parts at all say that an answer came that nobody waits for any more.
  // It must not call the session back.
  using Sink = std::function<void(std::span<const Bytes> parts)>;

  // `log` must outlive the session, and so must `provider`, which may be gone when the
  // last Reply is answered if what it answers is an error.
  FuseSession(Provider& provider, Sink sink, const DebugLog& log);
  FuseSession(const FuseSession&) = delete;
  FuseSession& operator=(const FuseSession&) = delete;
  ~FuseSession();

  // Handles one whole message, which is changed on the way and must be aligned to 8
  // bytes. Its reply, if it has one, comes before this returns or later, as the
  // provider chooses. kProtocol when it is no FUSE message at all: its length is not
  // what its header says. Everything else that is wrong with it is answered.
  [[nodiscard]] Result<Handled> handle(MutableBytes message);

  // The guest end is new: what is unanswered will not be answered.
  void reset();

  // Answers that the provider still owes, those to mounts of the past among them.
  [[nodiscard]] std::size_t unanswered() const;

 private:
  [[nodiscard]] Handled mount(const CheckedMessage& checked, MutableBytes message);
  void answer(const CheckedMessage& checked, int error);

  // What mounts share with the session, and may outlive it with.
  struct Shared {
    Provider& provider;
    const DebugLog& log;
    Sink sink;  // null once the session is gone
    std::size_t unanswered = 0;
  };
  friend class FuseMount;

  std::shared_ptr<Shared> shared_;
  std::shared_ptr<FuseMount> mount_;  // nothing before INIT
};

}  // namespace gondolin::vfs
