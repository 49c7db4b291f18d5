#include "wire/control.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "wire/byte_codec.hpp"
#include "wire/frame.hpp"

namespace gondolin::wire {
namespace {

enum class TargetTag : std::uint8_t {
  kExec = 1,
  kStdio = 2,
  kStderr = 3,
  kPorts = 4,
  kPrepare = 5,
  kPowerOff = 6,
  kFiles = 7,
};

enum class MessageTag : std::uint8_t {
  kSpawn = 1,
  kResize = 2,
  kSignal = 3,
  kStarted = 4,
  kFailed = 5,
  kExited = 6,
  kSignaled = 7,
  kDrained = 8,
  kListeningPorts = 9,
};

// --- targets -----------------------------------------------------------------

struct TargetWriter {
  ByteWriter& to;

  void operator()(const ExecTarget&) const { to.choice(TargetTag::kExec); }
  void operator()(const StdioTarget& target) const {
    to.choice(TargetTag::kStdio);
    to.integer(target.exec);
  }
  void operator()(const StderrTarget& target) const {
    to.choice(TargetTag::kStderr);
    to.integer(target.exec);
  }
  void operator()(const PortsTarget&) const { to.choice(TargetTag::kPorts); }
  void operator()(const PrepareTarget& target) const {
    to.choice(TargetTag::kPrepare);
    to.integer(target.wall_clock_ns);
    to.blob(target.entropy);
    to.string(target.hostname);
    to.string(target.machine_id);
  }
  void operator()(const PowerOffTarget&) const { to.choice(TargetTag::kPowerOff); }
  void operator()(const FilesTarget&) const { to.choice(TargetTag::kFiles); }
};

bool is_machine_id(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

PrepareTarget read_prepare(ByteReader& from) {
  PrepareTarget target;
  target.wall_clock_ns = from.integer<std::uint64_t>();
  Bytes entropy = from.blob();
  target.entropy.assign(entropy.begin(), entropy.end());
  target.hostname = from.string();
  target.machine_id = from.string();
  bool sound = target.entropy.size() <= kMaxEntropy && target.hostname.size() <= 64 &&
               (target.machine_id.empty() || is_machine_id(target.machine_id));
  if (!sound) from.fail();
  return target;
}

ControlTarget read_target(ByteReader& from) {
  switch (static_cast<TargetTag>(from.integer<std::uint8_t>())) {
    case TargetTag::kExec:
      return ExecTarget{};
    case TargetTag::kStdio:
      return StdioTarget{from.integer<std::uint32_t>()};
    case TargetTag::kStderr:
      return StderrTarget{from.integer<std::uint32_t>()};
    case TargetTag::kPorts:
      return PortsTarget{};
    case TargetTag::kPrepare:
      return read_prepare(from);
    case TargetTag::kPowerOff:
      return PowerOffTarget{};
    case TargetTag::kFiles:
      return FilesTarget{};
  }
  from.fail();
  return {};
}

// --- messages ----------------------------------------------------------------

void put_size(ByteWriter& to, const TerminalSize& size) {
  to.integer(size.rows);
  to.integer(size.columns);
}

void put_strings(ByteWriter& to, const std::vector<std::string>& strings) {
  to.list(strings, [&](const std::string& text) { to.string(text); });
}

struct MessageWriter {
  ByteWriter& to;

  void operator()(const Spawn& spawn) const {
    to.choice(MessageTag::kSpawn);
    put_strings(to, spawn.argv);
    put_strings(to, spawn.environment);
    to.string(spawn.cwd);
    to.integer(static_cast<std::uint8_t>(spawn.terminal ? 1 : 0));
    if (spawn.terminal) put_size(to, *spawn.terminal);
  }
  void operator()(const Resize& resize) const {
    to.choice(MessageTag::kResize);
    put_size(to, resize.size);
  }
  void operator()(const Signal& signal) const {
    to.choice(MessageTag::kSignal);
    to.integer(signal.number);
  }
  void operator()(const Started& started) const {
    to.choice(MessageTag::kStarted);
    to.integer(started.pid);
  }
  void operator()(const Failed& failed) const {
    to.choice(MessageTag::kFailed);
    to.integer(failed.os_error);
    to.string(failed.message);
  }
  void operator()(const Exited& exited) const {
    to.choice(MessageTag::kExited);
    to.integer(exited.code);
  }
  void operator()(const Signaled& signaled) const {
    to.choice(MessageTag::kSignaled);
    to.integer(signaled.number);
  }
  void operator()(const Drained&) const { to.choice(MessageTag::kDrained); }
  void operator()(const ListeningPorts& listening) const {
    to.choice(MessageTag::kListeningPorts);
    to.list(listening.ports, [this](const ListeningPort& port) {
      to.integer(port.port);
      to.choice(port.address);
      to.integer(port.pid);
      to.string(port.process);
    });
  }
};

TerminalSize read_size(ByteReader& from) {
  TerminalSize size;
  size.rows = from.integer<std::uint16_t>();
  size.columns = from.integer<std::uint16_t>();
  return size;
}

Spawn read_spawn(ByteReader& from) {
  auto read_string = [&] { return from.string(); };
  Spawn spawn;
  spawn.argv = from.list(read_string);
  spawn.environment = from.list(read_string);
  spawn.cwd = from.string();
  auto has_terminal = from.integer<std::uint8_t>();
  if (has_terminal == 1) spawn.terminal = read_size(from);
  if (has_terminal > 1 || spawn.argv.empty()) from.fail();
  return spawn;
}

ListeningPort read_port(ByteReader& from) {
  ListeningPort port;
  port.port = from.integer<std::uint16_t>();
  port.address = from.choice(ListenAddress::kOther6);
  port.pid = from.integer<std::uint32_t>();
  port.process = from.string();
  return port;
}

ControlMessage read_message(ByteReader& from) {
  switch (static_cast<MessageTag>(from.integer<std::uint8_t>())) {
    case MessageTag::kSpawn:
      return read_spawn(from);
    case MessageTag::kResize:
      return Resize{read_size(from)};
    case MessageTag::kSignal:
      return Signal{from.integer<std::uint8_t>()};
    case MessageTag::kStarted:
      return Started{from.integer<std::uint32_t>()};
    case MessageTag::kFailed: {
      auto os_error = from.integer<std::uint32_t>();
      return Failed{os_error, from.string()};
    }
    case MessageTag::kExited:
      return Exited{from.integer<std::uint8_t>()};
    case MessageTag::kSignaled:
      return Signaled{from.integer<std::uint8_t>()};
    case MessageTag::kDrained:
      return Drained{};
    case MessageTag::kListeningPorts:
      return ListeningPorts{from.list([&] { return read_port(from); })};
  }
  from.fail();
  return {};
}

bool holds_nul(const std::vector<std::string>& strings) {
  return std::ranges::any_of(strings, [](const auto& s) { return s.find('\0') != s.npos; });
}

}  // namespace

ByteBuffer encode_target(const ControlTarget& target) {
  ByteWriter writer;
  std::visit(TargetWriter{writer}, target);
  return writer.take();
}

Result<ControlTarget> decode_target(Bytes payload) {
  ByteReader reader(payload);
  ControlTarget target = read_target(reader);
  if (!reader.complete()) return fail(ErrorCode::kProtocol, "malformed target of a control stream");
  return target;
}

Result<ByteBuffer> encode_message(const ControlMessage& message) {
  if (const auto* spawn = std::get_if<Spawn>(&message)) {
    if (spawn->argv.empty()) return fail(ErrorCode::kInvalidArgument, "the command is empty");
    if (holds_nul(spawn->argv) || holds_nul(spawn->environment) || holds_nul({spawn->cwd})) {
      return fail(ErrorCode::kInvalidArgument,
                  "a command, variable or directory cannot hold a NUL byte");
    }
  }
  ByteBuffer bytes = with_length([&](ByteWriter& to) { std::visit(MessageWriter{to}, message); });
  if (bytes.size() > kLengthSize + kMaxMessage) {
    return fail(ErrorCode::kLimit, "the command and its environment are longer than " +
                                       std::to_string(kMaxMessage) + " bytes");
  }
  return bytes;
}

Result<std::optional<ControlMessage>> MessageReader::next() {
  return next_message(cutter_, "malformed control message", read_message);
}

}  // namespace gondolin::wire
