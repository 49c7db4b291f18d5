// sandboxd, driven over a socket by the messages the host sends.
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest/host_end.hpp"
#include "wire/control.hpp"

namespace gondolin::guest {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Sandboxd : public testing::Test {
 protected:
  // A program and what became of it.
  struct Run {
    StreamId exec{};
    StreamId stdio{};
    StreamId stderr_stream{};
    bool has_stdio = true;
    bool has_stderr = true;
  };
  enum class Streams { kAll, kNoStderr, kNone };

  Run start(const wire::Spawn& spawn, Streams streams = Streams::kAll) {
    Run run;
    run.has_stdio = streams != Streams::kNone;
    run.has_stderr = streams == Streams::kAll;
    run.exec = host_.open(wire::encode_target(wire::ExecTarget{}));
    auto exec = static_cast<std::uint32_t>(run.exec);
    if (run.has_stdio) run.stdio = host_.open(wire::encode_target(wire::StdioTarget{exec}));
    if (run.has_stderr) {
      run.stderr_stream = host_.open(wire::encode_target(wire::StderrTarget{exec}));
    }
    send(run, spawn);
    return run;
  }
  Run shell(std::string script, Streams streams = Streams::kAll) {
    return start({.argv = {"sh", "-c", std::move(script)}}, streams);
  }
  void send(const Run& run, const wire::ControlMessage& message) {
    auto bytes = wire::encode_message(message);
    ASSERT_TRUE(bytes.has_value());
    host_.write(run.exec, as_text(*bytes));
  }

  // The messages that came on a stream so far.
  std::vector<wire::ControlMessage> messages(StreamId stream) {
    std::vector<wire::ControlMessage> list;
    Bytes rest = as_bytes(host_[stream].received);
    wire::MessageReader reader;
    while (!rest.empty()) {
      auto taken = reader.feed(rest);
      EXPECT_TRUE(taken.has_value());
      rest = rest.subspan(*taken);
      auto message = reader.next();
      EXPECT_TRUE(message.has_value());
      if (*message) list.push_back(**message);
    }
    return list;
  }
  template <typename Message>
  std::optional<Message> find(const Run& run) {
    for (const auto& message : messages(run.exec)) {
      if (const auto* found = std::get_if<Message>(&message)) return *found;
    }
    return std::nullopt;
  }

  // Waits for the exit code.
  int exit_code(const Run& run) {
    EXPECT_TRUE(host_.wait([&] { return find<wire::Exited>(run).has_value(); }));
    auto exited = find<wire::Exited>(run);
    return exited ? exited->code : -1;
  }
  bool wait_output_end(const Run& run) {
    return host_.wait([&] {
      return (!run.has_stdio || host_[run.stdio].ended) &&
             (!run.has_stderr || host_[run.stderr_stream].ended);
    });
  }
  std::string& out(const Run& run) { return host_[run.stdio].received; }
  std::string& err(const Run& run) { return host_[run.stderr_stream].received; }

