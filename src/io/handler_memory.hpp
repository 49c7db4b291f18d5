// Memory for one pending operation of an event loop, taken once: what waits again and again
// cannot fail to for want of memory.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace gondolin {

// One block, which one operation has at a time; another one beside it, or a larger one, gets
// memory as ever.
class HandlerMemory {
 public:
  HandlerMemory() = default;
  HandlerMemory(const HandlerMemory&) = delete;
  HandlerMemory& operator=(const HandlerMemory&) = delete;

  [[nodiscard]] void* take(std::size_t size) {
    if (taken_ || size > sizeof block_) return ::operator new(size);
    taken_ = true;
    return block_;
  }
  void give_back(void* memory) {
    if (memory == block_) {
      taken_ = false;
    } else {
      ::operator delete(memory);
    }
  }

 private:
  alignas(std::max_align_t) std::byte block_[512];
  bool taken_ = false;
};

// For asio::bind_allocator(). Keeps the memory alive, so that an operation may outlive whoever
// began it.
template <typename T = void>
class HandlerAllocator {
 public:
  using value_type = T;

  explicit HandlerAllocator(std::shared_ptr<HandlerMemory> memory) : memory_(std::move(memory)) {}
  template <typename Other>
  HandlerAllocator(const HandlerAllocator<Other>& other) noexcept : memory_(other.memory()) {}

  [[nodiscard]] T* allocate(std::size_t count) const {
    return static_cast<T*>(memory_->take(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t) const { memory_->give_back(memory); }

  [[nodiscard]] const std::shared_ptr<HandlerMemory>& memory() const { return memory_; }
  template <typename Other>
  bool operator==(const HandlerAllocator<Other>& other) const {
    return memory_ == other.memory();
  }

 private:
  std::shared_ptr<HandlerMemory> memory_;
};

}  // namespace gondolin
