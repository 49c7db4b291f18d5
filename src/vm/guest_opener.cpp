#include "vm/guest_opener.hpp"

#include <array>
#include <system_error>

#include <fmt/format.h>

#include "vm/stream_deadline.hpp"

namespace gondolin::vm {
namespace {

// What sandboxingress takes as the target of a stream: the port, little-endian.
std::array<std::byte, 2> encode_target(Port port) {
  auto number = static_cast<unsigned>(port);
  return {std::byte(number & 0xff), std::byte(number >> 8)};
}

Error connect_error(Port port, const Error& error) {
  return {error.code,
          fmt::format("connect to port {}: {}", static_cast<std::uint16_t>(port),
                      error.os_error != 0 ? std::generic_category().message(error.os_error)
                                          : error.message),
          error.os_error};
}

}  // namespace

Awaitable<Result<Opened>> GuestOpener::open(Port port, std::span<const Bytes> first,
                                            std::chrono::milliseconds deadline) {
  auto opened = channel_.open(encode_target(port));
  if (!opened) co_return tl::unexpected(opened.error());
  std::unique_ptr<MuxStream> stream = std::move(*opened);

  StreamDeadline limit(channel_.deadlines(), *stream, deadline);
  const std::size_t written = stream->write_now(first);
  Status answered = co_await stream->opened();
  if (!answered) co_return tl::unexpected(connect_error(port, limit.explain(answered.error())));
  co_return Opened{.stream = std::move(stream), .written = written};
}

}  // namespace gondolin::vm
