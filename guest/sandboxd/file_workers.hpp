// All requests about files that are being served. See file_worker.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "guest/common/epoll.hpp"
#include "guest/sandboxd/file_worker.hpp"
#include "wire/mux.hpp"

namespace gondolin::guest {

class FileWorkers {
 public:
  using Clock = FileWorker::Clock;

  // Both must outlive this. The tags of its descriptors are those of which owns() is true.
  FileWorkers(wire::Mux& mux, Epoll& epoll) : mux_(mux), epoll_(epoll) {}
  FileWorkers(const FileWorkers&) = delete;
  FileWorkers& operator=(const FileWorkers&) = delete;

  // Accepts a files stream, or refuses it when no process can be made for it.
  void open(wire::StreamId stream);
  [[nodiscard]] bool owns(wire::StreamId stream) const;
  void on_stream_event(const wire::MuxEvent& event);

  [[nodiscard]] static bool owns(std::uint64_t tag);
  void on_descriptor_event(std::uint64_t tag);

  // Every stream is gone, with the port.
  void drop_all();

  [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;
  void meet_deadlines(Clock::time_point now);

 private:
  void look_after(std::uint32_t handle);

  wire::Mux& mux_;
  Epoll& epoll_;
  std::uint32_t last_handle_ = 0;
  std::unordered_map<std::uint32_t, std::unique_ptr<FileWorker>> workers_;  // by handle
  std::unordered_map<std::uint32_t, std::uint32_t> handles_;                // by stream id
};

}  // namespace gondolin::guest
