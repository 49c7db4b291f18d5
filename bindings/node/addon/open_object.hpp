// What the JavaScript objects of a VM and of a gateway have in common: something open that
// outlives its object, has ingress routes and is closed once.
#pragma once

#include <napi.h>

#include <memory>
#include <utility>
#include <vector>

#include "environment.hpp"
#include "errors.hpp"
#include "gondolin/ingress.hpp"
#include "promise.hpp"
#include "routes.hpp"

namespace gondolin::node {

// `Derived` is the class of the object, `Handle` a Closable with routes() and set_routes().
template <typename Derived, typename Handle>
class OpenObject : public Napi::ObjectWrap<Derived> {
 public:
  // The object of what has just been opened, made with the class `object_class`, and
  // `functions` that its library side calls, which are forgotten once it is closed.
  [[nodiscard]] static Napi::Value make(const Napi::FunctionReference& object_class, Napi::Env env,
                                        std::shared_ptr<Handle> handle,
                                        std::vector<FunctionId> functions) {
    Environment::of(env).opened(handle);
    Parts parts{std::move(handle), std::move(functions)};
    return object_class.New({Napi::External<Parts>::New(env, &parts)});
  }

  explicit OpenObject(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Derived>(info), pool_(Environment::of(info.Env()).pool()) {
    Parts& parts = *info[0].As<Napi::External<Parts>>().Data();
    handle_ = std::move(parts.handle);
    functions_ = std::move(parts.functions);
  }
  ~OpenObject() override { pool_->dispose(std::move(handle_)); }

  // routes(): a promise of them.
  Napi::Value routes(const Napi::CallbackInfo& info) {
    return promise_of<std::vector<IngressRoute>>(
        info.Env(), [handle = handle_] { return handle->routes(); }, to_js_routes);
  }
  // setRoutes(routes)
  Napi::Value set_routes(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      return promise_of(info.Env(), [handle = handle_, routes = read_routes(info[0])] {
        handle->set_routes(routes);
      });
    });
  }
  // close()
  Napi::Value close(const Napi::CallbackInfo& info) {
    return promise_of(
        info.Env(), [handle = handle_] { handle->close(); },
        [handle = handle_, functions = functions_](Napi::Env env) {
          Environment& environment = Environment::of(env);
          environment.closed(handle);
          environment.forget(functions);
        });
  }

 protected:
  [[nodiscard]] const std::shared_ptr<Handle>& handle() const { return handle_; }

 private:
  // What make() hands to the constructor.
  struct Parts {
    std::shared_ptr<Handle> handle;
    std::vector<FunctionId> functions;
  };

  std::shared_ptr<WorkPool> pool_;
  std::shared_ptr<Handle> handle_;
  std::vector<FunctionId> functions_;
};

}  // namespace gondolin::node
