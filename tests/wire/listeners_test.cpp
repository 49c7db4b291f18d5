// The listeners file: its grammar, and that the gateway follows every way to
// change it, at once and without dropping anybody.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

std::string port_of(const FakeBackend& backend) {
  return std::to_string(backend.port());
}

// Which of the test's two backends GET `target` reaches: "a", "b", "404" or "502".
class Bench {
 public:
  explicit Bench(const std::optional<std::string>& table) : own(table) {}

  std::string route(std::string_view target) {
    Connection client = own.gateway.connect();
    client.send(get(target));
    if (!eventually([&] {
          if (auto peer = a.accept_pending()) {
            answer(*peer, "a");
          } else if (auto other = b.accept_pending()) {
            answer(*other, "b");
          }
          return client.readable();
        })) {
      return "silence";
    }
    const Response response = receive_response(client);
    return response.status == 200 ? response.body : std::to_string(response.status);
  }

  // Waits until GET `target` reaches `where`.
  bool becomes(std::string_view target, std::string_view where) {
    return eventually([&] { return route(target) == where; });
  }

  // Whether GET `target` reaches `where`, and nothing else, for `time`.
  bool stays(std::string_view target, std::string_view where, milliseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < until) {
      if (route(target) != where) return false;
    }
    return true;
  }

  // The table of one line that sends `prefix` to `backend`.
  [[nodiscard]] std::string line(std::string_view prefix, const FakeBackend& backend,
                                 std::string_view options = "") const {
    return std::string(prefix) + " :" + port_of(backend) + std::string(options) + "\n";
  }

  FakeBackend a;
  FakeBackend b;
  OwnGateway own;
  Head last_head;  // of the request answered last

 private:
  void answer(Connection& peer, std::string_view name) {
    last_head = receive_head(peer);
    peer.send(ok(name));
  }
};

// A table and where its requests go. %A and %B stand for the two ports.
struct TableRow {
  std::string name;
  std::string source;
  std::string table;
  std::vector<std::pair<std::string, std::string>> routes;
};

std::string with_ports(std::string table, const Bench& bench) {
  for (const auto& [mark, port] : {std::pair("%A"s, port_of(bench.a)), {"%B"s, port_of(bench.b)}}) {
    for (std::size_t at = table.find(mark); at != std::string::npos; at = table.find(mark)) {
      table.replace(at, mark.size(), port);
    }
  }
  return table;
}

const std::string kGrammar = "contract: the listeners file";

const std::vector<TableRow> kTables = {
    {"OneLineIsARoute", kGrammar, "/ :%A\n", {{"/x", "a"}}},
    {"LastLineNeedsNoNewline", kGrammar, "/ :%A", {{"/x", "a"}}},
    {"SpacesAndTabsSeparate", kGrammar, " \t/api \t  :%A\t \n", {{"/api/x", "a"}, {"/x", "404"}}},
    {"BlankLinesAreFine", kGrammar, "\n\n  \n/ :%A\n\n", {{"/x", "a"}}},
    {"CarriageReturnsAreFine", kGrammar, "/ :%A\r\n/b :%B\r\n", {{"/x", "a"}, {"/b", "b"}}},
    {"CommentLinesAreIgnored", kGrammar, "# / :%B\n/ :%A\n  # /b :%B\n", {{"/b", "a"}}},
    {"CommentBehindARouteIsIgnored",
     kGrammar,
     "/ :%A # strip_prefix=false /b :%B\n",
     {{"/b", "a"}}},
    {"CommentTouchingThePortIsIgnored", kGrammar, "/ :%A#x\n", {{"/x", "a"}}},
    {"NulBytesAreIgnored", kGrammar, "/\0 :%A\0\n\0"s, {{"/x", "a"}}},
    {"TrailingSlashOfAPrefixIsDropped", kGrammar, "/api/ :%A\n", {{"/api", "a"}, {"/api/x", "a"}}},
    {"FirstOfTwoEqualPrefixesWins",
     "contract: same prefix twice: the first wins",
     "/x :%A\n/x :%B\n",
     {{"/x", "a"}}},
    {"PrefixesEqualButForTheSlashAreTheSame",
     "contract: same prefix twice: the first wins",
     "/x/ :%B\n/x :%A\n",
     {{"/x", "b"}}},
    {"OrderDoesNotMatterForLength",
     "contract: longest matching prefix wins",
     "/a/b :%B\n/ :%A\n/a :%A\n",
     {{"/a/b/c", "b"}, {"/a/c", "a"}, {"/", "a"}}},
    {"UnknownOptionsAreIgnored",
     "contract: unknown key=value options are ignored",
     "/ :%A color=red timeout=5 x=\n",
     {{"/x", "a"}}},
    {"StripPrefixTrueIsTheDefault", kGrammar, "/api :%A strip_prefix=true\n", {{"/api/x", "a"}}},
    {"OptionsMayStandInAnyOrder",
     kGrammar,
     "/api :%A x=1 strip_prefix=false y=2\n",
     {{"/api/x", "a"}}},
    {"EmptyFileHasNoRoutes", kGrammar, "", {{"/", "404"}}},
    {"FileOfCommentsHasNoRoutes", kGrammar, "# nothing\n", {{"/", "404"}}},
    {"PrefixMayHoldEncodedBytes", kGrammar, "/a%20b :%A\n", {{"/a%20b/x", "a"}, {"/a", "404"}}},
    {"PrefixMayHoldPunctuation", kGrammar, "/@vite/~x;y=z,! :%A\n", {{"/@vite/~x;y=z,!/m", "a"}}},
};

