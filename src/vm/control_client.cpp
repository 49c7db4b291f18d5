#include "vm/control_client.hpp"

#include <array>
#include <cerrno>
#include <utility>
#include <variant>

#include "vm/guest_process_state.hpp"
#include "vm/stream_deadline.hpp"

namespace gondolin::vm {
namespace {

Error no_such_message() {
  return {ErrorCode::kProtocol, "sandboxd sent a message that does not belong here", 0};
}

Awaitable<Status> write_all(MuxStream& stream, Bytes bytes) {
  std::array<Bytes, 1> parts{bytes};
  co_return co_await stream.write(parts);
}

// The one message that answers a request.
Awaitable<Result<wire::ControlMessage>> read_message(MuxStream& stream) {
  wire::MessageReader reader;
  std::array<std::byte, 4096> buffer{};
  while (true) {
    auto count = co_await stream.read_some(buffer);
    if (!count) co_return tl::unexpected(count.error());
    if (*count == 0) co_return fail(ErrorCode::kProtocol, "sandboxd gave no answer");
    Bytes rest(buffer.data(), *count);
    while (!rest.empty()) {
      auto used = reader.feed(rest);
      if (!used) co_return tl::unexpected(used.error());
      rest = rest.subspan(*used);
      auto message = reader.next();
      if (!message) co_return tl::unexpected(message.error());
      if (*message) co_return std::move(**message);
    }
  }
}

}  // namespace

Awaitable<Result<std::unique_ptr<GuestProcess>>> ControlClient::exec(
    const wire::Spawn& spawn, std::chrono::milliseconds deadline) {
  if (spawn.argv.empty() || spawn.argv.front().empty()) {
    co_return fail(ErrorCode::kInvalidArgument, "there is no program to run");
  }
  auto message = wire::encode_message(spawn);
  if (!message) co_return tl::unexpected(message.error());

  auto exec = channel_.open(wire::encode_target(wire::ExecTarget{}));
  if (!exec) co_return tl::unexpected(exec.error());
  auto id = static_cast<std::uint32_t>((*exec)->id());
  auto stdio = channel_.open(wire::encode_target(wire::StdioTarget{id}));
  if (!stdio) co_return tl::unexpected(stdio.error());
  std::unique_ptr<MuxStream> error;
  if (!spawn.terminal) {
    auto opened = channel_.open(wire::encode_target(wire::StderrTarget{id}));
    if (!opened) co_return tl::unexpected(opened.error());
    error = std::move(*opened);
  }

  auto state = std::make_shared<GuestProcess::State>(channel_.executor(), std::move(*exec),
                                                     std::move(*stdio), std::move(error));
  state->start();
  std::unique_ptr<GuestProcess> process(new GuestProcess(state));  // ends the program on failure
  StreamDeadline limit(channel_.deadlines(), state->exec(), deadline);
  auto written = co_await write_all(state->exec(), *message);
  auto started = written ? co_await state->started() : written;
  if (!started) co_return tl::unexpected(limit.explain(started.error()));
  co_return process;
}

Awaitable<Result<std::unique_ptr<MuxStream>>> ControlClient::request(
    const wire::ControlTarget& target, std::chrono::milliseconds deadline) {
  auto stream = channel_.open(wire::encode_target(target));
  if (!stream) co_return tl::unexpected(stream.error());
  StreamDeadline limit(channel_.deadlines(), **stream, deadline);
  auto answered = co_await (*stream)->opened();
  if (!answered) co_return tl::unexpected(limit.explain(answered.error()));
  co_return std::move(*stream);
}

Awaitable<Result<std::vector<wire::ListeningPort>>> ControlClient::listening_ports(
    std::chrono::milliseconds deadline) {
  auto stream = channel_.open(wire::encode_target(wire::PortsTarget{}));
  if (!stream) co_return tl::unexpected(stream.error());
  StreamDeadline limit(channel_.deadlines(), **stream, deadline);
  auto message = co_await read_message(**stream);
  if (!message) co_return tl::unexpected(limit.explain(message.error()));
  auto* ports = std::get_if<wire::ListeningPorts>(&*message);
  if (ports == nullptr) co_return tl::unexpected(no_such_message());
  co_return std::move(ports->ports);
}

Awaitable<Status> ControlClient::prepare(const wire::PrepareTarget& target,
                                         std::chrono::milliseconds deadline) {
  auto answer = co_await request(target, deadline);
  if (!answer) co_return tl::unexpected(answer.error());
  co_return Status{};
}

}  // namespace gondolin::vm
