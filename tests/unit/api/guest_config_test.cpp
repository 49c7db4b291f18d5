// The listeners file of a guest and the routing table it feeds, without a guest:
// the files are edited through the provider, as the FUSE session does.

#include "api/guest_config.hpp"

#include <fcntl.h>

#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace gondolin::api {
namespace {

using ingress::Route;
using ingress::StripPrefix;

class GuestConfigTest : public testing::Test {
 protected:
  // A Reply that leaves the answer in `result`; the directory answers at once.
  template <typename T>
  static vfs::Reply<T> into(std::optional<T>& result) {
    return vfs::Reply<T>([&result](vfs::Outcome<T> outcome) {
      ASSERT_TRUE(outcome);
      result.emplace(*std::move(outcome));
    });
  }
  static vfs::Reply<void> done() {
    return vfs::Reply<void>([](const vfs::Outcome<void>& outcome) { EXPECT_TRUE(outcome); });
  }

  // Replaces a file of the directory as `echo text > name` does.
  void write_file(const std::string& name, const std::string& text) {
    std::optional<vfs::Created> made;
    files_.create(vfs::kRootNode, name, 0644, O_WRONLY | O_CREAT | O_TRUNC, {}, into(made));
    ASSERT_TRUE(made);
    vfs::NodeId node = made->attributes.node;
    std::optional<std::size_t> written;
    files_.write(node, made->opened.handle, 0, as_bytes(text), 0, into(written));
    files_.release(node, made->opened.handle, done());
  }

  void remove_listeners() { files_.unlink(vfs::kRootNode, "listeners", done()); }

  std::string listeners() {
    std::optional<vfs::Attributes> found;
    files_.lookup(vfs::kRootNode, "listeners", into(found));
    std::optional<vfs::Opened> opened;
    files_.open(found->node, O_RDONLY, into(opened));
    std::string content;
    files_.read(found->node, opened->handle, 0, 65536,
                vfs::Reply<Bytes>([&](const vfs::Outcome<Bytes>& bytes) {
                  ASSERT_TRUE(bytes);
                  content = as_text(*bytes);
                }));
    files_.release(found->node, opened->handle, done());
    return content;
  }

  asio::io_context loop_;
  DebugLog log_;
  GuestConfig config_{loop_.get_executor(), log_};
  vfs::Provider& files_ = config_.files();
};

TEST_F(GuestConfigTest, AnEditIsInForceAndTheFileBecomesCanonical) {
  write_file("listeners", "# mine\n/api/  :9000 x=1\n");
  ASSERT_EQ(config_.routes().router()->routes().size(), 1U);
  EXPECT_EQ(listeners(), "# mine\n/api\t:9000\tx=1\n");
}

TEST_F(GuestConfigTest, AFileThatAnEditorHasOnScreenIsNotRewritten) {
  write_file(".listeners.swp", "vim's");
  write_file("listeners", "/ :8000\n");
  EXPECT_EQ(config_.routes().router()->routes().size(), 1U);
  EXPECT_EQ(listeners(), "/ :8000\n");
}

TEST_F(GuestConfigTest, AFileThatIsGoneMeansNoRoutesAfterAMoment) {
  write_file("listeners", "/ :8000\n");
  remove_listeners();
  EXPECT_EQ(config_.routes().router()->routes().size(), 1U);
  loop_.run();
  EXPECT_EQ(config_.routes().router()->routes().size(), 0U);
}

TEST_F(GuestConfigTest, AFileThatComesBackAtOnceWasNeverGone) {
  write_file("listeners", "/ :8000\n");
  auto generation = config_.routes().generation();
  remove_listeners();
  write_file("listeners", "/\t:8000\n");
  loop_.run();
  EXPECT_EQ(config_.routes().generation(), generation);
}

TEST_F(GuestConfigTest, RoutesSetByTheHostAreInTheFile) {
  ASSERT_TRUE(config_.set_routes({Route{"/api", Port{9000}, StripPrefix::kNo}}));
  EXPECT_EQ(listeners(), "/api\t:9000\tstrip_prefix=false\n");
  EXPECT_EQ(config_.routes().router()->routes().size(), 1U);
}

}  // namespace
}  // namespace gondolin::api