void expect_table(const TableRow& row) {
  Bench bench("");
  bench.own.listeners.rewrite(with_ports(row.table, bench));
  for (const auto& [target, where] : row.routes) {
    EXPECT_TRUE(bench.becomes(target, where)) << target << " goes to " << bench.route(target);
  }
}

// A table that must be rejected whole: the routes before it stay.
struct BadTableRow {
  std::string name;
  std::string source;
  std::string table;
};

const std::string kWhole = "contract: a file with any bad line is rejected whole";

const std::vector<BadTableRow> kBadTables = {
    {"PrefixWithoutSlashIsRejected", kWhole, "api :%B\n"},
    {"MissingPortIsRejected", kWhole, "/\n"},
    {"PortWithoutColonIsRejected", kWhole, "/ %B\n"},
    {"ColonWithoutPortIsRejected", kWhole, "/ :\n"},
    {"PortZeroIsRejected", kWhole, "/ :0\n"},
    {"Port65536IsRejected", kWhole, "/ :65536\n"},
    {"NegativePortIsRejected", kWhole, "/ :-1\n"},
    {"PortWithASignIsRejected", kWhole, "/ :+80\n"},
    {"PortWithATailIsRejected", kWhole, "/ :80x\n"},
    {"HexPortIsRejected", kWhole, "/ :0x50\n"},
    {"PortOfTwentyDigitsIsRejected", kWhole, "/ :00000000000000000080000\n"},
    {"HostBeforeThePortIsRejected", kWhole, "/ 127.0.0.1:%B\n"},
    {"QuestionMarkInAPrefixIsRejected", kWhole, "/a?b :%B\n"},
    {"ControlByteInAPrefixIsRejected", kWhole, "/a\x01 :%B\n"},
    {"WordBehindThePortIsRejected", kWhole, "/ :%B strip_prefix\n"},
    {"BadStripPrefixIsRejected", kWhole, "/ :%B strip_prefix=maybe\n"},
    {"OneBadLineRejectsTheGoodOnes", kWhole, "/ :%B\n/x :%B\nnonsense\n"},
    {"ShellErrorAsATableIsRejected", kWhole, "bash: no such file\n"},
};

void expect_bad_table(const BadTableRow& row) {
  Bench bench("");
  bench.own.listeners.rewrite(bench.line("/", bench.a));
  ASSERT_TRUE(bench.becomes("/", "a"));
  bench.own.listeners.rewrite(with_ports(row.table, bench));
  // Nothing marks that a bad file was read: watch the table for longer than a
  // reload may take.
  ASSERT_TRUE(bench.stays("/", "a", milliseconds(150)));
  bench.own.listeners.rewrite(bench.line("/", bench.b));
  EXPECT_TRUE(bench.becomes("/", "b")) << "a good file after a bad one is taken";
}

