// What is said on the control port: the targets its streams are opened to, and
// the messages on those streams.
//
// A program runs on up to three streams. The exec stream carries messages: the
// host sends Spawn, later Resize and Signal; the guest answers Started and then
// Exited or Signaled, or else Failed. The stdio stream is the program's standard
// input one way and its standard output the other; the stderr stream is its
// standard error. Each has its own window, so a full stdout never holds up stderr
// or a Signal. The host opens the three and sends Spawn behind them at once, with
// no wait in between; what is attached when Spawn arrives is what the program
// gets: without a stdio stream it has /dev/null, without a stderr stream its
// standard error goes where standard output goes. With a terminal, stdio is the
// terminal and a stderr stream is refused.
//
// The end of standard input is a FIN from the host. A FIN from the guest on
// stdio or stderr means that nobody can write there any more; that can be long
// after Exited when the program left others behind that hold the pipe open, so
// Drained says that everything the program itself had written has been sent.
// The host ends the program (SIGHUP, then SIGKILL, to its whole session) by
// ending the exec stream, in order or not, or by the loss of the port.
//
// All integers are little-endian; strings are u32 length and bytes, without NUL.
// Reading is strict: every length is checked, nothing may be left over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/message_cutter.hpp"

namespace gondolin::wire {

// --- targets: the payload of OPEN on the control port ----------------------

struct ExecTarget {  // Spawn follows as the first message
  bool operator==(const ExecTarget&) const = default;
};
struct StdioTarget {
  std::uint32_t exec = 0;  // id of the exec stream, on which no Spawn has been sent
  bool operator==(const StdioTarget&) const = default;
};
struct StderrTarget {
  std::uint32_t exec = 0;
  bool operator==(const StderrTarget&) const = default;
};
struct PortsTarget {  // answered by one ListeningPorts and a FIN
  bool operator==(const PortsTarget&) const = default;
};
// Makes a guest that was restored from a template an individual, before anything
// else runs in it. OPENED carries 0 or the errno of what failed.
struct PrepareTarget {
  std::uint64_t wall_clock_ns = 0;  // since 1970; 0 leaves the clock alone
  ByteBuffer entropy{};             // at most kMaxEntropy bytes; empty leaves the pool alone
  std::string hostname{};           // empty leaves it alone; at most 64 bytes
  std::string machine_id{};         // 32 hex digits; empty leaves it alone
  bool operator==(const PrepareTarget&) const = default;
};
struct PowerOffTarget {  // the VM goes down, in order
  bool operator==(const PowerOffTarget&) const = default;
};
struct FilesTarget {  // one request about files and its answer: wire/files.hpp
  bool operator==(const FilesTarget&) const = default;
};

inline constexpr std::size_t kMaxEntropy = 512;

using ControlTarget = std::variant<ExecTarget, StdioTarget, StderrTarget, PortsTarget,
                                   PrepareTarget, PowerOffTarget, FilesTarget>;

[[nodiscard]] ByteBuffer encode_target(const ControlTarget& target);
[[nodiscard]] Result<ControlTarget> decode_target(Bytes payload);

// --- messages: u32 length, u8 type, body -----------------------------------

struct TerminalSize {
  std::uint16_t rows = 24;
  std::uint16_t columns = 80;
  bool operator==(const TerminalSize&) const = default;
};

// Host to guest.
struct Spawn {
  std::vector<std::string> argv{};  // not empty; argv[0] is looked up in PATH
  // "NAME=value" each, added to the guest's defaults; later ones win.
  std::vector<std::string> environment{};
  std::string cwd{};                       // empty is the HOME of the environment
  std::optional<TerminalSize> terminal{};  // run on a terminal of this size
  bool operator==(const Spawn&) const = default;
};
struct Resize {
  TerminalSize size;
  bool operator==(const Resize&) const = default;
};
struct Signal {  // to the foreground process group of the terminal, else the program's group
  std::uint8_t number = 0;
  bool operator==(const Signal&) const = default;
};

// Guest to host.
struct Started {
  std::uint32_t pid = 0;
  bool operator==(const Started&) const = default;
};
struct Failed {  // the program could not be started; nothing follows
  std::uint32_t os_error = 0;
  std::string message;  // "foo: command not found", "cwd /x: No such file or directory"
  bool operator==(const Failed&) const = default;
};
struct Exited {
  std::uint8_t code = 0;
  bool operator==(const Exited&) const = default;
};
struct Signaled {  // ended by a signal
  std::uint8_t number = 0;
  bool operator==(const Signaled&) const = default;
};
struct Drained {  // after Exited or Signaled: all the program wrote has been sent; a FIN follows
  bool operator==(const Drained&) const = default;
};

enum class ListenAddress : std::uint8_t {
  kLoopback4 = 1,  // 127.0.0.0/8
  kAny4 = 2,       // 0.0.0.0
  kOther4 = 3,
  kLoopback6 = 4,  // ::1
  kAny6 = 5,       // ::, which takes IPv4 too unless the socket says otherwise
  kOther6 = 6,
};
struct ListeningPort {
  std::uint16_t port = 0;
  ListenAddress address{};
  std::uint32_t pid = 0;  // 0 when it could not be found
  std::string process;    // its name as in /proc/PID/comm
  bool operator==(const ListeningPort&) const = default;
};
struct ListeningPorts {  // sorted by port, then address
  std::vector<ListeningPort> ports;
  bool operator==(const ListeningPorts&) const = default;
};

using ControlMessage =
    std::variant<Spawn, Resize, Signal, Started, Failed, Exited, Signaled, Drained, ListeningPorts>;

// The longest message, its length field not counted: room for every command line
// and environment that Linux accepts by default.
inline constexpr std::size_t kMaxMessage = 2 * 1024 * 1024;

// The message with its length in front. kLimit when it would exceed kMaxMessage,
// kInvalidArgument when a string holds NUL.
[[nodiscard]] Result<ByteBuffer> encode_message(const ControlMessage& message);

// Cuts one direction of a stream into messages. Holds at most one, whose memory grows
// with what has really arrived.
class MessageReader {
 public:
  // Takes the bytes of `input` that belong to the current message, up to its end,
  // and returns how many those were; call next() when that was less than all.
  [[nodiscard]] Result<std::size_t> feed(Bytes input) { return cutter_.feed(input); }
  // The message, once it is complete. kProtocol when it is malformed.
  [[nodiscard]] Result<std::optional<ControlMessage>> next();
  // Whether the stream may end here: no message has begun.
  [[nodiscard]] bool idle() const { return cutter_.idle(); }

 private:
  MessageCutter cutter_{kMaxMessage};
};

}  // namespace gondolin::wire
