#include "wire/control.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "wire/frame.hpp"

namespace gondolin::wire {
namespace {

std::vector<ControlTarget> every_target() {
  return {ExecTarget{},
          StdioTarget{7},
          StderrTarget{0xffffffff},
          PortsTarget{},
          PrepareTarget{.wall_clock_ns = 1700000000000000000,
                        .entropy = ByteBuffer(32, std::byte{9}),
                        .hostname = "box",
                        .machine_id = "0123456789abcdef0123456789abcdef"},
          PrepareTarget{},
          PowerOffTarget{},
          FilesTarget{}};
}

std::vector<ControlMessage> every_message() {
  return {Spawn{.argv = {"sh", "-c", ""},
                .environment = {"A=b"},
                .cwd = "/",
                .terminal = TerminalSize{1, 2}},
          Spawn{.argv = {"true"}},
          Resize{{50, 132}},
          Signal{15},
          Started{4242},
          Failed{2, "x: command not found"},
          Exited{255},
          Signaled{9},
          Drained{},
          ListeningPorts{},
          ListeningPorts{
              {{80, ListenAddress::kAny6, 12, "nginx"}, {8000, ListenAddress::kLoopback4, 0, ""}}}};
}

Result<std::optional<ControlMessage>> read_back(Bytes bytes) {
  MessageReader reader;
  while (!bytes.empty()) {
    auto taken = reader.feed(bytes);
    if (!taken) return tl::unexpected(taken.error());
    bytes = bytes.subspan(*taken);
    if (*taken == 0) break;
  }
  return reader.next();
}

TEST(Control, EveryTargetReadsBackAsItWas) {
  for (const auto& target : every_target())
    EXPECT_EQ(decode_target(encode_target(target)).value(), target);
}

TEST(Control, NoTargetCanBeCutOrExtended) {
  for (const auto& target : every_target()) {
    auto bytes = encode_target(target);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(decode_target(Bytes(bytes).first(size)).has_value());
    }
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(decode_target(bytes).has_value());
  }
}

TEST(Control, EveryMessageReadsBackAsItWas) {
  for (const auto& message : every_message()) {
    auto read = read_back(encode_message(message).value());
    ASSERT_TRUE(read.has_value() && *read);
    EXPECT_EQ(**read, message);
  }
}

TEST(Control, MessagesAreFoundInAStreamHoweverItIsCut) {
  ByteBuffer stream;
  for (const auto& message : every_message()) {
    auto bytes = encode_message(message).value();
    stream.insert(stream.end(), bytes.begin(), bytes.end());
  }
  for (std::size_t piece : {1U, 3U, 7U, 64U, 100000U}) {
    MessageReader reader;
    std::vector<ControlMessage> found;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      Bytes input = Bytes(stream).subspan(at, std::min(piece, stream.size() - at));
      while (!input.empty()) {
        auto taken = reader.feed(input);
        ASSERT_TRUE(taken.has_value());
        input = input.subspan(*taken);
        auto message = reader.next();
        ASSERT_TRUE(message.has_value());
        if (*message) found.push_back(**message);
      }
    }
    EXPECT_EQ(found, every_message());
    EXPECT_TRUE(reader.idle());
  }
}

TEST(Control, NoMessageCanBeShorterOrLongerThanItSays) {
  for (const auto& message : every_message()) {
    auto bytes = encode_message(message).value();
    ByteBuffer longer = bytes;
    longer.push_back(std::byte{0});
    store_u32(longer, static_cast<std::uint32_t>(longer.size() - 4));
    EXPECT_FALSE(read_back(longer).has_value());
    if (bytes.size() == 5) continue;  // without its only byte it is of length 0, see below
    ByteBuffer shorter(bytes.begin(), bytes.end() - 1);
    store_u32(shorter, static_cast<std::uint32_t>(shorter.size() - 4));
    EXPECT_FALSE(read_back(shorter).has_value());
  }
}

TEST(Control, LengthsOutOfBoundsAreRefusedBeforeTheirBytesCome) {
  for (std::uint32_t length :
       {std::uint32_t{0}, static_cast<std::uint32_t>(kMaxMessage + 1), 0xffffffffU}) {
    ByteBuffer bytes(4);
    store_u32(bytes, length);
    EXPECT_FALSE(read_back(bytes).has_value());
  }
}

TEST(Control, WhatASpawnCannotHoldIsSaidBeforeItIsSent) {
  EXPECT_EQ(encode_message(Spawn{}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_message(Spawn{.argv = {std::string("a\0b", 3)}}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_message(Spawn{.argv = {std::string(kMaxMessage, 'x')}}).error().code,
            ErrorCode::kLimit);
}

TEST(Control, MachineIdsAreHexOrNothing) {
  PrepareTarget target{.machine_id = "0123456789ABCDEF0123456789abcdeg"};
  EXPECT_FALSE(decode_target(encode_target(target)).has_value());
}

}  // namespace
}  // namespace gondolin::wire
