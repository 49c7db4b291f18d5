// A stop that any thread may request, acted on by the loop.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <utility>

#include "api/loop_thread.hpp"

namespace gondolin::api {

// Calls `action` on the loop's thread once `token` is asked to stop, if the loop is still
// there. The action may be called after this object has gone: it holds what it uses weakly.
class StopOnLoop {
 public:
  StopOnLoop(const std::stop_token& token, std::weak_ptr<LoopThread> loop,
             std::function<void()> action)
      : callback_(token, Request{std::move(loop), std::move(action)}) {}

 private:
  struct Request {
    std::weak_ptr<LoopThread> loop;
    std::function<void()> action;
    void operator()() const {
      if (auto there = loop.lock()) there->post(action);
    }
  };
  std::stop_callback<Request> callback_;
};

}  // namespace gondolin::api
