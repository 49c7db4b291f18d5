#include "api/vfs_nodes.hpp"

#include <cerrno>
#include <string>

#include <gtest/gtest.h>

namespace gondolin::api {
namespace {

using vfs::Errno;
using vfs::kRootNode;
using vfs::NodeId;
using vfs::NodeKind;
using vfs::RenameMode;

class VfsNodesTest : public testing::Test {
 protected:
  NodeId look_up(NodeId parent, std::string_view name, NodeKind kind = NodeKind::kDirectory) {
    return nodes_.remember(parent, name, kind).value();
  }
  VfsNodes nodes_{100};
};

TEST_F(VfsNodesTest, PutsPathsTogether) {
  const NodeId a = look_up(kRootNode, "a");
  const NodeId b = look_up(a, "b");
  EXPECT_EQ(nodes_.path(kRootNode).value(), "/");
  EXPECT_EQ(nodes_.path(b).value(), "/a/b");
  EXPECT_EQ(nodes_.path(b, "c").value(), "/a/b/c");
  EXPECT_EQ(nodes_.path(kRootNode, "c").value(), "/c");
  EXPECT_EQ(look_up(a, "b"), b);
}

TEST_F(VfsNodesTest, MovesWhatIsBelowADirectory) {
  const NodeId a = look_up(kRootNode, "a");
  const NodeId b = look_up(a, "b");
  const NodeId c = look_up(kRootNode, "c");
  nodes_.renamed(kRootNode, "a", c, "d", RenameMode::kReplace);
  EXPECT_EQ(nodes_.path(b).value(), "/c/d/b");
}

TEST_F(VfsNodesTest, AReplacedNameIsGoneAndAnExchangedOneIsThere) {
  const NodeId a = look_up(kRootNode, "a");
  const NodeId b = look_up(kRootNode, "b");
  nodes_.renamed(kRootNode, "a", kRootNode, "b", RenameMode::kExchange);
  EXPECT_EQ(nodes_.path(a).value(), "/b");
  EXPECT_EQ(nodes_.path(b).value(), "/a");
  nodes_.renamed(kRootNode, "a", kRootNode, "b", RenameMode::kReplace);
  EXPECT_EQ(nodes_.path(b).value(), "/b");
  EXPECT_EQ(nodes_.path(a).error(), Errno{ENOENT});
}

TEST_F(VfsNodesTest, KeepsWhatIsRememberedOrHasSomethingBelowIt) {
  const NodeId a = look_up(kRootNode, "a");
  const NodeId b = look_up(a, "b");
  look_up(a, "b");
  nodes_.forget(a, 1);
  EXPECT_EQ(nodes_.path(b).value(), "/a/b");
  nodes_.forget(b, 1);
  EXPECT_EQ(nodes_.path(b).value(), "/a/b");
  nodes_.forget(b, 1);
  EXPECT_EQ(nodes_.path(b).error(), Errno{ESTALE});
  EXPECT_EQ(nodes_.size(), 0U);
}

TEST_F(VfsNodesTest, ForgettingTooMuchOrTheUnknownDoesNoHarm) {
  const NodeId a = look_up(kRootNode, "a");
  nodes_.forget(a, ~0ULL);
  nodes_.forget(a, 1);
  nodes_.forget(kRootNode, 1000);
  nodes_.forget(NodeId{12345}, 1);
  EXPECT_EQ(nodes_.path(kRootNode).value(), "/");
  EXPECT_EQ(nodes_.remember(NodeId{12345}, "x", NodeKind::kFile).error(), Errno{ESTALE});
}

TEST_F(VfsNodesTest, ARemovedNodeStaysUntilItIsForgotten) {
  const NodeId a = look_up(kRootNode, "a", NodeKind::kFile);
  nodes_.removed(kRootNode, "a");
  EXPECT_EQ(nodes_.path(a).error(), Errno{ENOENT});
  EXPECT_NE(look_up(kRootNode, "a", NodeKind::kFile), a);
  nodes_.forget(a, 1);
  EXPECT_EQ(nodes_.path(a).error(), Errno{ESTALE});
}

TEST_F(VfsNodesTest, AnotherKindIsAnotherNode) {
  const NodeId file = look_up(kRootNode, "a", NodeKind::kFile);
  const NodeId directory = look_up(kRootNode, "a", NodeKind::kDirectory);
  EXPECT_NE(file, directory);
  EXPECT_EQ(nodes_.path(directory).value(), "/a");
}

TEST_F(VfsNodesTest, BoundsTheirNumberAndTheLengthOfAPath) {
  NodeId node = kRootNode;
  const std::string name(255, 'n');
  for (int i = 0; i < 15; ++i)
    node = look_up(node, name);
  EXPECT_EQ(nodes_.path(node).value().size(), 15U * 256);
  EXPECT_EQ(nodes_.path(node, name).error(), Errno{ENAMETOOLONG});
  for (int i = 0; i < 85; ++i)
    look_up(kRootNode, std::to_string(i));
  EXPECT_EQ(nodes_.remember(kRootNode, "more", NodeKind::kFile).error(), Errno{ENFILE});
  EXPECT_TRUE(nodes_.remember(kRootNode, "1", NodeKind::kDirectory).has_value());
}

TEST_F(VfsNodesTest, ARenameOverADirectoryAboveDoesNoHarm) {
  const NodeId a = look_up(kRootNode, "a");
  const NodeId b = look_up(a, "b");
  look_up(b, "c");
  nodes_.forget(a, 1);
  nodes_.forget(b, 1);
  nodes_.renamed(b, "c", kRootNode, "a", RenameMode::kReplace);
  nodes_.renamed(b, "c", kRootNode, "a", RenameMode::kExchange);
  nodes_.clear();
  EXPECT_EQ(nodes_.size(), 0U);
}

}  // namespace
}  // namespace gondolin::api
