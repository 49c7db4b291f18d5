#include "harness/gateway_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/parse_number.hpp"

namespace gondolin::wiretest {
namespace {

constexpr rlim_t kShellDescriptors = 1024;

std::string program() {
  const char* chosen = ::getenv("GONDOLIN_WIRE_PROGRAM");
  return chosen != nullptr ? chosen : GONDOLIN_PROGRAM;
}

struct Child {
  pid_t pid;
  UniqueFd out;
  UniqueFd err;
};

rlimit limit_for(const GatewayOptions& options) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(kShellDescriptors, limit.rlim_max);
  if (options.descriptors) limit = {*options.descriptors, *options.descriptors};
  return limit;
}

struct StderrEnds {
  UniqueFd ours;
  UniqueFd childs;
};

StderrEnds stderr_ends(StderrTo to) {
  if (to == StderrTo::kText) {
    UniqueFd file(::memfd_create("gateway-stderr", MFD_CLOEXEC));
    UniqueFd same(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
    return {std::move(file), std::move(same)};
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw WireFailure("pipe2 failed");
  StderrEnds pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  if (to == StderrTo::kGone) {
    pipe.ours.reset();
    return pipe;
  }
  const std::string filling(static_cast<std::size_t>(::fcntl(ends[1], F_GETPIPE_SZ)), 'x');
  if (::write(ends[1], filling.data(), filling.size()) < 0) throw WireFailure("write failed");
  return pipe;
}

// Everything the child needs is made before the fork.
Child start(const std::vector<std::string>& arguments, const GatewayOptions& options) {
  const std::string path = program();
  std::vector<char*> argv{const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const rlimit limit = limit_for(options);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw WireFailure("pipe2 failed");
  StderrEnds err = stderr_ends(options.stderr_to);
  Child child{-1, UniqueFd(ends[0]), std::move(err.ours)};
  UniqueFd write_end(ends[1]);
  child.pid = ::fork();
  if (child.pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::dup2(write_end.get(), STDOUT_FILENO);
    ::dup2(err.childs.get(), STDERR_FILENO);
    ::unsetenv("GONDOLIN_DEBUG");
    ::setenv("ASAN_OPTIONS", "quarantine_size_mb=1", 0);
    for (const auto& [name, value] : options.environment) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
    ::execv(path.c_str(), argv.data());
    ::_exit(127);
  }
  if (child.pid < 0) throw WireFailure("fork failed");
  return child;
}

std::string read_memfd(const UniqueFd& file) {
  std::string text;
  char chunk[4096];
  for (;;) {
    const ssize_t count = ::pread(file.get(), chunk, sizeof chunk, static_cast<off_t>(text.size()));
    if (count <= 0) return text;
    text.append(chunk, static_cast<std::size_t>(count));
  }
}

// Appends what `pipe` holds; false at its end.
bool read_pipe(const UniqueFd& pipe, std::string& text) {
  pollfd waiting{pipe.get(), POLLIN, 0};
  if (::poll(&waiting, 1, static_cast<int>(kPatience.count())) <= 0) {
    throw WireFailure("the program printed nothing more; so far: " + visible(text));
  }
  char chunk[4096];
  const ssize_t count = ::read(pipe.get(), chunk, sizeof chunk);
  if (count <= 0) return false;
  text.append(chunk, static_cast<std::size_t>(count));
  return true;
}

int exit_code_of(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

std::optional<int> reap(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
  return exit_code_of(status);
}

Address parse_url(const std::string& line) {
  static constexpr std::string_view kPrefix = "Ingress enabled: http://";
  const std::size_t colon = line.rfind(':');
  if (!line.starts_with(kPrefix) || colon == std::string::npos) {
    throw WireFailure("not a URL line: " + visible(line));
  }
  Address address;
  address.host = line.substr(kPrefix.size(), colon - kPrefix.size());
  if (address.host.starts_with('[')) address.host = address.host.substr(1, address.host.size() - 2);
  const auto port = parse_decimal<std::uint16_t>(std::string_view(line).substr(colon + 1));
  if (!port) throw WireFailure("no port in: " + visible(line));
  address.port = *port;
  return address;
}

void write_file(const std::filesystem::path& path, std::string_view text, std::ios::openmode mode) {
  std::ofstream file(path, std::ios::binary | mode);
  file << text;
  file.close();
  if (!file) throw WireFailure("cannot write " + path.string());
}

}  // namespace

ListenersFile::ListenersFile(const std::optional<std::string>& text) {
  std::string name = (std::filesystem::temp_directory_path() / "gondolin-wire-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw WireFailure("mkdtemp failed");
  directory_ = name;
  path_ = directory_ / "listeners";
  if (text) rewrite(*text);
}

ListenersFile::~ListenersFile() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::filesystem::path ListenersFile::beside(const std::string& name) const {
  return directory_ / name;
}

void ListenersFile::rewrite(std::string_view text) const {
  write_file(path_, text, std::ios::trunc);
}

void ListenersFile::replace(std::string_view text) const {
  write_file(beside("listeners.new"), text, std::ios::trunc);
  std::filesystem::rename(beside("listeners.new"), path_);
}

void ListenersFile::append(std::string_view text) const {
  write_file(path_, text, std::ios::app);
}

void ListenersFile::remove() const {
  std::filesystem::remove(path_);
}

std::string ListenersFile::read() const {
  std::ifstream file(path_, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

GatewayProcess::GatewayProcess(const std::filesystem::path& listeners,
                               const GatewayOptions& options) {
  std::vector<std::string> arguments{"gateway", "--listeners", listeners.string(), "--listen"};
  if (options.listen) arguments.push_back(*options.listen);
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  Child child = start(arguments, options);
  pid_ = child.pid;
  err_ = std::move(child.err);
  try {
    await_url(std::move(child.out));
  } catch (const WireFailure& failure) {
    terminate(SIGKILL);
    throw WireFailure("the gateway did not start: " + std::string(failure.what()) +
                      "; its stderr: " + visible(stderr_text()));
  }
}

void GatewayProcess::await_url(UniqueFd out) {
  out_ = std::move(out);
  std::string text;
  while (std::count(text.begin(), text.end(), '\n') < 2) {
    if (!read_pipe(out_, text)) throw WireFailure("it ended after printing " + visible(text));
  }
  const std::size_t first_end = text.find('\n');
  first_line_ = text.substr(0, first_end);
  second_line_ = text.substr(first_end + 1, text.find('\n', first_end + 1) - first_end - 1);
  address_ = parse_url(first_line_);
}

GatewayProcess::~GatewayProcess() {
  if (!exit_code_) terminate(SIGKILL);
}

Finished GatewayProcess::run(const std::vector<std::string>& arguments) {
  Child child = start(arguments, {});
  Finished finished;
  std::optional<int> code;
  const bool ended = eventually([&] {
    code = reap(child.pid);
    return code.has_value();
  });
  if (!ended) {
    ::kill(child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    throw WireFailure("the program did not exit; its stderr: " + visible(read_memfd(child.err)));
  }
  finished.exit_code = *code;
  while (read_pipe(child.out, finished.out)) {
  }
  finished.err = read_memfd(child.err);
  return finished;
}

std::string GatewayProcess::authority() const {
  const bool ipv6 = address_.host.find(':') != std::string::npos;
  return (ipv6 ? "[" + address_.host + "]" : address_.host) + ":" + std::to_string(address_.port);
}

bool GatewayProcess::alive() {
  if (!exit_code_) exit_code_ = reap(pid_);
  return !exit_code_;
}

int GatewayProcess::terminate(int signal) {
  if (!alive()) return *exit_code_;
  ::kill(pid_, signal);
  if (!eventually([this] { return !alive(); })) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    exit_code_ = 128 + SIGKILL;
    throw WireFailure("the gateway did not exit on signal " + std::to_string(signal));
  }
  return *exit_code_;
}

std::string GatewayProcess::stderr_text() const {
  return read_memfd(err_);
}

std::size_t GatewayProcess::descriptors() const {
  const std::filesystem::directory_iterator entries("/proc/" + std::to_string(pid_) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

std::size_t GatewayProcess::resident_kib() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

milliseconds GatewayProcess::cpu_time() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
  std::string text;
  std::getline(file, text);
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i)
    fields >> skipped;
  long user = 0;
  long system = 0;
  fields >> user >> system;
  return milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

}  // namespace gondolin::wiretest
