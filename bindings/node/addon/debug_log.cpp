#include "debug_log.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "values.hpp"

namespace gondolin::node {
namespace {

// Lines that may wait for JavaScript: what a busy second says, some hundreds of KiB.
constexpr std::size_t kMaxWaiting = 4096;

class DebugSink {
 public:
  explicit DebugSink(JsFunction function) : function_(std::move(function)) {}

  // On the library's threads.
  void line(std::string_view topic, std::string_view text) {
    if (counters_->waiting.load() >= kMaxWaiting) {
      counters_->dropped.fetch_add(1);
      return;
    }
    if (const std::size_t dropped = counters_->dropped.exchange(0); dropped != 0) {
      send(std::string(topic), std::to_string(dropped) + " lines were dropped here");
    }
    send(std::string(topic), std::string(text));
  }

 private:
  struct Counters {
    std::atomic<std::size_t> waiting = 0;
    std::atomic<std::size_t> dropped = 0;
  };

  void send(std::string topic, std::string text) {
    counters_->waiting.fetch_add(1);
    function_.call([counters = counters_, topic = std::move(topic),
                    text = std::move(text)](Napi::Env env) -> std::vector<napi_value> {
      counters->waiting.fetch_sub(1);
      return {Napi::String::New(env, topic), Napi::String::New(env, text)};
    });
  }

  JsFunction function_;
  std::shared_ptr<Counters> counters_ = std::make_shared<Counters>();
};

}  // namespace

DebugOptions keep_debug_options(KeptFunctions& kept, Napi::Object options) {
  const Properties properties(options);
  DebugOptions debug;
  debug.topics = properties.text("debugTopics").value_or("");
  if (auto function = properties.function("debugLog")) {
    auto sink = std::make_shared<DebugSink>(kept.keep(*function));
    debug.sink = [sink](std::string_view topic, std::string_view line) { sink->line(topic, line); };
  }
  return debug;
}

}  // namespace gondolin::node
