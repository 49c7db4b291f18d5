// Process: calls from any thread onto a SharedProcess on the VM's loop.

#include "gondolin/process.hpp"

#include <utility>

#include "api/process_impl.hpp"
#include "api/promise.hpp"

namespace gondolin {

using api::SharedProcess;

Process::Impl::Impl(std::shared_ptr<api::LoopThread> loop, std::shared_ptr<SharedProcess> process)
    : loop_(std::move(loop)), process_(std::move(process)) {}

Process::Impl::~Impl() {
  // Its end belongs to the loop, like everything else about it.
  loop_->post([process = std::move(process_)] { process->cancel(); });
}

std::size_t Process::Impl::read(Output output, std::span<std::byte> buffer) {
  return loop_->run(process_->read(output, buffer));
}

void Process::Impl::async_read(Output output, std::size_t max, Completion<std::string> done) {
  api::run_async<std::string>(
      *loop_,
      [process = process_, output, max]() -> Awaitable<std::string> {
        std::string bytes(max, '\0');
        bytes.resize(co_await process->read(output, std::as_writable_bytes(std::span(bytes))));
        co_return bytes;
      },
      std::move(done));
}

bool Process::Impl::write(std::span<const std::byte> bytes) {
  return loop_->run(process_->write(bytes));
}

void Process::Impl::async_write(std::string bytes, Completion<bool> done) {
  api::run_async<bool>(
      *loop_,
      [process = process_, bytes = std::move(bytes)]() -> Awaitable<bool> {
        co_return co_await process->write(as_bytes(bytes));
      },
      std::move(done));
}

ExitStatus Process::Impl::wait() {
  return loop_->run(process_->ended());
}

void Process::Impl::async_wait(Completion<ExitStatus> done) {
  auto promise = std::make_shared<api::Promise<ExitStatus>>(std::move(done));
  post([promise](SharedProcess& process) { process.wait(std::move(*promise)); });
}

Process::Process(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Process::Process(Process&&) noexcept = default;
Process& Process::operator=(Process&&) noexcept = default;
Process::~Process() = default;

std::size_t Process::read_stdout(std::span<std::byte> buffer) {
  return impl_->read(Impl::Output::kStdout, buffer);
}

std::size_t Process::read_stderr(std::span<std::byte> buffer) {
  return impl_->read(Impl::Output::kStderr, buffer);
}

void Process::async_read_stdout(std::size_t max, Completion<std::string> done) {
  impl_->async_read(Impl::Output::kStdout, max, std::move(done));
}

void Process::async_read_stderr(std::size_t max, Completion<std::string> done) {
  impl_->async_read(Impl::Output::kStderr, max, std::move(done));
}

void Process::close_stdout() {
  impl_->post([](SharedProcess& process) { process.close(Impl::Output::kStdout); });
}

void Process::close_stderr() {
  impl_->post([](SharedProcess& process) { process.close(Impl::Output::kStderr); });
}

bool Process::write_stdin(std::span<const std::byte> bytes) {
  return impl_->write(bytes);
}

void Process::async_write_stdin(std::string bytes, Completion<bool> done) {
  impl_->async_write(std::move(bytes), std::move(done));
}

void Process::close_stdin() {
  impl_->post([](SharedProcess& process) { process.close_input(); });
}

void Process::resize(TerminalSize size) {
  impl_->post([size](SharedProcess& process) { process.resize(size); });
}

void Process::signal(int number) {
  if (number < 1 || number > 64) {
    throw ApiError(ApiErrorCode::kInvalidArgument,
                   "there is no signal " + std::to_string(number) + " (1-64)");
  }
  impl_->post(
      [number](SharedProcess& process) { process.signal(static_cast<std::uint8_t>(number)); });
}

ExitStatus Process::wait() {
  return impl_->wait();
}

void Process::async_wait(Completion<ExitStatus> done) {
  impl_->async_wait(std::move(done));
}

void Process::kill() {
  impl_->post([](SharedProcess& process) { process.cancel(); });
}

}  // namespace gondolin
