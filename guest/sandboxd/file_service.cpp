#include "guest/sandboxd/file_service.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <variant>

#include "guest/sandboxd/file_operations.hpp"
#include "guest/sandboxd/file_target.hpp"
#include "wire/files.hpp"

namespace gondolin::guest {
namespace {

// Nobody is left to be answered, or what was said makes no sense.
constexpr int kGone = EPIPE;

class Conversation {
 public:
  Conversation(int input, int output) : input_(input), output_(output) {}

  // EPIPE at the end of the request's pipe.
  [[nodiscard]] FileResult<wire::FileMessage> receive();
  [[nodiscard]] FileResult<void> send(const wire::FileMessage& message);

 private:
  int input_;
  int output_;
  wire::FileMessageReader reader_;
  std::array<std::byte, wire::kMaxFileData> buffer_;
  Bytes unread_{};  // in buffer_
};

FileResult<wire::FileMessage> Conversation::receive() {
  while (true) {
    while (!unread_.empty()) {
      auto taken = reader_.feed(unread_);
      if (!taken) return file_error(kGone);
      unread_ = unread_.subspan(*taken);
      auto message = reader_.next();
      if (!message) return file_error(kGone);
      if (*message) return std::move(**message);
    }
    const ssize_t count = ::read(input_, buffer_.data(), buffer_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return file_error(kGone);
    unread_ = Bytes(buffer_).first(static_cast<std::size_t>(count));
  }
}

FileResult<void> Conversation::send(const wire::FileMessage& message) {
  const ByteBuffer encoded = wire::encode_file_message(message);
  for (Bytes rest = encoded; !rest.empty();) {
    const ssize_t count = ::write(output_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return last_error();
    rest = rest.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

// Each request's work, up to the FileDone that answers it.
struct Service {
  Conversation& host;

  FileResult<void> operator()(const wire::ReadFile& request) const {
    auto file = open_for_reading(request.path);
    if (!file) return tl::unexpected(file.error());
    if (auto told = host.send(file->status); !told) return told;
    std::uint64_t left = request.length;
    for (std::uint64_t offset = request.offset; left > 0;) {
      wire::FileData data{.bytes = ByteBuffer(std::min<std::uint64_t>(left, wire::kMaxFileData))};
      const ssize_t count =
          ::pread(file->fd.get(), data.bytes.data(), data.bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return last_error();
      if (count == 0) break;
      data.bytes.resize(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
      left -= static_cast<std::uint64_t>(count);
      if (auto sent = host.send(data); !sent) return sent;
    }
    return {};
  }

  FileResult<void> operator()(const wire::WriteFile& request) const {
    auto target = FileTarget::open(request);
    if (!target) return tl::unexpected(target.error());
    while (true) {
      auto message = host.receive();
      if (!message) return tl::unexpected(message.error());
      if (std::holds_alternative<wire::FileDone>(*message)) return target->finish();
      const auto* data = std::get_if<wire::FileData>(&*message);
      if (data == nullptr) return file_error(kGone);
      if (auto written = target->write(data->bytes); !written) return written;
    }
  }

  FileResult<void> operator()(const wire::ListDirectory& request) const {
    return list_directory(request.path,
                          [&](const wire::DirectoryEntries& batch) { return host.send(batch); });
  }
  FileResult<void> operator()(const wire::StatFile& request) const {
    auto status = file_status(request);
    if (!status) return tl::unexpected(status.error());
    return host.send(*status);
  }
  FileResult<void> operator()(const wire::MakeDirectory& request) const {
    return make_directory(request);
  }
  FileResult<void> operator()(const wire::RenameFile& request) const {
    return rename_file(request);
  }
  FileResult<void> operator()(const wire::RemoveFile& request) const {
    return remove_file(request);
  }
  // The rest are no requests.
  template <typename Other>
  FileResult<void> operator()(const Other&) const {
    return file_error(EPROTO);
  }
};

}  // namespace

void serve_file_request(int input, int output) {
  Conversation host(input, output);
  auto request = host.receive();
  if (!request) return;
  auto done = std::visit(Service{host}, *request);
  const wire::FileMessage answer =
      done ? wire::FileMessage(wire::FileDone{})
           : wire::FileMessage(wire::FileFailed{static_cast<std::uint32_t>(done.error())});
  // Whoever has left does not hear it.
  static_cast<void>(host.send(answer));
}

}  // namespace gondolin::guest
