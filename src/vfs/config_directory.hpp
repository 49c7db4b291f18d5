// The directory that is /etc/gondolin inside a guest, kept in memory: `listeners`,
// which the guest edits; `status`, which it can only read; and the files that
// editors make on the way (swap files, backups, what is renamed over `listeners`).
//
// What the host is told of `listeners` is always a settled state: a file is settled
// when nobody who has changed it still has it open. That is at RELEASE, not at
// FLUSH: a shell's redirection closes a duplicate of the descriptor, and so sends
// FLUSH, before its first write, and each program in `(a; b) > listeners` sends
// one on exit. fsync(2) settles too, for a program that keeps the file open. RENAME,
// UNLINK and truncate(2) settle at once, unless another writer is at work.
//
// An edit that did not come to its end is taken back: when the guest's daemon dies
// with writers open, or a writer ran over the size limit, `listeners` has the last
// settled content again. So the file never shows what is not in force for long.
//
// Guests are bounded in bytes, names and open files; nothing here can be made to
// grow beyond that. It belongs to one event-loop thread and never blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "vfs/file_table.hpp"
#include "vfs/provider.hpp"

namespace gondolin::vfs {

// A settled state of `listeners`. Versions grow with every change the guest or the
// host makes, settled or not.
struct ListenersSnapshot {
  std::optional<std::string> content;  // nothing when the file does not exist
  std::uint64_t version = 0;
};

class ConfigDirectory final : public Provider {
 public:
  static constexpr std::size_t kMaxListenersSize = std::size_t{64} * 1024;  // bytes; more is EFBIG
  static constexpr std::size_t kMaxFileSize =
      std::size_t{256} * 1024;  // any other file: vim's swap file
  static constexpr std::size_t kMaxTotalSize =
      std::size_t{1024} * 1024;                    // all files; more is ENOSPC
  static constexpr std::size_t kMaxFiles = 64;     // names and unlinked files in use
  static constexpr std::size_t kMaxHandles = 128;  // open files; more is ENFILE
  static constexpr std::size_t kMaxStatusSize =
      std::size_t{128} * 1024;  // bytes; the lines that do not fit are cut off, and a line says so

  using Clock = std::function<Time()>;
  // Called, before the guest's operation is answered, each time `listeners` has come
  // to a settled state that differs from the one told before. It may call read(),
  // replace_if() and set_status(). An editor that saves by renaming makes the file
  // vanish for a moment: give a missing file some milliseconds before acting on it.
  using Listener = std::function<void(const ListenersSnapshot&)>;
  using StatusSource = std::function<std::string()>;

  // `listeners` is the first content of the file, at most kMaxListenersSize.
  explicit ConfigDirectory(std::string listeners, Clock clock = system_clock());
  [[nodiscard]] static Clock system_clock();

  // --- for the host --------------------------------------------------------
  void on_listeners_change(Listener listener) { listener_ = std::move(listener); }

  // The last settled state; never one a writer is still working on.
  [[nodiscard]] const ListenersSnapshot& read() const { return settled_; }

  // Replaces the file, or makes it, if nothing has changed it since the snapshot of
  // `version`, and returns the new version. The listener is not called: the caller
  // knows. kRefused when it was edited since or somebody has it open for writing;
  // the edit will be told in its time, so the caller starts over from it. kLimit
  // when `content` is too large.
  [[nodiscard]] Result<std::uint64_t> replace_if(std::uint64_t version, std::string content);

  // Whether there are more files than `listeners` and `status`: those that an editor
  // keeps while it has the file on screen.
  [[nodiscard]] bool has_other_files() const;

  // What `status` holds: a text, or what `source` says each time somebody looks.
  void set_status(std::string text);
  void set_status_source(StatusSource source) { status_ = std::move(source); }

