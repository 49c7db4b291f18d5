// Promises for what the library does on other threads.
#pragma once

#include <napi.h>

#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <variant>

#include "environment.hpp"
#include "errors.hpp"
#include "gondolin/async.hpp"

namespace gondolin::node {

// What a call came to: its value, or what it threw.
template <typename T>
using Settlement = std::variant<T, std::exception_ptr>;

// For calls that return nothing.
using Nothing = std::monostate;

// A promise that any thread settles, once. Made on the JavaScript thread; copies settle
// the same promise. It keeps the process running until then.
template <typename T>
class Settler {
 public:
  // Makes the promise's value, on the JavaScript thread.
  using ToJs = std::function<Napi::Value(Napi::Env, T)>;
  // Called on the JavaScript thread before the promise is rejected.
  using Failed = std::function<void(Napi::Env)>;

  Settler(Napi::Env env, ToJs to_js, Failed failed = {})
      : js_(Environment::of(env).js()),
        deferred_(Napi::Promise::Deferred::New(env)),
        to_js_(std::move(to_js)),
        failed_(std::move(failed)) {
    js_->hold();
  }

  [[nodiscard]] Napi::Promise promise() const { return deferred_.Promise(); }

  void settle(Settlement<T> settlement) const {
    auto shared = std::make_shared<Settlement<T>>(std::move(settlement));
    js_->post([self = *this, shared = std::move(shared)](Napi::Env env) {
      self.js_->release();
      self.settle_here(env, std::move(*shared));
    });
  }

 private:
  void settle_here(Napi::Env env, Settlement<T> settlement) const {
    if (auto* failure = std::get_if<std::exception_ptr>(&settlement)) {
      if (failed_) failed_(env);
      deferred_.Reject(to_js_error(env, *failure));
      return;
    }
    try {
      deferred_.Resolve(to_js_(env, std::move(std::get<T>(settlement))));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    } catch (...) {
      deferred_.Reject(to_js_error(env, std::current_exception()));
    }
  }

  std::shared_ptr<JsThread> js_;
  Napi::Promise::Deferred deferred_;
  ToJs to_js_;
  Failed failed_;
};

// The completion of an asynchronous call of the library that settles `settler`; it holds
// `held`, what the call is of, until then.
template <typename T>
Completion<T> completion(Settler<T> settler, std::shared_ptr<void> held) {
  return [settler = std::move(settler), held = std::move(held)](Outcome<T> outcome) {
    if (outcome.ok()) {
      settler.settle(Settlement<T>(std::in_place_index<0>, std::move(outcome).value()));
    } else {
      settler.settle(
          Settlement<T>(std::in_place_index<1>, std::make_exception_ptr(outcome.error())));
    }
  };
}

// The same for a call that gives nothing.
inline Completion<void> completion(Settler<Nothing> settler, std::shared_ptr<void> held) {
  return [settler = std::move(settler), held = std::move(held)](Outcome<void> outcome) {
    if (outcome.ok()) {
      settler.settle(Settlement<Nothing>(std::in_place_index<0>));
    } else {
      settler.settle(
          Settlement<Nothing>(std::in_place_index<1>, std::make_exception_ptr(outcome.error())));
    }
  };
}

// Calls `work` on a thread of the pool; the promise gets what `to_js` makes of its value.
template <typename T>
Napi::Promise promise_of(Napi::Env env, std::function<T()> work, typename Settler<T>::ToJs to_js,
                         typename Settler<T>::Failed failed = {}) {
  Settler<T> settler(env, std::move(to_js), std::move(failed));
  auto outcome = std::make_shared<Settlement<T>>(std::in_place_index<1>, nullptr);
  Environment::of(env).pool()->run(
      [outcome, work = std::move(work)] {
        try {
          outcome->template emplace<0>(work());
        } catch (...) {
          outcome->template emplace<1>(std::current_exception());
        }
      },
      [settler, outcome] { settler.settle(std::move(*outcome)); });
  return settler.promise();
}

// The same for work without a value; the promise gets undefined, after `then` was called
// on the JavaScript thread.
inline Napi::Promise promise_of(Napi::Env env, const std::function<void()>& work,
                                const std::function<void(Napi::Env)>& then = {}) {
  return promise_of<Nothing>(
      env,
      [work] {
        work();
        return Nothing{};
      },
      [then](Napi::Env js, Nothing) {
        if (then) then(js);
        return js.Undefined();
      });
}

}  // namespace gondolin::node