WIRE_ROWS(ListenersFileGrammar, kTables, expect_table);
WIRE_ROWS(ListenersFileGrammar, kBadTables, expect_bad_table);

WIRE_TEST(ListenersFileGrammar, UnstrippedRouteForwardsThePrefix, "contract: strip_prefix=false") {
  Bench bench("");
  bench.own.listeners.rewrite(bench.line("/api", bench.a, " strip_prefix=false"));
  ASSERT_TRUE(bench.becomes("/api/x", "a"));
  EXPECT_EQ(bench.last_head.start_line, "GET /api/x HTTP/1.1");
}

WIRE_TEST(ListenersReload, FileThatIsMissingAtTheStartMeansNoRoutes, "contract: a missing file") {
  Bench bench(std::nullopt);
  EXPECT_EQ(bench.route("/"), "404");
  bench.own.listeners.rewrite(bench.line("/", bench.a));
  EXPECT_TRUE(bench.becomes("/", "a"));
}

WIRE_TEST(ListenersReload, EveryWayToWriteIsSeen,
          "contract: reloads after a close, rename, unlink or truncate") {
  Bench bench("");
  bench.own.listeners.rewrite(bench.line("/", bench.a));  // echo >
  ASSERT_TRUE(bench.becomes("/", "a"));
  bench.own.listeners.append(bench.line("/more", bench.b));  // echo >>
  ASSERT_TRUE(bench.becomes("/more", "b"));
  bench.own.listeners.replace(bench.line("/", bench.b));  // mv, sed -i, vim
  ASSERT_TRUE(bench.becomes("/", "b"));
  bench.own.listeners.replace(bench.line("/", bench.a));  // and again, on the new inode
  ASSERT_TRUE(bench.becomes("/", "a"));
  bench.own.listeners.rewrite(bench.line("/", bench.b));
  ASSERT_TRUE(bench.becomes("/", "b"));
  ASSERT_EQ(::truncate(bench.own.listeners.path().c_str(), 0), 0);
  ASSERT_TRUE(bench.becomes("/", "404"));
  bench.own.listeners.rewrite(bench.line("/", bench.a));
  ASSERT_TRUE(bench.becomes("/", "a"));
  bench.own.listeners.remove();
  ASSERT_TRUE(bench.becomes("/", "404"));
  bench.own.listeners.rewrite(bench.line("/", bench.b));
  ASSERT_TRUE(bench.becomes("/", "b"));
}

WIRE_TEST(ListenersReload, EditorThatMovesTheOldFileAwayIsFollowed,
          "contract: reloads after a rename") {
  Bench bench("");
  bench.own.listeners.rewrite(bench.line("/", bench.a));
  ASSERT_TRUE(bench.becomes("/", "a"));
  std::filesystem::rename(bench.own.listeners.path(), bench.own.listeners.beside("listeners~"));
  bench.own.listeners.rewrite(bench.line("/", bench.b));
  EXPECT_TRUE(bench.becomes("/", "b"));
}

WIRE_TEST(ListenersReload, SymbolicLinkIsFollowed, "contract: watches FILE") {
  Bench bench(std::nullopt);
  const auto real = bench.own.listeners.beside("real");
  std::ofstream(real) << bench.line("/", bench.a);
  std::filesystem::create_symlink(real, bench.own.listeners.path());
  EXPECT_TRUE(bench.becomes("/", "a"));
  std::ofstream(real) << bench.line("/", bench.b);
  EXPECT_TRUE(bench.becomes("/", "b"));
}

WIRE_TEST(ListenersReload, MountedConfigurationThatIsSwappedIsFollowed, "contract: containers") {
  Bench bench(std::nullopt);
  for (const auto& [version, backend] : {std::pair("..1", &bench.a), {"..2", &bench.b}}) {
    std::filesystem::create_directory(bench.own.listeners.beside(version));
    std::ofstream(bench.own.listeners.beside(version) / "listeners") << bench.line("/", *backend);
  }
  std::filesystem::create_directory_symlink("..1", bench.own.listeners.beside("..data"));
  std::filesystem::create_symlink("..data/listeners", bench.own.listeners.path());
  EXPECT_TRUE(bench.becomes("/", "a"));
  std::filesystem::create_directory_symlink("..2", bench.own.listeners.beside("..next"));
  std::filesystem::rename(bench.own.listeners.beside("..next"),
                          bench.own.listeners.beside("..data"));
  EXPECT_TRUE(bench.becomes("/", "b"));
}

