// What must be true of a FUSE message before libfuse may see it. libfuse takes
// lengths, counts and strings in a message on trust; a guest deserves none.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace gondolin::vfs {

enum class Verdict : std::uint8_t {
  kPass,    // every byte that libfuse will read for this opcode is there
  kAnswer,  // answer with `error` instead
  kDrop,    // do nothing: the kernel expects no answer
};

struct CheckedMessage {
  Verdict verdict = Verdict::kPass;
  int error = 0;  // of kAnswer: an errno, positive
  std::uint32_t opcode = 0;
  std::uint64_t unique = 0;  // of the message, for the answer
  std::uint64_t node = 0;
};

// Judges a whole message. kProtocol when it is shorter than a FUSE header, longer
// than wire::kMaxFuseMessage, or its header names another length.
[[nodiscard]] Result<CheckedMessage> check_message(Bytes message);

// The name of the opcode, such as "LOOKUP"; "opcode" for those nobody serves.
[[nodiscard]] std::string_view opcode_name(std::uint32_t opcode);

}  // namespace gondolin::vfs
