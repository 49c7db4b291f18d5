// Every allocation of every parser fails once: nothing but std::bad_alloc comes out, nothing
// leaks, and the next run finds what it found before.

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <new>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "../../../fuzz/mux_fuzz.hpp"
#include "failing_new.hpp"
#include "ingress/listeners_file.hpp"
#include "unit/http/outcome.hpp"
#include "wire/control.hpp"
#include "wire/frame_reader.hpp"

namespace gondolin::test {
namespace {

using Outcome = std::function<std::string()>;

// How often an allocation failed.
std::size_t fail_each(const Outcome& work) {
  const std::string expected = work();
  const long before = allocations_live();
  for (std::size_t n = 0;; ++n) {
    bool thrown = false;
    fail_after(n);
    try {
      EXPECT_EQ(work(), expected);
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    const bool failed = stop_failing();
    EXPECT_EQ(thrown, failed) << "allocation " << n << " failed and nobody was told";
    EXPECT_EQ(allocations_live(), before) << "allocation " << n << " left something behind";
    EXPECT_EQ(work(), expected) << "after allocation " << n;
    if (!failed) return n;
  }
}

// The fuzz target's seeds, which reach every part of what they are for.
std::vector<std::string> seeds(const std::string& target) {
  std::vector<std::string> contents;
  for (const auto& entry :
       std::filesystem::directory_iterator(GONDOLIN_SOURCE_DIR "/fuzz/corpus/" + target)) {
    std::ifstream file(entry.path(), std::ios::binary);
    contents.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  EXPECT_FALSE(contents.empty());
  return contents;
}

// Of all seeds together.
std::size_t fail_each_of(const std::string& target,
                         const std::function<std::string(const std::string&)>& work) {
  std::size_t failures = 0;
  for (const std::string& seed : seeds(target))
    failures += fail_each([&] { return work(seed); });
  return failures;
}

TEST(AllocationFailure, InARequestHead) {
  EXPECT_GT(fail_each_of("request_head",
                         [](const std::string& seed) {
                           return http::testing::request_outcome(seed, http::testing::kWhole, {});
                         }),
            0U);
}

TEST(AllocationFailure, InAResponseHead) {
  EXPECT_GT(
      fail_each_of("response_head",
                   [](const std::string& seed) { return http::testing::response_outcome(seed); }),
      0U);
}

TEST(AllocationFailure, InAChunkedBody) {
  EXPECT_GT(fail_each_of("chunked",
                         [](const std::string& seed) {
                           return http::testing::body_outcome(
                               seed, http::BodyFraming{http::BodyKind::kChunked, 0});
                         }),
            0U);
}

TEST(AllocationFailure, InAListenersFile) {
  EXPECT_GT(fail_each_of("listeners",
                         [](const std::string& seed) {
                           auto listeners = ingress::parse_listeners(seed);
                           return listeners ? listeners->canonical : listeners.error().message;
                         }),
            0U);
}

TEST(AllocationFailure, InAFrame) {
  EXPECT_GT(fail_each_of("frame",
                         [](const std::string& seed) -> std::string {
                           wire::FrameReader reader;
                           auto space = reader.space();
                           const std::size_t count = std::min(space.size(), seed.size());
                           std::copy_n(std::as_bytes(std::span(seed)).begin(), count,
                                       space.begin());
                           reader.received(count);
                           std::string found;
                           while (true) {
                             auto frame = reader.next();
                             if (!frame) return found + frame.error().message;
                             if (!*frame) return found;
                             found += as_text((*frame)->payload);
                           }
                         }),
            0U);
}

TEST(AllocationFailure, InAControlMessage) {
  EXPECT_GT(fail_each_of("control",
                         [](const std::string& seed) -> std::string {
                           Bytes rest = std::as_bytes(std::span(seed));
                           std::string found;
                           if (auto target = wire::decode_target(rest))
                             found += as_text(wire::encode_target(*target));
                           wire::MessageReader reader;
                           while (!rest.empty()) {
                             auto taken = reader.feed(rest);
                             if (!taken) return found + taken.error().message;
                             rest = rest.subspan(*taken);
                             auto message = reader.next();
                             if (!message) return found + message.error().message;
                             if (!*message) continue;
                             if (auto encoded = wire::encode_message(**message))
                               found += as_text(*encoded);
                           }
                           return found;
                         }),
            0U);
}

// Programs of frames and of what an owner does, as the fuzz target reads them.
TEST(AllocationFailure, InTheMuxOfTheHost) {
  std::minstd_rand random(1);
  std::size_t failures = 0;
  for (int program = 0; program < 100; ++program) {
    std::vector<std::uint8_t> steps(80);
    for (std::uint8_t& step : steps)
      step = static_cast<std::uint8_t>(random());
    failures += fail_each([&]() -> std::string {
      auto hello = wire::encode_greeting(wire::FrameType::kHello, {.window = 65536});
      wire::fuzz_mux(wire::FuzzInput(steps.data(), steps.size()), wire::Role::kHost, hello);
      return {};
    });
  }
  EXPECT_GT(failures, 1000U);
}

}  // namespace
}  // namespace gondolin::test
