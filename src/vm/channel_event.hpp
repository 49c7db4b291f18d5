// What the channels of a VM tell their owner.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace gondolin::vm {

struct ChannelEvent {
  enum class Kind : std::uint8_t {
    kUp,         // the guest end is there, for the first time
    kRestarted,  // the guest end died and came back; every stream was reset
    kMounted,    // fs port only: the guest's mount is usable
    kFailed,     // the guest broke the protocol; every stream was reset
    kExhausted,  // our memory ran out in the middle of something; every stream was reset
  };
  Kind kind;
  std::string message;  // of kFailed: a sentence
};

// Called on the loop's thread, never from inside a call to the channel. It may
// close the channel, but must not destroy it.
using ChannelEventSink = std::function<void(const ChannelEvent&)>;

}  // namespace gondolin::vm
