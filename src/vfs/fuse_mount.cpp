// libfuse's callbacks, and the way back from a provider's outcome to a FUSE reply.
//
// Callbacks are called by C code, so no exception leaves them: what a provider
// throws ends up in the debug log, and the Reply that was destroyed on the way has
// answered EIO.
#include "vfs/fuse_mount.hpp"

#include <linux/fs.h>
#include <linux/fuse.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "base/check.hpp"

namespace gondolin::vfs {
namespace {

// --- values ------------------------------------------------------------------

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr std::int64_t kMostSeconds = 9'000'000'000;  // what Time can hold, and a little less

timespec to_timespec(Time time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {.tv_sec = seconds.time_since_epoch().count(), .tv_nsec = (time - seconds).count()};
}

Time from_timespec(const timespec& time) {
  const std::int64_t seconds = std::clamp<std::int64_t>(time.tv_sec, -kMostSeconds, kMostSeconds);
  const std::int64_t rest = std::clamp<std::int64_t>(time.tv_nsec, 0, kNanosecondsPerSecond - 1);
  return Time(std::chrono::seconds(seconds) + std::chrono::nanoseconds(rest));
}

Time now() {
  return std::chrono::time_point_cast<Time::duration>(std::chrono::system_clock::now());
}

mode_t type_bits(NodeKind kind) {
  switch (kind) {
    case NodeKind::kDirectory:
      return S_IFDIR;
    case NodeKind::kSymlink:
      return S_IFLNK;
    case NodeKind::kFile:
      break;
  }
  return S_IFREG;
}

struct stat to_stat(const Attributes& attributes) {
  struct stat result{};
  result.st_ino = static_cast<ino_t>(attributes.node);
  result.st_mode = type_bits(attributes.kind) | attributes.permissions;
  result.st_nlink = attributes.links;
  result.st_uid = attributes.uid;
  result.st_gid = attributes.gid;
  result.st_size = static_cast<off_t>(attributes.size);
  result.st_blksize = 4096;
  result.st_blocks = static_cast<blkcnt_t>((attributes.size + 511) / 512);
  result.st_atim = to_timespec(attributes.accessed);
  result.st_mtim = to_timespec(attributes.modified);
  result.st_ctim = to_timespec(attributes.changed);
  return result;
}

AttributeChanges to_changes(const struct stat& wanted, int set, const fuse_file_info* file) {
  AttributeChanges changes;
  if ((set & FUSE_SET_ATTR_MODE) != 0) changes.permissions = wanted.st_mode & 07777;
  if ((set & FUSE_SET_ATTR_UID) != 0) changes.uid = wanted.st_uid;
  if ((set & FUSE_SET_ATTR_GID) != 0) changes.gid = wanted.st_gid;
  if ((set & FUSE_SET_ATTR_SIZE) != 0) changes.size = static_cast<std::uint64_t>(wanted.st_size);
  if ((set & FUSE_SET_ATTR_ATIME) != 0) changes.accessed = from_timespec(wanted.st_atim);
  if ((set & FUSE_SET_ATTR_MTIME) != 0) changes.modified = from_timespec(wanted.st_mtim);
  if ((set & FUSE_SET_ATTR_ATIME_NOW) != 0) changes.accessed = now();
  if ((set & FUSE_SET_ATTR_MTIME_NOW) != 0) changes.modified = now();
  if (file) changes.handle = HandleId{file->fh};
  return changes;
}

double validity_seconds(const Provider& provider) {
  return std::chrono::duration<double>(provider.cache_validity()).count();
}

fuse_entry_param to_entry(const FuseMount& mount, const Attributes& attributes) {
  fuse_entry_param entry{};
  entry.ino = static_cast<fuse_ino_t>(attributes.node);
  entry.attr = to_stat(attributes);
  entry.attr_timeout = entry.entry_timeout = validity_seconds(mount.provider());
  return entry;
}

fuse_file_info to_file_info(const Opened& opened) {
  fuse_file_info info{};
  info.fh = static_cast<std::uint64_t>(opened.handle);
  info.direct_io = opened.cache == PageCache::kBypass;
  return info;
}

// --- outcomes to replies --------------------------------------------------------
// What libfuse's reply functions return is the failure of send(), which has none.

void reply_error(fuse_req_t request, Errno error) {
  const int value = static_cast<int>(error);
  GONDOLIN_CHECK(value > 0 && value < 1000);
  fuse_reply_err(request, value);
}

void reply_entry(FuseMount& mount, fuse_req_t request, Outcome<Attributes> outcome) {
  if (!outcome) return reply_error(request, outcome.error());
  const fuse_entry_param entry = to_entry(mount, *outcome);
  fuse_reply_entry(request, &entry);
}

void reply_attributes(FuseMount& mount, fuse_req_t request, Outcome<Attributes> outcome) {
  if (!outcome) return reply_error(request, outcome.error());
  const struct stat attributes = to_stat(*outcome);
  fuse_reply_attr(request, &attributes, validity_seconds(mount.provider()));
}

void reply_created(FuseMount& mount, fuse_req_t request, Outcome<Created> outcome) {
  if (!outcome) return reply_error(request, outcome.error());
  const fuse_entry_param entry = to_entry(mount, outcome->attributes);
  const fuse_file_info info = to_file_info(outcome->opened);
  fuse_reply_create(request, &entry, &info);
}

void reply_opened(FuseMount&, fuse_req_t request, Outcome<Opened> outcome) {
  if (!outcome) return reply_error(request, outcome.error());
  const fuse_file_info info = to_file_info(*outcome);
  fuse_reply_open(request, &info);
}

void reply_bytes(FuseMount&, fuse_req_t request, Outcome<Bytes> outcome) {
  if (!outcome) return reply_error(request, outcome.error());
  GONDOLIN_CHECK(outcome->size() <= kMaxTransfer);
  fuse_reply_buf(request, reinterpret_cast<const char*>(outcome->data()), outcome->size());
}

void reply_written(FuseMount&, fuse_req_t request, Outcome<std::size_t> outcome) {
  if (!outcome) return reply_error(request, outcome.error());
  fuse_reply_write(request, *outcome);
}

void reply_done(FuseMount&, fuse_req_t request, Outcome<void> outcome) {
  if (!outcome) return reply_error(request, outcome.error());
  fuse_reply_err(request, 0);
}

void reply_target(FuseMount&, fuse_req_t request, Outcome<std::string> outcome) {
  if (!outcome) return reply_error(request, outcome.error());
  fuse_reply_readlink(request, outcome->c_str());
}

void reply_usage(FuseMount&, fuse_req_t request, Outcome<FileSystemUsage> outcome) {
  if (!outcome) return reply_error(request, outcome.error());
  struct statvfs usage{};
  usage.f_bsize = usage.f_frsize = outcome->block_size;
  usage.f_blocks = outcome->blocks;
  usage.f_bfree = usage.f_bavail = outcome->free_blocks;
  usage.f_files = outcome->files;
  usage.f_ffree = usage.f_favail = outcome->free_files;
  usage.f_namemax = 255;
  fuse_reply_statfs(request, &usage);
}

// As many entries as fit `size` bytes.
void reply_entries(fuse_req_t request, std::size_t size,
                   const Outcome<std::vector<DirectoryEntry>>& outcome) {
  if (!outcome) return reply_error(request, outcome.error());
  std::string buffer(size, '\0');
  std::size_t used = 0;
  for (const DirectoryEntry& entry : *outcome) {
    struct stat attributes{};
    attributes.st_ino = static_cast<ino_t>(entry.node);
    attributes.st_mode = type_bits(entry.kind);
    const std::size_t length =
        fuse_add_direntry(request, buffer.data() + used, size - used, entry.name.c_str(),
                          &attributes, static_cast<off_t>(entry.next));
    if (length > size - used) break;
    used += length;
  }
  fuse_reply_buf(request, buffer.data(), used);
}

// --- libfuse's callbacks -----------------------------------------------------------

FuseMount& mount_of(void* userdata) {
  return *static_cast<FuseMount*>(userdata);
}

// Runs `operation` with the request's mount.
template <typename Operation>
void serve(fuse_req_t request, Operation operation) noexcept {
  FuseMount& mount = mount_of(fuse_req_userdata(request));
  try {
    operation(mount);
  } catch (const std::bad_alloc&) {
    // answered already, and a line would want memory too
  } catch (const std::exception& error) {
    mount.log().line(DebugTopic::kVfs, std::string("an operation failed: ") + error.what());
  }
}

Caller caller_of(fuse_req_t request) {
  const fuse_ctx* context = fuse_req_ctx(request);
  return {.uid = context->uid, .gid = context->gid};
}

std::size_t transfer_size(std::size_t asked) {
  return std::min(asked, kMaxTransfer);
}

void on_init(void*, fuse_conn_info* connection) {
  connection->max_write = kMaxTransfer;
}

void on_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().lookup(NodeId{parent}, name, mount.owe<Attributes>(request, reply_entry));
  });
}

