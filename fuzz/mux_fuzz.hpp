// What the two mux fuzzers share. The input is a program: each step begins with a byte
// that says what to do and takes its operands from the bytes behind it. Frames are
// mostly built well, with an id, an amount or a type that may not fit, so that the
// search gets past the header checks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/check.hpp"
#include "wire/mux.hpp"

namespace gondolin::wire {

// Takes operands from the input; zeros once it is used up.
class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    std::uint8_t value = rest_[0];
    rest_ = rest_.subspan(1);
    return value;
  }
  std::uint32_t number() {
    std::uint32_t value = byte();
    return value < 250 ? value : value == 250 ? std::uint32_t{byte()} << 8 : 0xffffff00U | byte();
  }

 private:
  std::span<const std::uint8_t> rest_;
};

inline ByteBuffer fuzz_frame(FuzzInput& input) {
  FrameHeader header{.type = static_cast<FrameType>(3 + input.byte() % 8)};
  header.stream = input.number();
  ByteBuffer payload;
  switch (header.type) {
    case FrameType::kOpened:
    case FrameType::kCredit:
    case FrameType::kReset:
      payload.resize(4);
      store_u32(payload, input.number());
      break;
    case FrameType::kFin:
    case FrameType::kRenew:
      break;
    default:
      payload.resize(std::min<std::size_t>(input.number() % 40000, kMaxPayload));
  }
  if (header.type == FrameType::kMessage || header.type == FrameType::kRenew) header.stream = 0;
  header.length = static_cast<std::uint32_t>(payload.size());
  auto head = encode(header);
  ByteBuffer frame(head.begin(), head.end());
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

// Feeds bytes to a mux and acts as an owner would. The streams are known from the
// events alone, which checks that every id an event names is a live one.
class FuzzOwner {
 public:
  FuzzOwner(const MuxOptions& options, unsigned nonce) : mux(options), role_(options.role) {
    if (role_ == Role::kGuest) mux.greet(Nonce{static_cast<std::byte>(nonce)});
  }

  // False once the mux has refused the input.
  bool feed(Bytes bytes) {
    while (!bytes.empty()) {
      MutableBytes space = mux.input_space();
      if (space.empty()) {
        drain();
        if (!events()) return false;
        continue;
      }
      std::size_t count = std::min(space.size(), bytes.size());
      std::copy_n(bytes.begin(), count, space.begin());
      mux.input_received(count);
      bytes = bytes.subspan(count);
      if (!events()) return false;
    }
    return true;
  }

  bool events() {
    while (true) {
      auto event = mux.next_event();
      if (!event) return false;
      if (!*event) return true;
      handle(**event);
    }
  }

  // Writes everything out, as frames that must be sound.
  void drain() {
    while (true) {
      Bytes out = mux.output();
      if (out.empty()) return;
      if (role_ == Role::kGuest) GONDOLIN_CHECK(out.size() <= kMaxFrame);
      for (Bytes rest = out; !rest.empty();) {
        GONDOLIN_CHECK(rest.size() >= kHeaderSize);
        auto header = decode_header(rest.first(kHeaderSize));
        GONDOLIN_CHECK(header && may_send(role_, header->type));
        rest = rest.subspan(kHeaderSize + header->length);
      }
      mux.output_sent(out.size());
    }
  }

  // One thing an owner may do, chosen by the input.
  void act(FuzzInput& input) {
    std::uint8_t what = input.byte();
    if (what % 8 == 0 && role_ == Role::kHost) {
      if (auto id = mux.open(ByteBuffer(input.byte()))) streams_.insert(*id);
      return;
    }
    if (streams_.empty()) return;
    auto it =
        std::next(streams_.begin(), static_cast<std::ptrdiff_t>(input.byte() % streams_.size()));
    StreamId id = *it;
    switch (what % 8) {
      case 1:
      case 2:
        if (!finished_.contains(id))
          static_cast<void>(mux.write(id, ByteBuffer(input.number() % 70000)));
        return;
      case 3:
        if (finished_.insert(id).second) mux.finish(id);
        return;
      case 4:
        mux.close(id);
        streams_.erase(it);
        finished_.erase(id);
        return;
      default:
        mux.consume(id, std::min<std::size_t>(mux.read(id).size(), input.number()));
    }
  }

  Mux mux;

 private:
  void handle(const MuxEvent& event) {
    switch (event.kind) {
      case MuxEvent::Kind::kUp:
      case MuxEvent::Kind::kRenew:
        streams_.clear();
        finished_.clear();
        if (event.kind == MuxEvent::Kind::kRenew) mux.greet(Nonce{});
        return;
      case MuxEvent::Kind::kOpen:
        if (event.target.size() % 5 == 4) {
          mux.refuse(event.stream, 1);
        } else {
          mux.accept(event.stream);
          GONDOLIN_CHECK(streams_.insert(event.stream).second);
        }
        return;
      case MuxEvent::Kind::kOpened:
        GONDOLIN_CHECK(streams_.contains(event.stream));
        if (event.code != 0) {
          streams_.erase(event.stream);
          finished_.erase(event.stream);
        }
        return;
      default:
        GONDOLIN_CHECK(streams_.contains(event.stream));
        GONDOLIN_CHECK(mux.read(event.stream).size() <= 70000);
    }
  }

  Role role_;
  std::set<StreamId> streams_;
  std::set<StreamId> finished_;
};

// Runs the program in `input` against one end, which `up` brings up.
inline void fuzz_mux(FuzzInput input, Role role, Bytes up) {
  FuzzOwner owner({.role = role,
                   .window = 70000 - input.byte() * std::uint32_t{270},
                   .max_streams = 8,
                   .flight_limit = 100000},
                  0);
  if (!owner.feed(up)) return;
  while (!input.empty()) {
    std::uint8_t step = input.byte();
    bool sound = true;
    if (step < 120) {
      sound = owner.feed(fuzz_frame(input));
    } else if (step < 200) {
      owner.act(input);
    } else if (step < 230) {
      owner.drain();
      sound = owner.events();
    } else if (step < 240) {
      sound = owner.feed(up);
    } else {
      std::byte raw{input.byte()};
      sound = owner.feed(Bytes(&raw, 1));
    }
    GONDOLIN_CHECK(owner.mux.stream_count() <= 8);
    if (!sound) return;
  }
  owner.drain();
}

}  // namespace gondolin::wire
