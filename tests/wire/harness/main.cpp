// Runs the wire tests; with --conformance it prints the rows of
// docs/http-conformance.md instead: "suite <tab> name <tab> source", by suite.
#include <cstdio>
#include <map>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "harness/wire_test.hpp"

namespace {

using gondolin::wiretest::ConformanceEntry;

void print_conformance() {
  std::map<std::string, std::vector<ConformanceEntry>> suites;
  for (const ConformanceEntry& entry : gondolin::wiretest::conformance_entries()) {
    suites[entry.suite].push_back(entry);
  }
  for (const auto& [suite, entries] : suites) {
    for (const ConformanceEntry& entry : entries) {
      std::printf("%s\t%s\t%s\n", suite.c_str(), entry.name.c_str(), entry.source.c_str());
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--conformance") {
    print_conformance();
    return 0;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