void on_forget(fuse_req_t request, fuse_ino_t node, std::uint64_t count) {
  serve(request, [&](FuseMount& mount) { mount.provider().forget(NodeId{node}, count); });
  fuse_reply_none(request);
}

void on_forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) {
  serve(request, [&](FuseMount& mount) {
    for (const fuse_forget_data& one : std::span(forgets, count)) {
      mount.provider().forget(NodeId{one.ino}, one.nlookup);
    }
  });
  fuse_reply_none(request);
}

void on_getattr(fuse_req_t request, fuse_ino_t node, fuse_file_info*) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().getattr(NodeId{node}, mount.owe<Attributes>(request, reply_attributes));
  });
}

void on_setattr(fuse_req_t request, fuse_ino_t node, struct stat* wanted, int set,
                fuse_file_info* file) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().setattr(NodeId{node}, to_changes(*wanted, set, file),
                             mount.owe<Attributes>(request, reply_attributes));
  });
}

void on_create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
               fuse_file_info* file) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().create(NodeId{parent}, name, mode & 07777, file->flags, caller_of(request),
                            mount.owe<Created>(request, reply_created));
  });
}

void on_mkdir(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().mkdir(NodeId{parent}, name, mode & 07777, caller_of(request),
                           mount.owe<Attributes>(request, reply_entry));
  });
}

