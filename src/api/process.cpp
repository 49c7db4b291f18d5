// Process: blocking calls from any thread onto a GuestProcess on the VM's loop.

#include <utility>

#include "api/convert.hpp"
#include "api/process_impl.hpp"

namespace gondolin {

using api::value_or_throw;

Process::Impl::Impl(std::shared_ptr<api::VmState> state, std::unique_ptr<vm::GuestProcess> process)
    : state_(std::move(state)), process_(std::move(process)) {}

Process::Impl::~Impl() {
  // Its end belongs to the loop, like everything else about it.
  std::shared_ptr<vm::GuestProcess> process = std::move(process_);
  state_->loop().post([process = std::move(process)]() mutable { process.reset(); });
}

std::size_t Process::Impl::read(ByteStream& stream, std::span<std::byte> buffer) {
  auto count = state_->loop().run(stream.read_some(buffer));
  // A stream that broke off has no more to give; wait() says what happened.
  return count ? *count : 0;
}

bool Process::Impl::write(std::span<const std::byte> bytes) {
  Bytes part(bytes);
  return state_->loop().run(process_->stdio().write(std::span(&part, 1))).has_value();
}

ExitStatus Process::Impl::wait() {
  vm::ExitStatus status = value_or_throw(state_->loop().run(process_->wait()));
  return {.code = status.code, .signal = status.signal};
}

Process::Process(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Process::Process(Process&&) noexcept = default;
Process& Process::operator=(Process&&) noexcept = default;
Process::~Process() = default;

std::size_t Process::read_stdout(std::span<std::byte> buffer) {
  return impl_->read(impl_->process().stdio(), buffer);
}

std::size_t Process::read_stderr(std::span<std::byte> buffer) {
  return impl_->read(impl_->process().error(), buffer);
}

void Process::close_stdout() {
  impl_->post([](vm::GuestProcess& process) { process.stdio().reset(); });
}

void Process::close_stderr() {
  impl_->post([](vm::GuestProcess& process) { process.error().reset(); });
}

bool Process::write_stdin(std::span<const std::byte> bytes) {
  return impl_->write(bytes);
}

void Process::close_stdin() {
  impl_->post([](vm::GuestProcess& process) { process.stdio().shutdown_write(); });
}

void Process::resize(TerminalSize size) {
  impl_->post([size](vm::GuestProcess& process) {
    process.resize({.rows = size.rows, .columns = size.columns});
  });
}

void Process::signal(int number) {
  if (number < 1 || number > 64) {
    throw ApiError(ApiErrorCode::kInvalidArgument,
                   "there is no signal " + std::to_string(number) + " (1-64)");
  }
  impl_->post(
      [number](vm::GuestProcess& process) { process.signal(static_cast<std::uint8_t>(number)); });
}

ExitStatus Process::wait() {
  return impl_->wait();
}

}  // namespace gondolin
