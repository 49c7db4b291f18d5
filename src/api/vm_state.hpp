// What a Vm, its Processes and its Ingress share: the loop and everything on it.
// Each of them holds a reference, so that they may be destroyed in any order, and on any
// thread: where the last one goes on the loop's own, in a callback, a thread is started
// that ends the loop.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "api/guest_config.hpp"
#include "api/loop_thread.hpp"
#include "api/threaded_provider.hpp"
#include "base/debug_log.hpp"
#include "gondolin/vm.hpp"
#include "ingress/gateway.hpp"
#include "vm/vm.hpp"

namespace gondolin::api {

class VmState : public std::enable_shared_from_this<VmState> {
 public:
  // Resolves the image, and boots. Throws as Vm::create() says.
  [[nodiscard]] static std::shared_ptr<VmState> create(VmOptions options);
  // Ends the VM if that is still to be done.
  ~VmState();
  VmState(const VmState&) = delete;
  VmState& operator=(const VmState&) = delete;

  [[nodiscard]] LoopThread& loop() { return loop_; }
  // The loop, while there is one that is not about to end.
  [[nodiscard]] std::weak_ptr<LoopThread> weak_loop();
  // Becomes true, on the loop's thread, when the VM is closed.
  [[nodiscard]] std::shared_ptr<const bool> closed() const { return closed_; }

  // Throws kInvalidArgument when a mount covers /etc/gondolin.
  void check_ingress_possible() const;

  // --- on the loop's thread -------------------------------------------------
  // Throws kCancelled when the VM was closed.
  void check_open() const;
  // The same.
  [[nodiscard]] vm::Vm& vm();
  [[nodiscard]] GuestConfig& config() { return *config_; }
  [[nodiscard]] const DebugLog& log() const { return log_; }
  // The gateway that is open, if one is.
  std::shared_ptr<ingress::Gateway> gateway;
  // Closes it and waits until its connections are gone, at most a second.
  [[nodiscard]] Awaitable<void> close_gateway();

  // --- from any other thread --------------------------------------------------
  // Ends the gateway and the guest; may be called again. On the loop's thread it does not
  // wait for that.
  void close();

 private:
  explicit VmState(VmOptions options);
  void boot();
  [[nodiscard]] std::vector<vm::GuestMount> make_mounts(const asio::any_io_executor& executor);
  [[nodiscard]] Awaitable<void> end();
  void stop_loop();
  // Whether this is the loop's thread or a mount's, which cannot wait for its own end.
  [[nodiscard]] bool on_own_thread() const;

  const VmOptions options_;
  const DebugLog log_;
  // Before the loop, so that coroutines that were cut off, and end with the loop,
  // still find it.
  std::shared_ptr<GuestConfig> config_;
  std::vector<std::shared_ptr<ThreadedProvider>> mounts_;
  LoopThread loop_;
  // On the loop; destroyed after it has stopped.
  std::unique_ptr<vm::Vm> vm_;
  // Set while the VM ends and after that; expires then, for everybody who waits.
  std::optional<asio::steady_timer> ended_;
  const std::shared_ptr<bool> closed_ = std::make_shared<bool>(false);
};

}  // namespace gondolin::api
