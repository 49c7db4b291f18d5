#include "guest/sandboxd/file_workers.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <vector>

#include "base/check.hpp"

namespace gondolin::guest {
namespace {

using Descriptor = FileWorker::Descriptor;

// The upper half of a tag is this plus the descriptor, the lower half the handle.
// Programs' descriptors have smaller numbers.
constexpr std::uint32_t kFirstTag = 16;

std::uint64_t tag_of(Descriptor descriptor, std::uint32_t handle) {
  return std::uint64_t{kFirstTag + static_cast<std::uint32_t>(descriptor)} << 32 | handle;
}

std::uint32_t value_of(wire::StreamId id) {
  return static_cast<std::uint32_t>(id);
}

}  // namespace

void FileWorkers::open(wire::StreamId stream) {
  auto child = FileWorker::start();
  if (!child) return mux_.refuse(stream, static_cast<std::uint32_t>(child.error().os_error));
  mux_.accept(stream);
  const std::uint32_t handle = ++last_handle_;
  auto worker = std::make_unique<FileWorker>(mux_, stream, std::move(*child));
  for (Descriptor descriptor : {Descriptor::kPidfd, Descriptor::kInput, Descriptor::kOutput}) {
    auto added = epoll_.add(worker->fd(descriptor), EPOLLIN | EPOLLOUT | EPOLLET,
                            tag_of(descriptor, handle));
    GONDOLIN_CHECK(added.has_value());
  }
  workers_.emplace(handle, std::move(worker));
  handles_[value_of(stream)] = handle;
}

bool FileWorkers::owns(wire::StreamId stream) const {
  return handles_.contains(value_of(stream));
}

void FileWorkers::on_stream_event(const wire::MuxEvent& event) {
  const std::uint32_t handle = handles_.at(value_of(event.stream));
  workers_.at(handle)->on_stream_event(event);
  look_after(handle);
}

bool FileWorkers::owns(std::uint64_t tag) {
  return tag >> 32 >= kFirstTag;
}

void FileWorkers::on_descriptor_event(std::uint64_t tag) {
  // It may have gone since epoll looked.
  const auto handle = static_cast<std::uint32_t>(tag);
  auto found = workers_.find(handle);
  if (found == workers_.end()) return;
  found->second->on_descriptor_event(static_cast<Descriptor>((tag >> 32) - kFirstTag));
  look_after(handle);
}

void FileWorkers::drop_all() {
  handles_.clear();
  for (auto& [handle, worker] : workers_)
    worker->abandon();
  std::erase_if(workers_, [](const auto& entry) { return entry.second->over(); });
}

// The stream's id may be the next one's, the process may have to be waited for still.
void FileWorkers::look_after(std::uint32_t handle) {
  auto found = workers_.find(handle);
  if (!found->second->has_stream()) {
    std::erase_if(handles_, [&](const auto& entry) { return entry.second == handle; });
  }
  if (found->second->over()) workers_.erase(found);
}

std::optional<FileWorkers::Clock::time_point> FileWorkers::next_deadline() const {
  std::optional<Clock::time_point> next;
  for (const auto& [handle, worker] : workers_) {
    auto deadline = worker->deadline();
    if (deadline && (!next || *deadline < *next)) next = deadline;
  }
  return next;
}

void FileWorkers::meet_deadlines(Clock::time_point now) {
  for (auto& [handle, worker] : workers_) {
    if (worker->deadline() && *worker->deadline() <= now) worker->on_deadline();
  }
}

}  // namespace gondolin::guest