WIRE_TEST(ListenersReload, ChangeIsSeenWithin100Milliseconds, "contract: within 100 ms") {
  Bench bench("");
  // The machine may be busy: the best of five counts.
  auto best = milliseconds(10'000);
  for (int i = 0; i < 5; ++i) {
    const bool to_a = i % 2 == 0;
    bench.own.listeners.rewrite(bench.line("/", to_a ? bench.a : bench.b));
    const auto start = std::chrono::steady_clock::now();
    ASSERT_TRUE(bench.becomes("/", to_a ? "a" : "b"));
    best = std::min(
        best, std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start));
  }
  EXPECT_LE(best, milliseconds(100));
}

WIRE_TEST(ListenersReload, BurstOfRewritesEndsInTheLastState,
          "contract: a burst ends in the last state") {
  Bench bench("");
  for (int i = 0; i < 300; ++i) {
    bench.own.listeners.rewrite(bench.line("/", i % 2 == 0 ? bench.a : bench.b));
  }
  EXPECT_TRUE(bench.becomes("/", "b"));
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(bench.route("/"), "b");
}

WIRE_TEST(ListenersReload, HalfWrittenFileIsNeverServed,
          "contract: a half-written file is never served") {
  Bench bench("");
  bench.own.listeners.rewrite(bench.line("/", bench.a));
  ASSERT_TRUE(bench.becomes("/", "a"));
  {
    std::ofstream file(bench.own.listeners.path(), std::ios::app);
    file << "/half :" << bench.b.port() << "\n" << std::flush;
    ASSERT_TRUE(bench.stays("/half", "a", milliseconds(200)));
    file << "/other :" << bench.b.port() << "\n";
  }
  EXPECT_TRUE(bench.becomes("/half", "b"));
  EXPECT_EQ(bench.route("/other"), "b");
}

WIRE_TEST(ListenersReload, TruncatedFileIsNotServedWhileItIsWritten,
          "contract: a half-written file is never served") {
  Bench bench("");
  bench.own.listeners.rewrite(bench.line("/", bench.a));
  ASSERT_TRUE(bench.becomes("/", "a"));
  {
    std::ofstream file(bench.own.listeners.path(), std::ios::trunc);
    file << "/ :" << bench.b.port() << std::flush;
    ASSERT_TRUE(bench.stays("/", "a", milliseconds(200)));
    file << "\n";
  }
  EXPECT_TRUE(bench.becomes("/", "b"));
}

WIRE_TEST(ListenersReload, RewritesWithoutAPauseNeverShowThemselves,
          "contract: a burst ends in the last state; a half-written file is never served") {
  Bench bench("");
  const std::string whole = bench.line("/", bench.a);
  bench.own.listeners.rewrite(whole);
  ASSERT_TRUE(bench.becomes("/", "a"));
  std::jthread writer([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::ofstream file(bench.own.listeners.path(), std::ios::trunc);
      file << whole << std::flush << "/other :1\n";
    }
  });
  for (int i = 0; i < 300; ++i)
    ASSERT_EQ(bench.route("/"), "a") << bench.own.gateway.stderr_text();
  writer.request_stop();
  writer.join();
  bench.own.listeners.rewrite(bench.line("/", bench.b));
  EXPECT_TRUE(bench.becomes("/", "b"));
}

WIRE_TEST(ListenersReload, RequestsUnderWayKeepTheirBackend, "contract: no dropped connection") {
  Bench bench("");
  bench.own.listeners.rewrite(bench.line("/", bench.a));
  ASSERT_TRUE(bench.becomes("/", "a"));
  Connection client = bench.own.gateway.connect();
  client.send(get("/stream"));
  Connection peer = bench.a.accept();
  static_cast<void>(receive_head(peer));
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
  static_cast<void>(receive_head(client));
  client.expect("ab");
  bench.own.listeners.rewrite(bench.line("/", bench.b));
  ASSERT_TRUE(bench.becomes("/", "b"));
  peer.send("cd");
  client.expect("cd");
}