void on_readlink(fuse_req_t request, fuse_ino_t node) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().readlink(NodeId{node}, mount.owe<std::string>(request, reply_target));
  });
}

void on_symlink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().symlink(NodeId{parent}, name, target, caller_of(request),
                             mount.owe<Attributes>(request, reply_entry));
  });
}

void on_unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().unlink(NodeId{parent}, name, mount.owe<void>(request, reply_done));
  });
}

void on_rmdir(fuse_req_t request, fuse_ino_t parent, const char* name) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().rmdir(NodeId{parent}, name, mount.owe<void>(request, reply_done));
  });
}

void on_rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
               const char* new_name, unsigned flags) {
  RenameMode mode = RenameMode::kReplace;
  if (flags == RENAME_NOREPLACE) {
    mode = RenameMode::kNoReplace;
  } else if (flags == RENAME_EXCHANGE) {
    mode = RenameMode::kExchange;
  } else if (flags != 0) {
    fuse_reply_err(request, EINVAL);
    return;
  }
  serve(request, [&](FuseMount& mount) {
    mount.provider().rename(NodeId{parent}, name, NodeId{new_parent}, new_name, mode,
                            mount.owe<void>(request, reply_done));
  });
}

void on_statfs(fuse_req_t request, fuse_ino_t) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().statfs(mount.owe<FileSystemUsage>(request, reply_usage));
  });
}

void on_open(fuse_req_t request, fuse_ino_t node, fuse_file_info* file) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().open(NodeId{node}, file->flags, mount.owe<Opened>(request, reply_opened));
  });
}

void on_read(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset,
             fuse_file_info* file) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().read(NodeId{node}, HandleId{file->fh}, static_cast<std::uint64_t>(offset),
                          transfer_size(size), mount.owe<Bytes>(request, reply_bytes));
  });
}

void on_write(fuse_req_t request, fuse_ino_t node, const char* data, std::size_t size, off_t offset,
              fuse_file_info* file) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().write(NodeId{node}, HandleId{file->fh}, static_cast<std::uint64_t>(offset),
                           as_bytes({data, size}), file->flags,
                           mount.owe<std::size_t>(request, reply_written));
  });
}

void on_flush(fuse_req_t request, fuse_ino_t node, fuse_file_info* file) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().flush(NodeId{node}, HandleId{file->fh}, mount.owe<void>(request, reply_done));
  });
}

void on_fsync(fuse_req_t request, fuse_ino_t node, int, fuse_file_info* file) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().fsync(NodeId{node}, HandleId{file->fh}, mount.owe<void>(request, reply_done));
  });
}

void on_release(fuse_req_t request, fuse_ino_t node, fuse_file_info* file) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().release(NodeId{node}, HandleId{file->fh},
                             mount.owe<void>(request, reply_done));
  });
}

void on_opendir(fuse_req_t request, fuse_ino_t node, fuse_file_info*) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().opendir(NodeId{node}, mount.owe<Opened>(request, reply_opened));
  });
}

void on_readdir(fuse_req_t request, fuse_ino_t node, std::size_t asked, off_t offset,
                fuse_file_info* file) {
  serve(request, [&](FuseMount& mount) {
    const std::size_t size = transfer_size(asked);
    const std::size_t smallest_entry = fuse_add_direntry(request, nullptr, 0, ".", nullptr, 0);
    mount.provider().readdir(NodeId{node}, HandleId{file->fh}, static_cast<std::uint64_t>(offset),
                             size / smallest_entry,
                             mount.owe<std::vector<DirectoryEntry>>(
                                 request, [size](FuseMount&, fuse_req_t owed, const auto& outcome) {
                                   reply_entries(owed, size, outcome);
                                 }));
  });
}