  // --- Provider ------------------------------------------------------------
  void restart() override;
  void lookup(NodeId parent, std::string_view name, Reply<Attributes> reply) override;
  void forget(NodeId, std::uint64_t) override {}  // a node lives by its name and its open files
  void create(NodeId parent, std::string_view name, std::uint32_t permissions, int flags,
              Caller caller, Reply<Created> reply) override;
  void mkdir(NodeId parent, std::string_view name, std::uint32_t permissions, Caller caller,
             Reply<Attributes> reply) override;
  void unlink(NodeId parent, std::string_view name, Reply<void> reply) override;
  void rmdir(NodeId parent, std::string_view name, Reply<void> reply) override;
  void rename(NodeId parent, std::string_view name, NodeId new_parent, std::string_view new_name,
              RenameMode mode, Reply<void> reply) override;
  void getattr(NodeId node, Reply<Attributes> reply) override;
  void setattr(NodeId node, const AttributeChanges& changes, Reply<Attributes> reply) override;
  void statfs(Reply<FileSystemUsage> reply) override;
  void open(NodeId node, int flags, Reply<Opened> reply) override;
  void read(NodeId node, HandleId handle, std::uint64_t offset, std::size_t size,
            Reply<Bytes> reply) override;
  void write(NodeId node, HandleId handle, std::uint64_t offset, Bytes data, int flags,
             Reply<std::size_t> reply) override;
  void flush(NodeId node, HandleId handle, Reply<void> reply) override;
  void fsync(NodeId node, HandleId handle, Reply<void> reply) override;
  void release(NodeId node, HandleId handle, Reply<void> reply) override;
  void opendir(NodeId node, Reply<Opened> reply) override;
  void readdir(NodeId node, HandleId handle, std::uint64_t offset, std::size_t limit,
               Reply<std::vector<DirectoryEntry>> reply) override;
  void releasedir(NodeId node, HandleId handle, Reply<void> reply) override;

 private:
  struct Handle {
    NodeId node{};
    bool readable = false;
    bool writable = false;
    bool unfinished = false;  // its writer has changed the file and not settled it
    std::string status;       // of kStatusNode: what it said when it was opened
  };
  using Handles = std::unordered_map<HandleId, Handle>;

  // The operations proper, without the Reply around them.
  [[nodiscard]] Outcome<Attributes> look_up(NodeId parent, std::string_view name);
  [[nodiscard]] Outcome<Created> open_or_make(std::string_view name, std::uint32_t permissions,
                                              int flags, Caller caller);
  [[nodiscard]] Outcome<void> remove(std::string_view name);
  [[nodiscard]] Outcome<void> move(std::string_view name, std::string_view new_name,
                                   RenameMode mode);
  [[nodiscard]] Outcome<Attributes> attributes_of(NodeId node);
  [[nodiscard]] Outcome<Attributes> change(NodeId node, const AttributeChanges& changes);
  [[nodiscard]] Outcome<void> set_size(File& file, std::uint64_t size, std::optional<HandleId> by);
  [[nodiscard]] Outcome<Opened> open_node(NodeId node, int flags);
  [[nodiscard]] Outcome<Opened> open_status(int flags);
  [[nodiscard]] Outcome<Opened> open_file(File& file, int flags);
  [[nodiscard]] Outcome<std::size_t> write_file(NodeId node, HandleId handle, std::uint64_t offset,
                                                Bytes data, int flags);
  [[nodiscard]] Outcome<std::vector<DirectoryEntry>> list(NodeId node, std::uint64_t offset,
                                                          std::size_t limit);

  [[nodiscard]] Outcome<void> directory(NodeId node);
  [[nodiscard]] Handle* handle_of(NodeId node, HandleId handle);
  [[nodiscard]] Opened add_handle(Handle handle);
  [[nodiscard]] Outcome<void> room_for(const File& file, std::uint64_t size) const;
  [[nodiscard]] Attributes attributes_of(const File& file) const;
  [[nodiscard]] Attributes status_attributes();
  [[nodiscard]] const std::string& status_text();
  void resize(File& file, std::size_t size);

  // What `listeners` is.
  [[nodiscard]] bool is_listeners(const File& file) const;
  void listeners_changed() { ++version_; }
  [[nodiscard]] bool any_handle(NodeId node, bool Handle::* property) const;
  void settle();
  void take_back();

  Clock clock_;
  Listener listener_;
  StatusSource status_;
  std::string status_text_;  // what it said last, since when
  Time status_changed_;
  Time created_;
  Time directory_changed_;
  FileTable files_;
  Handles handles_;
  std::uint64_t next_handle_ = 1;
  std::uint64_t version_ = 1;  // of `listeners` as it is now
  ListenersSnapshot settled_;  // as it was told last
};

}  // namespace gondolin::vfs