WIRE_TEST(ListenersReload, IdleConnectionUsesTheNewTable, "contract: no dropped connection") {
  Bench bench("");
  bench.own.listeners.rewrite(bench.line("/", bench.a));
  ASSERT_TRUE(bench.becomes("/", "a"));
  Connection client = bench.own.gateway.connect();
  client.send(get("/"));
  Connection peer = bench.a.accept();
  static_cast<void>(receive_head(peer));
  peer.send(ok("one"));
  EXPECT_EQ(receive_response(client).body, "one");
  bench.own.listeners.rewrite(bench.line("/", bench.b));
  ASSERT_TRUE(bench.becomes("/", "b"));
  client.send(get("/"));
  Connection next = bench.b.accept();
  static_cast<void>(receive_head(next));
  next.send(ok("two"));
  EXPECT_EQ(receive_response(client).body, "two");
}

WIRE_TEST(ListenersReload, FileOver64KiBIsNotTaken, "contract: over 64 KiB the table stays") {
  Bench bench("");
  bench.own.listeners.rewrite(bench.line("/", bench.a));
  ASSERT_TRUE(bench.becomes("/", "a"));
  bench.own.listeners.rewrite(bench.line("/", bench.b) + "# " + std::string(70'000, 'x') + "\n");
  ASSERT_TRUE(bench.stays("/", "a", milliseconds(150)));
}

WIRE_TEST(ListenersReload, DirectoryInPlaceOfTheFileIsSurvived,
          "contract: the last good table stays or none") {
  Bench bench("");
  bench.own.listeners.rewrite(bench.line("/", bench.a));
  ASSERT_TRUE(bench.becomes("/", "a"));
  bench.own.listeners.remove();
  std::filesystem::create_directory(bench.own.listeners.path());
  const std::string where = bench.route("/");
  EXPECT_TRUE(where == "404" || where == "a") << where;
  std::filesystem::remove(bench.own.listeners.path());
  bench.own.listeners.rewrite(bench.line("/", bench.b));
  EXPECT_TRUE(bench.becomes("/", "b"));
}

WIRE_TEST(ListenersReload, CommentsAndUnknownOptionsSurvive,
          "peers: rewriting deletes comments and options") {
  Bench bench("");
  const std::string text =
      "# my dev server\n\n/ :" + port_of(bench.a) + " color=red # do not touch\n# the end\n";
  bench.own.listeners.rewrite(text);
  ASSERT_TRUE(bench.becomes("/", "a"));
  const std::string after = bench.own.listeners.read();
  for (const std::string_view kept :
       {"# my dev server", "color=red", "# do not touch", "# the end"}) {
    EXPECT_NE(after.find(kept), std::string::npos) << kept;
  }
}

WIRE_TEST(ListenersReload, BadFileIsReportedWithItsLine,
          "contract: errors name the line and the reason") {
  GatewayOptions options;
  options.environment["GONDOLIN_DEBUG"] = "ingress";
  OwnGateway own("# one\n\n/x :80x\n", options);
  EXPECT_TRUE(eventually([&] {
    return own.gateway.stderr_text().find("line 3: invalid port ':80x' (1-65535)") !=
           std::string::npos;
  })) << own.gateway.stderr_text();
}

WIRE_TEST(ListenersReload, SamePrefixTwiceIsReportedWithBothLines,
          "contract: a warning that names both lines") {
  GatewayOptions options;
  options.environment["GONDOLIN_DEBUG"] = "ingress";
  OwnGateway own("/x :80\n# two\n/x/ :81\n", options);
  EXPECT_TRUE(eventually([&] {
    const std::string log = own.gateway.stderr_text();
    return log.find("line 3") != std::string::npos && log.find("line 1") != std::string::npos;
  })) << own.gateway.stderr_text();
}

}  // namespace
}  // namespace gondolin::wiretest
