#include "ingress/body_run.hpp"

#include <cstring>

namespace gondolin::ingress {

BodyRun decode_run(http::BodyDecoder& decoder, std::span<char> bytes) {
  BodyRun run;
  if (decoder.complete()) {
    run.progress = http::Progress::kComplete;
    return run;
  }
  const std::string_view all(bytes.data(), bytes.size());
  std::size_t payload_begin = 0;
  std::size_t payload_size = 0;
  while (run.consumed < all.size() && run.progress == http::Progress::kNeedMore) {
    auto step = decoder.next(all.substr(run.consumed));
    if (!step) {
      run.fault = step.error();
      break;
    }
    if (!step->payload.empty()) {
      std::size_t at = static_cast<std::size_t>(step->payload.data() - all.data());
      if (payload_size == 0) payload_begin = at;
      std::size_t target = payload_begin + payload_size;
      if (target != at)
        std::memmove(bytes.data() + target, bytes.data() + at, step->payload.size());
      payload_size += step->payload.size();
    }
    run.consumed += step->consumed;
    run.progress = step->progress;
  }
  run.payload = all.substr(payload_begin, payload_size);
  return run;
}

}  // namespace gondolin::ingress
