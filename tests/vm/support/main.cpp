#include <gtest/gtest.h>

#include "support/shared_vm.hpp"
#include "support/template_directory.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  gondolin::test::TemplateDirectory templates;
  int status = RUN_ALL_TESTS();
  gondolin::test::close_shared_vm();
  return status;
}
