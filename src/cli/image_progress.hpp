// How a build of an image shows on stderr, and how Ctrl-C ends it; for every
// command that may have to build one.
#pragma once

#include <chrono>
#include <csignal>
#include <string>

#include "gondolin/image.hpp"

namespace gondolin::cli {

// Prints a line for each stage. On a terminal the running stage also shows where
// it is and is completed with the time it took; otherwise nothing else is printed.
class ImageProgressPrinter {
 public:
  ImageProgressPrinter();
  // Ends a line that is still open.
  ~ImageProgressPrinter();
  ImageProgressPrinter(const ImageProgressPrinter&) = delete;
  ImageProgressPrinter& operator=(const ImageProgressPrinter&) = delete;

  // Refers to this object.
  [[nodiscard]] ImageProgressSink sink();

  // The build is done: completes its last stage.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  void show(const ImageProgress& progress);
  void redraw(const std::string& detail) const;
  void end_stage();

  bool terminal_;
  std::string stage_;  // empty: none is running
  Clock::time_point started_;
};

// While this lives, SIGINT, SIGTERM and SIGHUP do not end the process but are
// remembered, so that a build can put away what it has begun. One at a time.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  // The signal that came, the last one if several did; 0 if none.
  [[nodiscard]] int signal() const;

 private:
  struct sigaction previous_[3];
};

}  // namespace gondolin::cli
