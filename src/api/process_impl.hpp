// What is behind a Process.
#pragma once

#include <memory>

#include "api/vm_state.hpp"
#include "gondolin/vm.hpp"
#include "vm/control_client.hpp"

namespace gondolin {

class Process::Impl {
 public:
  Impl(std::shared_ptr<api::VmState> state, std::unique_ptr<vm::GuestProcess> process);
  // Ends the program.
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[nodiscard]] vm::GuestProcess& process() { return *process_; }

  [[nodiscard]] std::size_t read(ByteStream& stream, std::span<std::byte> buffer);
  [[nodiscard]] bool write(std::span<const std::byte> bytes);
  [[nodiscard]] ExitStatus wait();

  // Calls `function` with the GuestProcess on the loop, later, if it is still there.
  template <typename Function>
  void post(Function function) {
    state_->loop().post([weak = std::weak_ptr(process_), function = std::move(function)] {
      if (auto process = weak.lock()) function(*process);
    });
  }

 private:
  std::shared_ptr<api::VmState> state_;
  std::shared_ptr<vm::GuestProcess> process_;
};

}  // namespace gondolin
