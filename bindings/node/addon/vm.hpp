// NativeVm: a VM, as JavaScript has it.
#pragma once

#include <napi.h>

#include <memory>
#include <utility>
#include <vector>

#include "environment.hpp"
#include "gondolin/vm.hpp"
#include "mounts.hpp"
#include "open_object.hpp"

namespace gondolin::node {

// The VM itself; outlives its JavaScript object while it is open.
class VmHandle final : public Closable {
 public:
  VmHandle(Vm vm, JsProviders providers) : vm_(std::move(vm)), providers_(std::move(providers)) {}

  [[nodiscard]] Vm& vm() { return vm_; }
  [[nodiscard]] std::vector<IngressRoute> routes() const { return vm_.ingress_routes(); }
  void set_routes(const std::vector<IngressRoute>& routes) { vm_.set_ingress_routes(routes); }
  // Nothing waits for JavaScript any more, neither here nor when this is destroyed.
  void close() override;

 private:
  Vm vm_;
  JsProviders providers_;
};

class VmObject final : public OpenObject<VmObject, VmHandle> {
 public:
  // Defines the class, for make().
  static void define(Napi::Env env);
  using OpenObject::OpenObject;

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
};

// createVm(options, cancellation): a promise of a NativeVm.
[[nodiscard]] Napi::Value create_vm(const Napi::CallbackInfo& info);

}  // namespace gondolin::node