  HostEnd host_{SANDBOXD};
};

bool is_alive(pid_t pid) {
  return ::kill(pid, 0) == 0;
}

TEST_F(Sandboxd, KeepsStdoutAndStderrApartAndReportsTheExitCode) {
  auto run = shell("echo out; echo err >&2; exit 7");
  EXPECT_EQ(exit_code(run), 7);
  EXPECT_TRUE(wait_output_end(run));
  EXPECT_EQ(out(run), "out\n");
  EXPECT_EQ(err(run), "err\n");
  EXPECT_TRUE(find<wire::Started>(run).has_value());
}

TEST_F(Sandboxd, PassesStandardInputAndItsEnd) {
  auto run = start({.argv = {"cat"}});
  std::string bytes;
  for (int i = 0; i < 300000; ++i)
    bytes.push_back(static_cast<char>(i * 7 + i / 251));
  host_.write(run.stdio, bytes);
  host_.finish(run.stdio);
  EXPECT_EQ(exit_code(run), 0);
  EXPECT_TRUE(wait_output_end(run));
  EXPECT_EQ(out(run), bytes);
}

TEST_F(Sandboxd, SignalsEndAProgram) {
  auto run = start({.argv = {"sleep", "100"}});
  ASSERT_TRUE(host_.wait([&] { return find<wire::Started>(run).has_value(); }));
  send(run, wire::Signal{SIGTERM});
  ASSERT_TRUE(host_.wait([&] { return find<wire::Signaled>(run).has_value(); }));
  EXPECT_EQ(find<wire::Signaled>(run)->number, SIGTERM);
}

TEST_F(Sandboxd, SaysWhyAProgramCannotStart) {
  auto missing = start({.argv = {"no-such-program"}});
  auto directory = start({.argv = {"true"}, .cwd = "/no/such/dir"});
  auto not_executable = start({.argv = {"/etc/passwd"}});
  auto absent = start({.argv = {"/no/such/file"}});
  for (const auto& run : {missing, directory, not_executable, absent}) {
    ASSERT_TRUE(host_.wait_end(run.exec));
    ASSERT_TRUE(find<wire::Failed>(run).has_value());
    EXPECT_TRUE(wait_output_end(run));
  }
  EXPECT_EQ(find<wire::Failed>(missing),
            (wire::Failed{ENOENT, "no-such-program: command not found"}));
  EXPECT_EQ(find<wire::Failed>(directory),
            (wire::Failed{ENOENT, "cwd /no/such/dir: No such file or directory"}));
  EXPECT_EQ(find<wire::Failed>(not_executable),
            (wire::Failed{EACCES, "/etc/passwd: Permission denied"}));
  EXPECT_EQ(find<wire::Failed>(absent),
            (wire::Failed{ENOENT, "/no/such/file: No such file or directory"}));
}

TEST_F(Sandboxd, GivesDefaultsAndWhatTheHostAdds) {
  auto run = start({.argv = {"sh", "-c", "echo \"$HOME|$LANG|$USER|$ADDED|$PATH\"; pwd; umask"},
                    .environment = {"ADDED=a b", "PATH=/bin:/usr/bin"},
                    .cwd = "/usr"});
  EXPECT_EQ(exit_code(run), 0);
  EXPECT_TRUE(wait_output_end(run));
  EXPECT_EQ(out(run), "/root|C.UTF-8|root|a b|/bin:/usr/bin\n/usr\n0022\n");
}

TEST_F(Sandboxd, LeavesNoDescriptorOrSignalOfItsOwnToAProgram) {
  auto neighbour = start({.argv = {"sleep", "100"}});
  ASSERT_TRUE(host_.wait([&] { return find<wire::Started>(neighbour).has_value(); }));
  auto run =
      shell("ls -l /proc/self/fd | wc -l; grep -E 'Sig(Blk|Ign)' /proc/self/status; ulimit -n");
  EXPECT_EQ(exit_code(run), 0);
  EXPECT_TRUE(wait_output_end(run));
  // "total", 0, 1, 2 and the directory that ls reads.
  EXPECT_THAT(out(run), StartsWith("5\n"));
  EXPECT_THAT(out(run), HasSubstr("SigBlk:\t0000000000000000"));
  EXPECT_THAT(out(run), HasSubstr("SigIgn:\t0000000000000000"));
}

TEST_F(Sandboxd, RunsOnATerminalThatCanBeResized) {
  auto run =
      start({.argv = {"sh", "-c", "stty size; read x; stty size; tty >/dev/null && echo $TERM"},
             .terminal = wire::TerminalSize{33, 101}},
            Streams::kNoStderr);
  ASSERT_TRUE(host_.wait([&] { return out(run).find("33 101") != std::string::npos; }));
  send(run, wire::Resize{{44, 77}});
  host_.write(run.stdio, "\n");
  EXPECT_EQ(exit_code(run), 0);
  EXPECT_TRUE(host_.wait([&] { return host_[run.stdio].ended; }));
  EXPECT_THAT(out(run), HasSubstr("44 77\r\nxterm-256color\r\n"));
}

TEST_F(Sandboxd, ControlCReachesTheForegroundOfATerminal) {
  auto run = start({.argv = {"cat"}, .terminal = wire::TerminalSize{}}, Streams::kNoStderr);
  host_.write(run.stdio, "hello\n");
  // Once echoed by the terminal, once by cat.
  ASSERT_TRUE(host_.wait([&] { return out(run) == "hello\r\nhello\r\n"; }));
  host_.write(run.stdio, "\x03");
  ASSERT_TRUE(host_.wait([&] { return find<wire::Signaled>(run).has_value(); }));
  EXPECT_EQ(find<wire::Signaled>(run)->number, SIGINT);
}

TEST_F(Sandboxd, TheEndOfInputIsCtrlDOnATerminal) {
  auto run = start({.argv = {"cat"}, .terminal = wire::TerminalSize{}}, Streams::kNoStderr);
  host_.write(run.stdio, "hello\n");
  host_.finish(run.stdio);
  EXPECT_EQ(exit_code(run), 0);
}

TEST_F(Sandboxd, AStalledReaderStallsTheProgramAndNothingElse) {
  auto run = shell("yes | head -c 10000000; echo done >&2");
  host_[run.stdio].paused = true;
  auto other = shell("echo here");
  EXPECT_EQ(exit_code(other), 0);
  EXPECT_TRUE(wait_output_end(other));
  EXPECT_FALSE(find<wire::Exited>(run).has_value());
  EXPECT_LE(host_.mux().read(run.stdio).size(), 64U * 1024);
  host_[run.stdio].paused = false;
  EXPECT_EQ(exit_code(run), 0);
  EXPECT_TRUE(wait_output_end(run));
  EXPECT_EQ(out(run).size(), 10000000U);
  EXPECT_EQ(err(run), "done\n");
}

TEST_F(Sandboxd, AReaderThatGoesAwayEndsTheWriterByItsPipe) {
  auto run = start({.argv = {"yes"}});
  ASSERT_TRUE(host_.wait([&] { return !out(run).empty(); }));
  host_.close(run.stdio);
  ASSERT_TRUE(host_.wait([&] { return find<wire::Signaled>(run).has_value(); }));
  EXPECT_EQ(find<wire::Signaled>(run)->number, SIGPIPE);
}

TEST_F(Sandboxd, AnExitIsToldThoughABackgroundProcessHoldsTheOutput) {
  auto run = shell("(sleep 3; echo late) & echo early; exit 3");
  EXPECT_EQ(exit_code(run), 3);
  ASSERT_TRUE(host_.wait([&] { return find<wire::Drained>(run).has_value(); }));
  EXPECT_EQ(out(run), "early\n");
  EXPECT_FALSE(host_[run.stdio].ended);
  EXPECT_TRUE(wait_output_end(run));
  EXPECT_EQ(out(run), "early\nlate\n");
}

TEST_F(Sandboxd, ABackgroundProcessOutlivesTheStreamsAndIsNotHurtByTheirEnd) {
  std::string mark = testing::TempDir() + "sandboxd_background_" + std::to_string(::getpid());
  auto run = shell("(read x < /proc/self/fd/0; echo into nowhere; echo $? > " + mark +
                   ") & exec 0<&-; exit 0");
  EXPECT_EQ(exit_code(run), 0);
  ASSERT_TRUE(host_.wait([&] { return find<wire::Drained>(run).has_value(); }));
  host_.close(run.stdio);
  host_.close(run.stderr_stream);
  host_.close(run.exec);
  std::string status;
  EXPECT_TRUE(host_.wait([&] { return static_cast<bool>(std::ifstream(mark) >> status); }));
  EXPECT_EQ(status, "0");
  ::unlink(mark.c_str());
}

TEST_F(Sandboxd, EndingTheExecStreamKillsTheWholeSession) {
  auto run = shell("trap '' HUP; sh -c \"trap '' HUP; sleep 100; true\" & echo $!; wait");
  ASSERT_TRUE(host_.wait([&] { return out(run).find('\n') != std::string::npos; }));
  pid_t leader = static_cast<pid_t>(find<wire::Started>(run)->pid);
  pid_t grandchild = static_cast<pid_t>(std::stol(out(run)));
  ASSERT_TRUE(is_alive(grandchild));
  host_.close(run.exec);
  EXPECT_TRUE(host_.wait([&] { return !is_alive(leader); }));
  // Whoever adopts the grandchild may be slow to wait for it: a zombie counts as gone.
  EXPECT_TRUE(host_.wait([&] {
    std::ifstream stat("/proc/" + std::to_string(grandchild) + "/stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    return text.empty() || text.find(") Z ") != std::string::npos;
  }));
}

TEST_F(Sandboxd, RunsHundredsAtOnce) {
  std::vector<Run> runs;
  for (int i = 0; i < 200; ++i)
    runs.push_back(shell("cat; exit " + std::to_string(i % 50)));
  for (auto& run : runs) {
    host_.write(run.stdio, "x");
    host_.finish(run.stdio);
  }
  for (int i = 0; i < 200; ++i) {
    auto& run = runs[static_cast<std::size_t>(i)];
    EXPECT_EQ(exit_code(run), i % 50);
    EXPECT_TRUE(wait_output_end(run));
    EXPECT_EQ(out(run), "x");
  }
}

TEST_F(Sandboxd, ForgetsProgramsThatAreOver) {
  auto descriptors_during_a_run = [&] {
    auto run = shell("ls /proc/" + std::to_string(host_.daemon()) + "/fd | wc -l");
    EXPECT_EQ(exit_code(run), 0);
    EXPECT_TRUE(wait_output_end(run));
    std::string count = out(run);
    for (auto stream : {run.exec, run.stdio, run.stderr_stream})
      host_.close(stream);
    return std::stol(count);
  };
  long before = descriptors_during_a_run();
  for (int i = 0; i < 50; ++i)
    descriptors_during_a_run();
  // The program before may still be on its way out while one counts: one quiet moment
  // is enough to know that nothing was kept.
  bool back_to_before = false;
  for (int i = 0; i < 20 && !back_to_before; ++i)
    back_to_before = descriptors_during_a_run() <= before;
  EXPECT_TRUE(back_to_before);
  EXPECT_EQ(host_.mux().stream_count(), 0U);
}

TEST_F(Sandboxd, WithoutStreamsAProgramHasDevNull) {
  auto run = shell("test \"$(readlink /proc/self/fd/1)\" = /dev/null && exit 4", Streams::kNone);
  EXPECT_EQ(exit_code(run), 1);  // readlink itself writes to a pipe of the shell
  auto direct = start({.argv = {"sh", "-c",
                                "readlink /proc/$$/fd/0 /proc/$$/fd/1 >/dev/null; "
                                "[ /proc/$$/fd/1 -ef /dev/null ] && exit 4"}},
                      Streams::kNone);
  EXPECT_EQ(exit_code(direct), 4);
}

TEST_F(Sandboxd, ScriptsWithoutAnInterpreterLineRunByTheShell) {
  std::string path = testing::TempDir() + "sandboxd_script_" + std::to_string(::getpid());
  std::ofstream(path) << "echo script $1\n";
  ::chmod(path.c_str(), 0755);
  auto run = start({.argv = {path, "argument"}});
  EXPECT_EQ(exit_code(run), 0);
  EXPECT_TRUE(wait_output_end(run));
  EXPECT_EQ(out(run), "script argument\n");
  ::unlink(path.c_str());
}

TEST_F(Sandboxd, CommandLinesLongerThanTheWindowArrive) {
  std::string text(100000, 'x');
  auto run = start({.argv = {"sh", "-c", "echo ${#1}", "sh", text}});
  EXPECT_EQ(exit_code(run), 0);
  EXPECT_TRUE(wait_output_end(run));
  EXPECT_EQ(out(run), "100000\n");
}

TEST_F(Sandboxd, ListsListeningPortsWithTheirProcess) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(socket.get(), 1), 0);
  socklen_t size = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  auto stream = host_.open(wire::encode_target(wire::PortsTarget{}));
  ASSERT_TRUE(host_.wait_end(stream));
  auto list = messages(stream);
  ASSERT_EQ(list.size(), 1U);
  const auto& ports = std::get<wire::ListeningPorts>(list[0]).ports;
  auto mine = std::ranges::find(ports, ntohs(address.sin_port), &wire::ListeningPort::port);
  ASSERT_NE(mine, ports.end());
  EXPECT_EQ(mine->address, wire::ListenAddress::kLoopback4);
  EXPECT_EQ(mine->pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(mine->process, "guest_daemons");
}

