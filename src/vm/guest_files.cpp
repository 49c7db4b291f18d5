#include "vm/guest_files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <string>
#include <utility>
#include <variant>

#include "vm/stream_deadline.hpp"
#include "wire/control.hpp"

namespace gondolin::vm {
namespace {

ErrorCode code_of(int os_error) {
  switch (os_error) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
      return ErrorCode::kRefused;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
      return ErrorCode::kInvalidArgument;
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::kLimit;
    default:
      return ErrorCode::kIo;
  }
}

tl::unexpected<Error> guest_error(std::uint32_t os_error) {
  const auto number = static_cast<int>(os_error);
  return tl::unexpected(Error{code_of(number), std::generic_category().message(number), number});
}

tl::unexpected<Error> misplaced() {
  return fail(ErrorCode::kProtocol, "sandboxd gave an answer that does not belong here");
}

}  // namespace

// --- FileExchange ------------------------------------------------------------------

FileExchange::FileExchange(MuxChannel& channel, std::unique_ptr<MuxStream> stream,
                           std::chrono::milliseconds patience)
    : channel_(channel),
      stream_(std::move(stream)),
      patience_(patience),
      buffer_(wire::kMaxFileData) {}

Awaitable<Status> FileExchange::send(const wire::FileMessage& message) {
  const ByteBuffer encoded = wire::encode_file_message(message);
  const std::array<Bytes, 1> parts{Bytes(encoded)};
  StreamDeadline limit(channel_.deadlines(), *stream_, patience_);
  auto written = co_await stream_->write(parts);
  if (!written) co_return tl::unexpected(limit.explain(written.error()));
  co_return Status{};
}

Awaitable<Result<wire::FileMessage>> FileExchange::receive() {
  StreamDeadline limit(channel_.deadlines(), *stream_, patience_);
  while (true) {
    while (!unread_.empty()) {
      auto taken = reader_.feed(unread_);
      if (!taken) co_return tl::unexpected(taken.error());
      unread_ = unread_.subspan(*taken);
      auto message = reader_.next();
      if (!message) co_return tl::unexpected(message.error());
      if (!*message) continue;
      if (const auto* failed = std::get_if<wire::FileFailed>(&**message)) {
        co_return guest_error(failed->os_error);
      }
      co_return std::move(**message);
    }
    auto count = co_await stream_->read_some(buffer_);
    if (!count) co_return tl::unexpected(limit.explain(count.error()));
    if (*count == 0) co_return fail(ErrorCode::kReset, "the guest broke off the request");
    unread_ = Bytes(buffer_).first(*count);
  }
}

Awaitable<Status> FileExchange::done() {
  auto answer = co_await receive();
  if (!answer) co_return tl::unexpected(answer.error());
  if (!std::holds_alternative<wire::FileDone>(*answer)) co_return misplaced();
  co_return Status{};
}

// --- reading and writing -----------------------------------------------------------

Awaitable<Result<std::size_t>> FileReading::read_some(MutableBytes buffer) {
  while (content_at_ == content_.size()) {
    if (ended_) co_return 0;
    auto message = co_await exchange_->receive();
    if (!message) co_return tl::unexpected(message.error());
    if (std::holds_alternative<wire::FileDone>(*message)) {
      ended_ = true;
      continue;
    }
    auto* data = std::get_if<wire::FileData>(&*message);
    if (data == nullptr) co_return misplaced();
    content_ = std::move(data->bytes);
    content_at_ = 0;
  }
  const Bytes rest = Bytes(content_).subspan(content_at_);
  const std::size_t count = std::min(rest.size(), buffer.size());
  std::ranges::copy(rest.first(count), buffer.begin());
  content_at_ += count;
  co_return count;
}

Awaitable<Status> FileWriting::write(Bytes bytes) {
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min(bytes.size(), wire::kMaxFileData));
    const wire::FileMessage data = wire::FileData{ByteBuffer(piece.begin(), piece.end())};
    if (auto sent = co_await exchange_->send(data); !sent) co_return sent;
    bytes = bytes.subspan(piece.size());
  }
  co_return Status{};
}

Awaitable<Status> FileWriting::finish() {
  const wire::FileMessage done = wire::FileDone{};
  if (auto sent = co_await exchange_->send(done); !sent) co_return sent;
  exchange_->finish_sending();
  co_return co_await exchange_->done();
}

// --- GuestFiles --------------------------------------------------------------------

Awaitable<Result<std::unique_ptr<FileExchange>>> GuestFiles::begin(
    wire::FileMessage request) const {
  auto stream = channel_->open(wire::encode_target(wire::FilesTarget{}));
  if (!stream) co_return tl::unexpected(stream.error());
  auto exchange = std::make_unique<FileExchange>(*channel_, std::move(*stream), patience_);
  if (auto sent = co_await exchange->send(request); !sent) co_return tl::unexpected(sent.error());
  if (!std::holds_alternative<wire::WriteFile>(request)) exchange->finish_sending();
  co_return exchange;
}

Awaitable<Result<std::unique_ptr<FileReading>>> GuestFiles::read(wire::ReadFile request) const {
  auto exchange = co_await begin(std::move(request));
  if (!exchange) co_return tl::unexpected(exchange.error());
  auto answer = co_await (*exchange)->receive();
  if (!answer) co_return tl::unexpected(answer.error());
  auto* status = std::get_if<wire::FileStatus>(&*answer);
  if (status == nullptr) co_return misplaced();
  co_return std::make_unique<FileReading>(std::move(*exchange), std::move(*status));
}

Awaitable<Result<std::unique_ptr<FileWriting>>> GuestFiles::write(wire::WriteFile request) const {
  auto exchange = co_await begin(std::move(request));
  if (!exchange) co_return tl::unexpected(exchange.error());
  co_return std::make_unique<FileWriting>(std::move(*exchange));
}

Awaitable<Result<std::vector<wire::DirectoryEntry>>> GuestFiles::list(
    wire::ListDirectory request) const {
  auto exchange = co_await begin(std::move(request));
  if (!exchange) co_return tl::unexpected(exchange.error());
  std::vector<wire::DirectoryEntry> list;
  while (true) {
    auto answer = co_await (*exchange)->receive();
    if (!answer) co_return tl::unexpected(answer.error());
    if (std::holds_alternative<wire::FileDone>(*answer)) break;
    auto* batch = std::get_if<wire::DirectoryEntries>(&*answer);
    if (batch == nullptr) co_return misplaced();
    if (batch->entries.size() > kMaxEntries - list.size()) {
      co_return fail(ErrorCode::kLimit,
                     "more than " + std::to_string(kMaxEntries) + " entries in the directory");
    }
    std::ranges::move(batch->entries, std::back_inserter(list));
  }
  std::ranges::sort(list, {}, &wire::DirectoryEntry::name);
  co_return list;
}

Awaitable<Result<wire::FileStatus>> GuestFiles::stat(wire::StatFile request) const {
  auto exchange = co_await begin(std::move(request));
  if (!exchange) co_return tl::unexpected(exchange.error());
  auto answer = co_await (*exchange)->receive();
  if (!answer) co_return tl::unexpected(answer.error());
  auto* status = std::get_if<wire::FileStatus>(&*answer);
  if (status == nullptr) co_return misplaced();
  co_return std::move(*status);
}

Awaitable<Status> GuestFiles::change(wire::FileMessage request) const {
  auto exchange = co_await begin(std::move(request));
  if (!exchange) co_return tl::unexpected(exchange.error());
  co_return co_await (*exchange)->done();
}

}  // namespace gondolin::vm
