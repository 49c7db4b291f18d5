// What is behind a Process.
#pragma once

#include <memory>
#include <string>

#include "api/loop_thread.hpp"
#include "api/shared_process.hpp"
#include "gondolin/process.hpp"

namespace gondolin {

class Process::Impl {
 public:
  using Output = api::SharedProcess::Output;

  // `loop` also keeps alive what it belongs to.
  Impl(std::shared_ptr<api::LoopThread> loop, std::shared_ptr<api::SharedProcess> process);
  // Ends the program.
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // As Process; a handle for `process_`.
  [[nodiscard]] std::size_t read(Output output, std::span<std::byte> buffer);
  void async_read(Output output, std::size_t max, Completion<std::string> done);
  [[nodiscard]] bool write(std::span<const std::byte> bytes);
  void async_write(std::string bytes, Completion<bool> done);
  [[nodiscard]] ExitStatus wait();
  void async_wait(Completion<ExitStatus> done);

  // Calls `function` with the SharedProcess on the loop, later.
  template <typename Function>
  void post(Function function) {
    loop_->post(
        [process = process_, function = std::move(function)]() mutable { function(*process); });
  }

 private:
  std::shared_ptr<api::LoopThread> loop_;
  std::shared_ptr<api::SharedProcess> process_;
};

}  // namespace gondolin
