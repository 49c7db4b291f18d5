// NativeGateway: an open gateway, of a VM or of a listeners file, as JavaScript has it.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "environment.hpp"
#include "gondolin/ingress.hpp"
#include "open_object.hpp"

namespace gondolin::node {

// The gateway itself; outlives its JavaScript object while it is open.
class GatewayHandle final : public Closable {
 public:
  explicit GatewayHandle(Ingress ingress) : ingress_(std::move(ingress)) {}

  [[nodiscard]] const Ingress& ingress() const { return ingress_; }
  [[nodiscard]] std::vector<IngressRoute> routes() const { return ingress_.routes(); }
  void set_routes(const std::vector<IngressRoute>& routes) { ingress_.set_routes(routes); }
  void close() override { ingress_.close(); }

 private:
  Ingress ingress_;
};

class GatewayObject final : public OpenObject<GatewayObject, GatewayHandle> {
 public:
  // Defines the class, for open().
  static void define(Napi::Env env);
  // A promise of the object of the gateway that `work` opens, on a thread of the pool.
  // `functions`, which that gateway calls, are forgotten when it is closed.
  [[nodiscard]] static Napi::Promise open(Napi::Env env, std::function<Ingress()> work,
                                          std::vector<FunctionId> functions);

  using OpenObject::OpenObject;

 private:
  Napi::Value host(const Napi::CallbackInfo& info);
  Napi::Value port(const Napi::CallbackInfo& info);
  Napi::Value url(const Napi::CallbackInfo& info);
  Napi::Value bind_warning(const Napi::CallbackInfo& info);
};

// openGateway(options): a promise of a NativeGateway.
[[nodiscard]] Napi::Value open_gateway_js(const Napi::CallbackInfo& info);

}  // namespace gondolin::node
