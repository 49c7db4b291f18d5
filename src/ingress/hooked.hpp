// What an Exchange keeps when hooks look at it.
#pragma once

#include <cstddef>
#include <string>

#include "ingress/core.hpp"
#include "ingress/hook_call.hpp"
#include "ingress/hooks.hpp"

namespace gondolin::ingress {

struct Hooked {
  explicit Hooked(const Core& core)
      : call(core.parts.executor, core.mailbox),
        buffering(core.config.buffering),
        max_buffered(core.config.max_buffered) {}

  HookCall call;
  HookRequest request;
  Buffering buffering;
  std::size_t max_buffered;  // bytes
  std::string date;          // for a response whose backend gave none; what a hook deletes stays so
};

}  // namespace gondolin::ingress