TEST_F(Sandboxd, RefusesWhatItDoesNotKnow) {
  auto garbage = host_.open(as_bytes("\x7f garbage"));
  auto lost = host_.open(wire::encode_target(wire::StdioTarget{999}));
  auto power = host_.open(wire::encode_target(wire::PowerOffTarget{}));
  EXPECT_TRUE(host_.wait_end(garbage) && host_.wait_end(lost) && host_.wait_end(power));
  EXPECT_EQ(host_[garbage].opened, EPROTO);
  EXPECT_EQ(host_[lost].opened, ESRCH);
  EXPECT_EQ(host_[power].opened, ENOTSUP);
}

TEST_F(Sandboxd, NonsenseOnAnExecStreamEndsThatStreamOnly) {
  auto run = start({.argv = {"sleep", "100"}});
  ASSERT_TRUE(host_.wait([&] { return find<wire::Started>(run).has_value(); }));
  host_.write(run.exec, std::string(64, '\xff'));
  EXPECT_TRUE(host_.wait([&] { return host_[run.exec].reset.has_value(); }));
  EXPECT_EQ(exit_code(shell("exit 5")), 5);
}

TEST_F(Sandboxd, DyingTakesItsProgramsAlong) {
  auto run = start({.argv = {"sleep", "100"}});
  ASSERT_TRUE(host_.wait([&] { return find<wire::Started>(run).has_value(); }));
  pid_t program = static_cast<pid_t>(find<wire::Started>(run)->pid);
  host_.restart_daemon();
  ASSERT_TRUE(host_.wait([&] { return host_.restarts() == 1; }));
  EXPECT_EQ(exit_code(shell("exit 6")), 6);
  EXPECT_TRUE(host_.wait([&] {
    std::ifstream stat("/proc/" + std::to_string(program) + "/stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    return text.empty() || text.find(") Z ") != std::string::npos;
  }));
}

}  // namespace
}  // namespace gondolin::guest
