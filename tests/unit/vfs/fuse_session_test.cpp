// Mounts that begin and end, answers that come late or not at all.
#include "vfs/fuse_session.hpp"

#include <memory>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fuse_guest.hpp"
#include "slow_provider.hpp"

namespace gondolin::vfs {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr std::string_view kGetattrBody{"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16};

TEST(FuseSession, TellsTheKernelItsLimitsAtInit) {
  SlowProvider provider;
  FuseGuest guest(provider);
  const FuseReply reply = guest.mount();
  EXPECT_EQ(reply.error, 0);
  const auto init = reply.as<fuse_init_out>();
  EXPECT_EQ(init.major, 7U);
  EXPECT_EQ(init.max_write, kMaxTransfer);
  EXPECT_EQ(init.max_pages, kMaxTransfer / 4096);
  EXPECT_NE(init.flags & FUSE_ATOMIC_O_TRUNC, 0U);
  EXPECT_EQ(init.flags & FUSE_WRITEBACK_CACHE, 0U);
  EXPECT_EQ(guest.last().value(), Handled::kMounted);
}

TEST(FuseSession, AnswersEioBeforeInit) {
  SlowProvider provider;
  FuseGuest guest(provider);
  EXPECT_EQ(guest.call(FUSE_STATFS, 1, "").error, EIO);
  guest.send(FUSE_FORGET, 1, raw(fuse_forget_in{}));
  EXPECT_EQ(guest.replies(), 1U);
}

TEST(FuseSession, AnswersWhenTheProviderDoes) {
  SlowProvider provider;
  FuseGuest guest(provider);
  guest.mount();
  const auto first = guest.send(FUSE_GETATTR, 1, kGetattrBody);
  const auto second = guest.send(FUSE_GETATTR, 1, kGetattrBody);
  EXPECT_EQ(guest.session().unanswered(), 2U);
  EXPECT_FALSE(guest.reply_to(first).has_value());
  provider.waiting[1](Attributes{.size = 2});
  EXPECT_EQ(guest.reply_to(second)->as<fuse_attr_out>().attr.size, 2U);
  provider.waiting[0](failed(EACCES));
  EXPECT_EQ(guest.reply_to(first)->error, EACCES);
  EXPECT_EQ(guest.session().unanswered(), 0U);
}

TEST(FuseSession, AnswersEioForAReplyThatIsDropped) {
  SlowProvider provider;
  FuseGuest guest(provider);
  guest.mount();
  const auto unique = guest.send(FUSE_GETATTR, 1, kGetattrBody);
  provider.waiting.clear();
  EXPECT_EQ(guest.reply_to(unique)->error, EIO);
  EXPECT_EQ(guest.create("x", O_RDWR).error, EIO);
}

TEST(FuseSession, AnswersEioWhenTheProviderThrows) {
  SlowProvider provider;
  FuseGuest guest(provider);
  guest.mount();
  EXPECT_EQ(guest.call(FUSE_MKDIR, 1, raw(fuse_mkdir_in{}) + name("d")).error, EIO);
  EXPECT_EQ(guest.call(FUSE_STATFS, 1, "").error, 0);
}

TEST(FuseSession, DiscardsLateAnswersToAnEarlierMount) {
  SlowProvider provider;
  FuseGuest guest(provider);
  guest.mount();
  guest.send(FUSE_GETATTR, 1, kGetattrBody);
  EXPECT_EQ(guest.mount().error, 0);
  EXPECT_EQ(provider.restarts, 1);
  EXPECT_EQ(guest.session().unanswered(), 1U);
  const std::size_t before = guest.replies();
  provider.waiting[0](Attributes{});
  EXPECT_EQ(guest.replies(), before);
  EXPECT_EQ(guest.session().unanswered(), 0U);
}

TEST(FuseSession, DiscardsLateAnswersAfterAReset) {
  SlowProvider provider;
  FuseGuest guest(provider);
  guest.mount();
  guest.send(FUSE_GETATTR, 1, kGetattrBody);
  guest.session().reset();
  EXPECT_EQ(guest.call(FUSE_STATFS, 1, "").error, EIO);
  provider.waiting.clear();
  EXPECT_EQ(guest.mount().error, 0);
  EXPECT_EQ(guest.call(FUSE_STATFS, 1, "").error, 0);
}

TEST(FuseSession, MayBeGoneWhenAnswersCome) {
  SlowProvider provider;
  {
    FuseGuest guest(provider);
    guest.mount();
    guest.send(FUSE_GETATTR, 1, kGetattrBody);
    guest.send(FUSE_GETATTR, 1, kGetattrBody);
  }
  provider.waiting[0](Attributes{});
  provider.waiting.clear();
}

TEST(FuseSession, ForgetsAsTheGuestSays) {
  SlowProvider provider;
  FuseGuest guest(provider);
  guest.mount();
  const std::size_t before = guest.replies();
  guest.send(FUSE_FORGET, 5, raw(fuse_forget_in{.nlookup = 3}));
  fuse_batch_forget_in batch{};
  batch.count = 2;
  guest.send(FUSE_BATCH_FORGET, 0,
             raw(batch) + raw(fuse_forget_one{.nodeid = 6, .nlookup = 1}) +
                 raw(fuse_forget_one{.nodeid = 7, .nlookup = ~0ULL}));
  EXPECT_THAT(provider.forgotten,
              ElementsAre(Pair(NodeId{5}, 3), Pair(NodeId{6}, 1), Pair(NodeId{7}, ~0ULL)));
  EXPECT_EQ(guest.replies(), before);
}

TEST(FuseSession, TransfersNoMoreThanItSaid) {
  SlowProvider provider;
  FuseGuest guest(provider);
  guest.mount();
  EXPECT_EQ(guest.read(1, 0, 0, ~0U).body.size(), kMaxTransfer);
  EXPECT_EQ(guest.write(1, 0, 0, std::string(kMaxTransfer, 'x')).as<fuse_write_out>().size,
            kMaxTransfer);
}

TEST(FuseSession, ReportsWhatIsNoFuseMessage) {
  SlowProvider provider;
  FuseGuest guest(provider);
  guest.mount();
  ByteBuffer message = fuse_message(FUSE_STATFS, 1, 1, "");
  message.resize(message.size() + 1);
  EXPECT_EQ(guest.session().handle(message).error().code, ErrorCode::kProtocol);
  EXPECT_EQ(guest.call(FUSE_STATFS, 1, "").error, 0);
}

}  // namespace
}  // namespace gondolin::vfs
