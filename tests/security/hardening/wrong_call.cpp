// Calls functions through pointers, compiled as `gondolin` is: one of the pointer's type, which
// says "right", and one of another type, which must never say "wrong".
#include <cstdio>

namespace {

using Function = void (*)(int);

void right(int) {
  std::puts("right");
  std::fflush(stdout);
}

void wrong(const char*) {
  std::puts("wrong");
  std::fflush(stdout);
}

// Where the optimizer does not see which function is called.
Function volatile called;

}  // namespace

int main() {
  called = right;
  called(1);
  called = reinterpret_cast<Function>(reinterpret_cast<void*>(wrong));
  called(2);
}
