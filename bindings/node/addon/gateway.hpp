// NativeGateway: an open gateway, of a VM or of a listeners file, as JavaScript has it.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "environment.hpp"
#include "gondolin/ingress.hpp"

namespace gondolin::node {

// The gateway itself; outlives its JavaScript object while it is open.
class GatewayHandle final : public Closable {
 public:
  explicit GatewayHandle(Ingress ingress) : ingress_(std::move(ingress)) {}

  [[nodiscard]] Ingress& ingress() { return ingress_; }
  void close() override { ingress_.close(); }

 private:
  Ingress ingress_;
};

class GatewayObject final : public Napi::ObjectWrap<GatewayObject> {
 public:
  // Defines the class, for open().
  static void define(Napi::Env env);
  // A promise of the object of the gateway that `work` opens, on a thread of the pool.
  // `functions`, which that gateway calls, are forgotten when it is closed.
  [[nodiscard]] static Napi::Promise open(Napi::Env env, std::function<Ingress()> work,
                                          std::vector<FunctionId> functions);

  explicit GatewayObject(const Napi::CallbackInfo& info);
  ~GatewayObject() override;

 private:
  static Napi::Value make(Napi::Env env, std::shared_ptr<GatewayHandle> handle,
                          std::vector<FunctionId> functions);

  Napi::Value host(const Napi::CallbackInfo& info);
  Napi::Value port(const Napi::CallbackInfo& info);
  Napi::Value url(const Napi::CallbackInfo& info);
  Napi::Value bind_warning(const Napi::CallbackInfo& info);
  Napi::Value routes(const Napi::CallbackInfo& info);
  Napi::Value set_routes(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<WorkPool> pool_;
  std::shared_ptr<GatewayHandle> handle_;
  std::vector<FunctionId> functions_;
};

// openGateway(options): a promise of a NativeGateway.
[[nodiscard]] Napi::Value open_gateway_js(const Napi::CallbackInfo& info);

}  // namespace gondolin::node
