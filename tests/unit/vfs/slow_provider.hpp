// A provider that answers GETATTR only when it is told to, as one does that has its
// work done elsewhere, and everything else with an error.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <utility>
#include <vector>

#include "vfs/provider.hpp"

namespace gondolin::vfs {

class SlowProvider final : public Provider {
 public:
  std::vector<Reply<Attributes>> waiting;
  int restarts = 0;
  std::vector<std::pair<NodeId, std::uint64_t>> forgotten;

  void restart() override { ++restarts; }
  void lookup(NodeId, std::string_view, Reply<Attributes> reply) override { reply(failed(ENOENT)); }
  void forget(NodeId node, std::uint64_t count) override { forgotten.emplace_back(node, count); }
  void create(NodeId, std::string_view, std::uint32_t, int, Caller, Reply<Created>) override {
    // Answered by the Reply itself.
  }
  void mkdir(NodeId, std::string_view, std::uint32_t, Caller, Reply<Attributes>) override {
    throw std::runtime_error("a provider's bug");
  }
  void unlink(NodeId, std::string_view, Reply<void> reply) override { reply({}); }
  void rmdir(NodeId, std::string_view, Reply<void> reply) override { reply({}); }
  void rename(NodeId, std::string_view, NodeId, std::string_view, RenameMode,
              Reply<void> reply) override {
    reply({});
  }
  void getattr(NodeId, Reply<Attributes> reply) override { waiting.push_back(std::move(reply)); }
  void setattr(NodeId, const AttributeChanges&, Reply<Attributes> reply) override {
    reply(failed(EROFS));
  }
  void statfs(Reply<FileSystemUsage> reply) override { reply(FileSystemUsage{}); }
  void open(NodeId, int, Reply<Opened> reply) override { reply(Opened{}); }
  void read(NodeId, HandleId, std::uint64_t, std::size_t size, Reply<Bytes> reply) override {
    const ByteBuffer data(size, std::byte{'d'});
    reply(Bytes(data));
  }
  void write(NodeId, HandleId, std::uint64_t, Bytes data, int, Reply<std::size_t> reply) override {
    reply(data.size());
  }
  void flush(NodeId, HandleId, Reply<void> reply) override { reply({}); }
  void fsync(NodeId, HandleId, Reply<void> reply) override { reply({}); }
  void release(NodeId, HandleId, Reply<void> reply) override { reply({}); }
  void opendir(NodeId, Reply<Opened> reply) override { reply(Opened{}); }
  void readdir(NodeId, HandleId, std::uint64_t, std::size_t,
               Reply<std::vector<DirectoryEntry>> reply) override {
    reply(std::vector<DirectoryEntry>{});
  }
  void releasedir(NodeId, HandleId, Reply<void> reply) override { reply({}); }
};

}  // namespace gondolin::vfs
