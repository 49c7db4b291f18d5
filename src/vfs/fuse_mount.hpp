// One libfuse session: what lies between the INIT of one mount and that of the
// next. FuseSession owns the current one; replies that are still owed keep an older
// one alive, and what they say to it is discarded.
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "base/bytes.hpp"
#include "base/debug_log.hpp"
#include "base/result.hpp"
#include "vfs/fuse_session.hpp"
#include "vfs/provider.hpp"

namespace gondolin::vfs {

class FuseMount : public std::enable_shared_from_this<FuseMount> {
 public:
  // kIo when the system gives no descriptor or memory for it.
  [[nodiscard]] static Result<std::shared_ptr<FuseMount>> create(
      std::shared_ptr<FuseSession::Shared> shared);
  FuseMount(const FuseMount&) = delete;
  FuseMount& operator=(const FuseMount&) = delete;
  ~FuseMount();

  // Gives a message that check_message() passed to libfuse.
  void process(MutableBytes message);
  // The guest has another mount, or none: no reply leaves from here any more.
  void abandon() { abandoned_ = true; }

  [[nodiscard]] bool ready() const { return ready_; }

  // --- for the operations in fuse_mount.cpp ----------------------------------
  [[nodiscard]] Provider& provider() const { return shared_->provider; }
  [[nodiscard]] const DebugLog& log() const { return shared_->log; }
  // A Reply that calls deliver(FuseMount&, fuse_req_t, Outcome<T>) with this request.
  // Whatever there is no memory for is answered with ENOMEM, so that no guest process waits
  // forever; a Reply that cannot be made is a std::bad_alloc besides.
  template <typename T, typename Deliver>
  [[nodiscard]] Reply<T> owe(fuse_req_t request, Deliver deliver) {
    const auto answer = [self = shared_from_this(), request, deliver](Outcome<T> outcome) {
      --self->shared_->unanswered;
      try {
        deliver(*self, request, std::move(outcome));
      } catch (const std::bad_alloc&) {
        fuse_reply_err(request, ENOMEM);
      }
    };
    try {
      Reply<T> reply(answer);
      ++shared_->unanswered;
      return reply;
    } catch (const std::bad_alloc&) {
      fuse_reply_err(request, ENOMEM);
      throw;
    }
  }
  // Hands one whole reply of libfuse's to the sink.
  void send(std::span<const iovec> parts);

 private:
  explicit FuseMount(std::shared_ptr<FuseSession::Shared> shared) : shared_(std::move(shared)) {}

  std::shared_ptr<FuseSession::Shared> shared_;
  fuse_session* session_ = nullptr;
  bool abandoned_ = false;
  bool ready_ = false;  // INIT was answered with success
};

}  // namespace gondolin::vfs
