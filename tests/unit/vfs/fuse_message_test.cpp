// Which messages never get to libfuse.
#include "vfs/fuse_message.hpp"

#include <gtest/gtest.h>

#include "fuse_guest.hpp"
#include "wire/fuse_relay.hpp"

namespace gondolin::vfs {
namespace {

// What is answered to the message: 0 when libfuse would get it, -1 when nothing is.
int verdict(std::uint32_t opcode, std::string_view body) {
  const auto checked = check_message(fuse_message(opcode, 1, 1, body));
  if (!checked) return -2;
  if (checked->verdict == Verdict::kDrop) return -1;
  return checked->verdict == Verdict::kPass ? 0 : checked->error;
}

TEST(FuseMessage, IsNoneWhenItsLengthIsNotWhatItSays) {
  ByteBuffer message = fuse_message(FUSE_GETATTR, 1, 1, raw(fuse_getattr_in{}));
  EXPECT_TRUE(check_message(message).has_value());
  message.push_back(std::byte{0});
  EXPECT_FALSE(check_message(message).has_value());
  message.resize(message.size() - 2);
  EXPECT_FALSE(check_message(message).has_value());
  message.resize(sizeof(fuse_in_header) - 1);
  EXPECT_FALSE(check_message(message).has_value());
  EXPECT_FALSE(check_message({}).has_value());
}

TEST(FuseMessage, IsNoneWhenLongerThanTheLargest) {
  const std::size_t most = wire::kMaxFuseMessage - sizeof(fuse_in_header);
  EXPECT_TRUE(check_message(fuse_message(FUSE_STATFS, 1, 1, std::string(most, 'x'))).has_value());
  EXPECT_FALSE(
      check_message(fuse_message(FUSE_STATFS, 1, 1, std::string(most + 1, 'x'))).has_value());
}

TEST(FuseMessage, IsRefusedWhenItsFixedPartIsCutOff) {
  const std::pair<std::uint32_t, std::string> messages[] = {
      {FUSE_GETATTR, raw(fuse_getattr_in{})},
      {FUSE_SETATTR, raw(fuse_setattr_in{})},
      {FUSE_OPEN, raw(fuse_open_in{})},
      {FUSE_READ, raw(fuse_read_in{})},
      {FUSE_WRITE, raw(fuse_write_in{})},
      {FUSE_RELEASE, raw(fuse_release_in{})},
      {FUSE_FSYNC, raw(fuse_fsync_in{})},
      {FUSE_FLUSH, raw(fuse_flush_in{})},
      {FUSE_OPENDIR, raw(fuse_open_in{})},
      {FUSE_READDIR, raw(fuse_read_in{})},
      {FUSE_INIT, raw(init_body())},
      {FUSE_RELEASEDIR, raw(fuse_release_in{})},
      {FUSE_CREATE, raw(fuse_create_in{}) + name("x")},
      {FUSE_MKDIR, raw(fuse_mkdir_in{}) + name("x")},
      {FUSE_RENAME, raw(fuse_rename_in{}) + name("x") + name("y")},
      {FUSE_RENAME2, raw(fuse_rename2_in{}) + name("x") + name("y")}};
  for (const auto& [opcode, body] : messages) {
    EXPECT_EQ(verdict(opcode, body), 0) << opcode_name(opcode);
    EXPECT_EQ(verdict(opcode, body.substr(0, body.size() - 1)), EINVAL) << opcode_name(opcode);
    EXPECT_EQ(verdict(opcode, ""), EINVAL) << opcode_name(opcode);
  }
}

TEST(FuseMessage, IsRefusedWhenANameHasNoEnd) {
  EXPECT_EQ(verdict(FUSE_LOOKUP, "listeners"), EINVAL);
  EXPECT_EQ(verdict(FUSE_UNLINK, ""), EINVAL);
  EXPECT_EQ(verdict(FUSE_RENAME, raw(fuse_rename_in{}) + name("one")), EINVAL);
  EXPECT_EQ(verdict(FUSE_RENAME, raw(fuse_rename_in{}) + name("one") + "other"), EINVAL);
}

TEST(FuseMessage, IsRefusedWhenANameIsNone) {
  EXPECT_EQ(verdict(FUSE_LOOKUP, name("")), EINVAL);
  EXPECT_EQ(verdict(FUSE_LOOKUP, name(".")), EINVAL);
  EXPECT_EQ(verdict(FUSE_LOOKUP, name("..")), EINVAL);
  EXPECT_EQ(verdict(FUSE_LOOKUP, name("a/b")), EINVAL);
  EXPECT_EQ(verdict(FUSE_LOOKUP, name("...")), 0);
  EXPECT_EQ(verdict(FUSE_LOOKUP, name(std::string(255, 'x'))), 0);
  EXPECT_EQ(verdict(FUSE_LOOKUP, name(std::string(256, 'x'))), ENAMETOOLONG);
}

TEST(FuseMessage, ALinksTargetIsAnyTextWithAnEnd) {
  EXPECT_EQ(verdict(FUSE_SYMLINK, name("x") + name("../a/./b")), 0);
  EXPECT_EQ(verdict(FUSE_SYMLINK, name("x") + name(std::string(4095, 'y'))), 0);
  EXPECT_EQ(verdict(FUSE_SYMLINK, name("x") + name(std::string(4096, 'y'))), ENAMETOOLONG);
  EXPECT_EQ(verdict(FUSE_SYMLINK, name("x") + name("")), EINVAL);
  EXPECT_EQ(verdict(FUSE_SYMLINK, name("x") + "y"), EINVAL);
  EXPECT_EQ(verdict(FUSE_SYMLINK, name("a/b") + name("y")), EINVAL);
  EXPECT_EQ(verdict(FUSE_SYMLINK, name("x")), EINVAL);
  EXPECT_EQ(verdict(FUSE_READLINK, ""), 0);
}

TEST(FuseMessage, IsRefusedWhenItWritesMoreThanItHolds) {
  fuse_write_in in{};
  in.size = 4;
  EXPECT_EQ(verdict(FUSE_WRITE, raw(in) + "data"), 0);
  EXPECT_EQ(verdict(FUSE_WRITE, raw(in) + "dat"), EINVAL);
  in.size = ~0U;
  EXPECT_EQ(verdict(FUSE_WRITE, raw(in) + "data"), EINVAL);
}

TEST(FuseMessage, IsDroppedWhenItForgetsMoreThanItNames) {
  fuse_batch_forget_in in{};
  in.count = 2;
  const std::string one = raw(fuse_forget_one{});
  EXPECT_EQ(verdict(FUSE_BATCH_FORGET, raw(in) + one + one), 0);
  EXPECT_EQ(verdict(FUSE_BATCH_FORGET, raw(in) + one), -1);
  in.count = ~0U;
  EXPECT_EQ(verdict(FUSE_BATCH_FORGET, raw(in) + one + one), -1);
  EXPECT_EQ(verdict(FUSE_FORGET, "short"), -1);
}

TEST(FuseMessage, OfInterruptIsDroppedBecauseLibfuseWouldKeepIt) {
  EXPECT_EQ(verdict(FUSE_INTERRUPT, raw(fuse_interrupt_in{})), -1);
  EXPECT_EQ(verdict(FUSE_INTERRUPT, ""), -1);
}

TEST(FuseMessage, OfAnOpcodeNobodyServesIsAnsweredEnosys) {
  for (std::uint32_t opcode :
       {0U, 7U, 19U, static_cast<unsigned>(FUSE_IOCTL), static_cast<unsigned>(FUSE_POLL),
        static_cast<unsigned>(FUSE_BMAP), static_cast<unsigned>(FUSE_NOTIFY_REPLY), 1000U,
        static_cast<unsigned>(CUSE_INIT), ~0U}) {
    EXPECT_EQ(verdict(opcode, std::string(200, '\0')), ENOSYS) << opcode;
  }
  EXPECT_EQ(verdict(FUSE_SETXATTR, ""), ENOSYS);
  EXPECT_EQ(verdict(FUSE_GETXATTR, "x"), ENOSYS);
}

TEST(FuseMessage, OfInitNeedsAProtocolWeSpeak) {
  fuse_init_in init = init_body();
  EXPECT_EQ(verdict(FUSE_INIT, raw(init)), 0);
  EXPECT_EQ(verdict(FUSE_INIT, raw(init).substr(0, 16)), EINVAL);  // it names an extension
  init.flags = 0;
  EXPECT_EQ(verdict(FUSE_INIT, raw(init).substr(0, 16)), 0);
  init.minor = 22;
  EXPECT_EQ(verdict(FUSE_INIT, raw(init)), EPROTO);
  init.minor = 36;
  init.major = 8;
  EXPECT_EQ(verdict(FUSE_INIT, raw(init)), EPROTO);
  init.major = 6;
  EXPECT_EQ(verdict(FUSE_INIT, raw(init)), EPROTO);
}

}  // namespace
}  // namespace gondolin::vfs
