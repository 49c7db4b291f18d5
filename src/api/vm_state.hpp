// What a Vm, its Processes and its Ingress share: the loop and everything on it.
// Each of them holds a reference, so that they may be destroyed in any order.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "api/guest_config.hpp"
#include "api/loop_thread.hpp"
#include "base/debug_log.hpp"
#include "gondolin/vm.hpp"
#include "ingress/gateway.hpp"
#include "vm/vm.hpp"

namespace gondolin::api {

class VmState {
 public:
  // Resolves the image, and boots. Throws as Vm::create() says.
  explicit VmState(VmOptions options);
  // Ends the VM if that is still to be done.
  ~VmState();
  VmState(const VmState&) = delete;
  VmState& operator=(const VmState&) = delete;

  [[nodiscard]] LoopThread& loop() { return loop_; }

  // --- on the loop's thread -------------------------------------------------
  // Throws kCancelled when the VM was closed.
  [[nodiscard]] vm::Vm& vm();
  [[nodiscard]] GuestConfig& config() { return *config_; }
  [[nodiscard]] const DebugLog& log() const { return log_; }
  // The gateway that is open, if one is.
  std::shared_ptr<ingress::Gateway> gateway;

  // --- from any other thread --------------------------------------------------
  // Ends the gateway and the guest; may be called again.
  void close();

 private:
  void boot();
  void stop_loop();

  const VmOptions options_;
  const DebugLog log_;
  // Before the loop, so that coroutines that were cut off, and end with the loop,
  // still find it.
  std::shared_ptr<GuestConfig> config_;
  LoopThread loop_;
  // On the loop; destroyed after it has stopped.
  std::unique_ptr<vm::Vm> vm_;
  bool closed_ = false;
};

// Closes `gateway` and waits until its connections are gone, at most a second.
[[nodiscard]] Awaitable<void> close_gateway(std::shared_ptr<ingress::Gateway> gateway);

}  // namespace gondolin::api
