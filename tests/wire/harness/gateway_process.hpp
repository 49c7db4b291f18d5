// A running `gondolin gateway`, and the listeners file it watches.
//
// The program is the one named by the environment variable
// GONDOLIN_WIRE_PROGRAM, else the one this build made. It gets a descriptor
// limit of 1,024 as a login shell would give it, whatever this test runs under,
// and dies with the test.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "harness/connection.hpp"

namespace gondolin::wiretest {

// A file in a directory of its own; both vanish with the object.
class ListenersFile {
 public:
  // Holds `text`, or does not exist if there is none.
  explicit ListenersFile(const std::optional<std::string>& text);
  ListenersFile(const ListenersFile&) = delete;
  ListenersFile& operator=(const ListenersFile&) = delete;
  ~ListenersFile();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path beside(const std::string& name) const;

  // As `echo … > FILE` does it: truncate, write, close.
  void rewrite(std::string_view text) const;
  // As editors do it: a new file beside, then rename(2) over the old.
  void replace(std::string_view text) const;
  void append(std::string_view text) const;
  void remove() const;
  [[nodiscard]] std::string read() const;

 private:
  std::filesystem::path directory_;
  std::filesystem::path path_;
};

// What becomes of what the gateway prints on stderr.
enum class StderrTo {
  kText,    // stderr_text()
  kNobody,  // a full pipe that nobody empties
  kGone,    // a pipe whose reader is gone
};

struct GatewayOptions {
  std::optional<std::string> listen = "127.0.0.1:0";  // none: --listen without a value
  std::vector<std::string> arguments;                 // behind --listeners and --listen
  std::map<std::string, std::string> environment;
  // The hard and soft limit of open descriptors; none gives soft 1,024 under ours.
  std::optional<unsigned long> descriptors;
  StderrTo stderr_to = StderrTo::kText;
};

// What a program that ended by itself left behind.
struct Finished {
  int exit_code = 0;
  std::string out;
  std::string err;
};

class GatewayProcess {
 public:
  // Starts the gateway and waits for its URL line.
  explicit GatewayProcess(const std::filesystem::path& listeners,
                          const GatewayOptions& options = {});
  GatewayProcess(const GatewayProcess&) = delete;
  GatewayProcess& operator=(const GatewayProcess&) = delete;
  // Ends it with SIGKILL if terminate() has not ended it before.
  ~GatewayProcess();

  // Runs the program with `arguments` until it exits by itself; fails (and kills
  // it) when it does not within kPatience.
  [[nodiscard]] static Finished run(const std::vector<std::string>& arguments);

  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] const std::string& first_line() const { return first_line_; }
  [[nodiscard]] const std::string& second_line() const { return second_line_; }
  // "127.0.0.1:PORT", as a browser would put it into Host.
  [[nodiscard]] std::string authority() const;

  [[nodiscard]] Connection connect() const { return Connection::to(address_); }

  [[nodiscard]] bool alive();
  // Sends `signal`, waits for the exit and returns the wait status's exit code,
  // or 128 + the signal that killed it.
  int terminate(int signal);
  [[nodiscard]] std::string stderr_text() const;
  [[nodiscard]] std::size_t descriptors() const;
  // Resident memory, now, in KiB.
  [[nodiscard]] std::size_t resident_kib() const;
  // CPU time used so far, user and system.
  [[nodiscard]] milliseconds cpu_time() const;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  void await_url(UniqueFd out);

  pid_t pid_ = -1;
  std::optional<int> exit_code_;
  UniqueFd err_;  // a memfd that is the child's stderr, or the unread end of its pipe
  UniqueFd out_;  // our end of the child's stdout
  Address address_;
  std::string first_line_;
  std::string second_line_;
};

// How much resident memory a test grants the gateway that may use `kib` KiB: a
// sanitizer keeps freed and shadow memory on top of it.
[[nodiscard]] constexpr std::size_t allowance_kib(std::size_t kib) {
#ifdef GONDOLIN_WIRE_SANITIZED
  return kib * 4 + 32 * 1024;
#else
  return kib;
#endif
}

}  // namespace gondolin::wiretest
