// NativeVm: a VM, as JavaScript has it.
#pragma once

#include <napi.h>

#include <memory>
#include <utility>
#include <vector>

#include "environment.hpp"
#include "gondolin/vm.hpp"

namespace gondolin::node {

// The VM itself; outlives its JavaScript object while it is open.
class VmHandle final : public Closable {
 public:
  explicit VmHandle(Vm vm) : vm_(std::move(vm)) {}

  [[nodiscard]] Vm& vm() { return vm_; }
  void close() override { vm_.close(); }

 private:
  Vm vm_;
};

class VmObject final : public Napi::ObjectWrap<VmObject> {
 public:
  // Defines the class, for make().
  static void define(Napi::Env env);
  // The object of a VM that has just started, and `functions` that its library side
  // calls, which are forgotten once it is closed.
  [[nodiscard]] static Napi::Value make(Napi::Env env, std::shared_ptr<VmHandle> handle,
                                        std::vector<FunctionId> functions);

  explicit VmObject(const Napi::CallbackInfo& info);
  ~VmObject() override;

 private:
  // fs(): a NativeFs.
  Napi::Value fs(const Napi::CallbackInfo& info);
  // exec(options): a promise of a NativeProcess.
  Napi::Value exec(const Napi::CallbackInfo& info);
  Napi::Value listening_ports(const Napi::CallbackInfo& info);
  // waitForPort(port, milliseconds, cancellation)
  Napi::Value wait_for_port(const Napi::CallbackInfo& info);
  // enableIngress(options): a promise of a NativeGateway.
  Napi::Value enable_ingress(const Napi::CallbackInfo& info);
  Napi::Value routes(const Napi::CallbackInfo& info);
  Napi::Value set_routes(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<WorkPool> pool_;
  std::shared_ptr<VmHandle> handle_;
  std::vector<FunctionId> functions_;
};

// createVm(options, cancellation): a promise of a NativeVm.
[[nodiscard]] Napi::Value create_vm(const Napi::CallbackInfo& info);

}  // namespace gondolin::node
