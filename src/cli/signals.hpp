// The signals of a command that runs a VM, handled on a thread of their own.
#pragma once

#include <functional>
#include <thread>

namespace gondolin::cli {

// Takes SIGINT, SIGTERM, SIGHUP and SIGWINCH out of every thread that is created
// after it and calls the handler with each that arrives. SIGPIPE is ignored from
// then on. Create it before any other thread, once in a process.
class SignalThread {
 public:
  // The handler runs on the signal thread, one call at a time.
  using Handler = std::function<void(int signal)>;

  explicit SignalThread(Handler handler);
  // Returns when the handler is done; signals that arrive later stay blocked.
  ~SignalThread();

  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  void run(int signal_fd);

  Handler handler_;
  int stop_fd_;
  std::thread thread_;
};

}  // namespace gondolin::cli