void on_releasedir(fuse_req_t request, fuse_ino_t node, fuse_file_info* file) {
  serve(request, [&](FuseMount& mount) {
    mount.provider().releasedir(NodeId{node}, HandleId{file->fh},
                                mount.owe<void>(request, reply_done));
  });
}

fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops ops{};
  ops.init = on_init;
  ops.lookup = on_lookup;
  ops.forget = on_forget;
  ops.forget_multi = on_forget_multi;
  ops.getattr = on_getattr;
  ops.setattr = on_setattr;
  ops.create = on_create;
  ops.mkdir = on_mkdir;
  ops.readlink = on_readlink;
  ops.symlink = on_symlink;
  ops.unlink = on_unlink;
  ops.rmdir = on_rmdir;
  ops.rename = on_rename;
  ops.statfs = on_statfs;
  ops.open = on_open;
  ops.read = on_read;
  ops.write = on_write;
  ops.flush = on_flush;
  ops.fsync = on_fsync;
  ops.release = on_release;
  ops.opendir = on_opendir;
  ops.readdir = on_readdir;
  ops.releasedir = on_releasedir;
  return ops;
}

// libfuse's way out: always takes everything, so libfuse never has an error to print.
ssize_t on_writev(int, iovec* parts, int count, void* userdata) noexcept {
  const std::span all(parts, static_cast<std::size_t>(count));
  mount_of(userdata).send(all);
  std::size_t size = 0;
  for (const iovec& part : all)
    size += part.iov_len;
  return static_cast<ssize_t>(size);
}

// libfuse asks for one, and never calls it: messages are brought to it.
ssize_t on_read_device(int, void*, std::size_t, void*) noexcept {
  errno = EIO;
  return -1;
}

}  // namespace

// --- FuseMount -------------------------------------------------------------------

Result<std::shared_ptr<FuseMount>> FuseMount::create(std::shared_ptr<FuseSession::Shared> shared) {
  std::shared_ptr<FuseMount> mount(new FuseMount(std::move(shared)));
  std::array<char, 9> program = {"gondolin"};
  std::array<char*, 2> arguments = {program.data(), nullptr};
  fuse_args args{.argc = 1, .argv = arguments.data(), .allocated = 0};
  const fuse_lowlevel_ops ops = operations();
  mount->session_ = fuse_session_new(&args, &ops, sizeof(ops), mount.get());
  fuse_opt_free_args(&args);
  if (!mount->session_) return fail(ErrorCode::kIo, "libfuse starts no session");

  // The session wants a descriptor of its own, which it closes and does not use.
  // No file: when the guest's daemon starts anew, we may be past opening any.
  const int descriptor = ::eventfd(0, EFD_CLOEXEC);
  if (descriptor < 0) return fail_errno("eventfd", errno);
  const fuse_custom_io io{.writev = on_writev,
                          .read = on_read_device,
                          .splice_receive = nullptr,
                          .splice_send = nullptr};
  if (const int error = fuse_session_custom_io(mount->session_, &io, descriptor); error != 0) {
    ::close(descriptor);
    return fail_errno("fuse_session_custom_io", -error);
  }
  return mount;
}

FuseMount::~FuseMount() {
  if (session_) fuse_session_destroy(session_);
}

void FuseMount::process(MutableBytes message) {
  // An answer inside this call may be the last to hold the mount.
  const std::shared_ptr<FuseMount> keep = shared_from_this();
  fuse_buf buffer{};
  buffer.size = message.size();
  buffer.mem = message.data();
  fuse_session_process_buf(session_, &buffer);
}

void FuseMount::send(std::span<const iovec> parts) {
  if (!shared_->sink) return;  // nor may anything else be touched
  fuse_out_header header;
  GONDOLIN_CHECK(!parts.empty() && parts[0].iov_len == sizeof(header));
  std::memcpy(&header, parts[0].iov_base, sizeof(header));
  if (header.error == 0) ready_ = true;  // nothing else succeeds before INIT does
  if (header.error != 0 && log().enabled(DebugTopic::kVfs)) {
    log().line(DebugTopic::kVfs, "answer " + std::to_string(header.unique) + ": " +
                                     std::generic_category().message(-header.error));
  }
  if (abandoned_) return shared_->sink({});
  std::array<Bytes, 4> views;
  GONDOLIN_CHECK(parts.size() <= views.size());
  std::ranges::transform(parts, views.begin(), [](const iovec& part) {
    return Bytes(static_cast<const std::byte*>(part.iov_base), part.iov_len);
  });
  shared_->sink(std::span(views).first(parts.size()));
}

}  // namespace gondolin::vfs
