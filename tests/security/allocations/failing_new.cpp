// operator new of this program: counts, and fails when it is told to.

#include "failing_new.hpp"

#include <cstdlib>
#include <new>
#include <utility>

namespace gondolin::test {
namespace {

thread_local bool armed = false;
thread_local std::size_t left = 0;
thread_local std::size_t taken = 0;
thread_local long live = 0;

void* take(std::size_t size) {
  if (armed && left-- == 0) {
    armed = false;
    throw std::bad_alloc();
  }
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  ++taken;
  ++live;
  return memory;
}

void give_back(void* memory) {
  if (memory != nullptr) --live;
  std::free(memory);
}

}  // namespace

void fail_after(std::size_t allocations) {
  armed = true;
  left = allocations;
}
bool stop_failing() {
  return !std::exchange(armed, false);
}
std::size_t allocations_taken() {
  return taken;
}
long allocations_live() {
  return live;
}

}  // namespace gondolin::test

void* operator new(std::size_t size) {
  return gondolin::test::take(size);
}
void* operator new[](std::size_t size) {
  return gondolin::test::take(size);
}
void operator delete(void* memory) noexcept {
  gondolin::test::give_back(memory);
}
void operator delete[](void* memory) noexcept {
  gondolin::test::give_back(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  gondolin::test::give_back(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  gondolin::test::give_back(memory);
}
