#include "cli/image_progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include <fmt/format.h>

namespace gondolin::cli {
namespace {

constexpr int kWatched[] = {SIGINT, SIGTERM, SIGHUP};

// Only a signal handler needs state that is not an object's.
volatile std::sig_atomic_t interrupted_by = 0;

void remember_interrupt(int signal) {
  interrupted_by = signal;
}

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

ImageProgressPrinter::ImageProgressPrinter() : terminal_(::isatty(STDERR_FILENO) == 1) {}

ImageProgressPrinter::~ImageProgressPrinter() {
  if (terminal_ && !stage_.empty()) fmt::print(stderr, "\n");
}

ImageProgressSink ImageProgressPrinter::sink() {
  return [this](const ImageProgress& progress) { show(progress); };
}

void ImageProgressPrinter::finish() {
  end_stage();
}

void ImageProgressPrinter::show(const ImageProgress& progress) {
  if (progress.kind == ImageProgress::Kind::kStage) {
    end_stage();
    stage_ = progress.text;
    started_ = Clock::now();
    if (!terminal_) fmt::print(stderr, "{}\n", stage_);
  }
  if (terminal_) redraw(progress.kind == ImageProgress::Kind::kDetail ? progress.text : "");
}

void ImageProgressPrinter::redraw(const std::string& detail) const {
  std::string line = detail.empty() ? stage_ + " …" : stage_ + " … " + detail;
  // The ellipsis is three bytes and one column.
  line.resize(std::min(line.size(), terminal_width() + 1));
  fmt::print(stderr, "\r\x1b[K{}", line);
  std::fflush(stderr);
}

void ImageProgressPrinter::end_stage() {
  if (terminal_ && !stage_.empty()) {
    const std::chrono::duration<double> taken = Clock::now() - started_;
    fmt::print(stderr, "\r\x1b[K{} ({:.1f} s)\n", stage_, taken.count());
  }
  stage_.clear();
}

InterruptWatch::InterruptWatch() {
  interrupted_by = 0;
  struct sigaction action{};
  action.sa_handler = remember_interrupt;
  for (std::size_t i = 0; i < std::size(kWatched); ++i)
    ::sigaction(kWatched[i], &action, &previous_[i]);
}

InterruptWatch::~InterruptWatch() {
  for (std::size_t i = 0; i < std::size(kWatched); ++i)
    ::sigaction(kWatched[i], &previous_[i], nullptr);
}

int InterruptWatch::signal() const {
  return interrupted_by;
}

}  // namespace gondolin::cli
