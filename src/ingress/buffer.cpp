#include "ingress/buffer.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace gondolin::ingress {

void Buffer::commit(std::size_t n) {
  GONDOLIN_CHECK(n <= capacity_ - end_);
  end_ += n;
  if (end_ == capacity_) filled_ = true;
}

void Buffer::make_room() {
  if (filled_ && capacity_ < limit_) {
    reallocate(std::min(limit_, capacity_ * kGrowth));
  } else if (capacity_ == 0) {
    reallocate(std::min(limit_, kFirst));
  } else if (begin_ > 0) {
    std::memmove(memory_.get(), memory_.get() + begin_, size());
    end_ -= begin_;
    begin_ = 0;
  }
  filled_ = false;
}

void Buffer::clear() {
  begin_ = end_ = 0;
  filled_ = false;
  if (capacity_ > kFirst) release();
}

void Buffer::release() {
  if (!empty()) return;
  memory_.reset();
  capacity_ = begin_ = end_ = 0;
  filled_ = false;
}

void Buffer::reallocate(std::size_t capacity) {
  auto memory = std::make_unique_for_overwrite<char[]>(capacity);
  if (!empty()) std::memcpy(memory.get(), memory_.get() + begin_, size());
  end_ -= begin_;
  begin_ = 0;
  capacity_ = capacity;
  memory_ = std::move(memory);
}

}  // namespace gondolin::ingress
