#include <gtest/gtest.h>

#include "support/shared_vm.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  int status = RUN_ALL_TESTS();
  gondolin::test::close_shared_vm();
  return status;
}
