// Judges messages, answers the bad ones, and gives the good ones to the mount.
#include "vfs/fuse_session.hpp"

#include <linux/fuse.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "vfs/fuse_message.hpp"
#include "vfs/fuse_mount.hpp"

namespace gondolin::vfs {

FuseSession::FuseSession(Provider& provider, Sink sink, const DebugLog& log)
    : shared_(std::make_shared<Shared>(provider, log, std::move(sink))) {}

FuseSession::~FuseSession() {
  if (mount_) mount_->abandon();
  shared_->sink = nullptr;
}

void FuseSession::reset() {
  if (!mount_) return;
  mount_->abandon();
  mount_.reset();
  shared_->provider.restart();
}

std::size_t FuseSession::unanswered() const {
  return shared_->unanswered;
}

Result<Handled> FuseSession::handle(MutableBytes message) {
  GONDOLIN_CHECK(reinterpret_cast<std::uintptr_t>(message.data()) % alignof(std::uint64_t) == 0);
  const auto checked = check_message(message);
  if (!checked) return tl::unexpected(checked.error());
  if (shared_->log.enabled(DebugTopic::kVfs)) {
    shared_->log.line(DebugTopic::kVfs, std::string(opcode_name(checked->opcode)) + " " +
                                            std::to_string(checked->unique) + ": node " +
                                            std::to_string(checked->node) + ", " +
                                            std::to_string(message.size()) + " bytes");
  }
  if (checked->verdict == Verdict::kDrop) return Handled::kMessage;
  if (checked->verdict == Verdict::kAnswer) {
    answer(*checked, checked->error);
    return Handled::kMessage;
  }
  if (checked->opcode == FUSE_INIT) return mount(*checked, message);
  if (mount_) {
    mount_->process(message);
  } else if (checked->opcode != FUSE_FORGET && checked->opcode != FUSE_BATCH_FORGET) {
    answer(*checked, EIO);
  }
  return Handled::kMessage;
}

Handled FuseSession::mount(const CheckedMessage& checked, MutableBytes message) {
  reset();
  auto made = FuseMount::create(shared_);
  if (!made) {
    shared_->log.line(DebugTopic::kVfs, "no FUSE session: " + made.error().message);
    answer(checked, EIO);
    return Handled::kMessage;
  }
  mount_ = std::move(*made);
  mount_->process(message);
  return mount_->ready() ? Handled::kMounted : Handled::kMessage;
}

void FuseSession::answer(const CheckedMessage& checked, int error) {
  const fuse_out_header header{
      .len = sizeof(fuse_out_header), .error = -error, .unique = checked.unique};
  const std::array<Bytes, 1> parts = {std::as_bytes(std::span(&header, 1))};
  shared_->sink(parts);
}

}  // namespace gondolin::vfs
