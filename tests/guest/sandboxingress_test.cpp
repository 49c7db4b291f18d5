// sandboxingress, driven over a socket by the streams the host opens, against TCP
// servers on this machine's loopback.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest/common/program.hpp"
#include "guest/host_end.hpp"

namespace gondolin::guest {
namespace {

ByteBuffer target(std::uint16_t port) {
  return {static_cast<std::byte>(port & 0xff), static_cast<std::byte>(port >> 8)};
}

// A TCP listener on loopback, driven by hand. Every call has a deadline.
class Server {
 public:
  explicit Server(int family = AF_INET) : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    auto* address =
        family == AF_INET ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
    socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
    bound_ = ::bind(fd_.get(), address, size) == 0 && ::listen(fd_.get(), 4096) == 0;
    ::getsockname(fd_.get(), address, &size);
    port_ = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
  }

  [[nodiscard]] bool bound() const { return bound_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  void stop() { fd_.reset(); }

  UniqueFd accept() {
    pollfd poll{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&poll, 1, 20000) != 1) return UniqueFd();
    return UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  UniqueFd fd_;
  bool bound_ = false;
  std::uint16_t port_ = 0;
};

class SandboxIngress : public testing::Test {
 protected:
  // Reads from the socket, driving the host's end meanwhile, until `size` bytes, the
  // end or an error, which is appended as text.
  std::string read(const UniqueFd& socket, std::size_t size) {
    std::string all;
    bool done = host_.wait([&] {
      std::array<char, 65536> buffer;
      ssize_t count = ::recv(socket.get(), buffer.data(),
                             std::min(buffer.size(), size - all.size()), MSG_DONTWAIT);
      if (count > 0) all.append(buffer.data(), static_cast<std::size_t>(count));
      if (count == 0) all += "<end>";
      if (count < 0 && errno != EAGAIN) all += errno == ECONNRESET ? "<reset>" : "<error>";
      return all.size() >= size || count == 0 || (count < 0 && errno != EAGAIN);
    });
    return done ? all : all + "<timeout>";
  }
  static void send(const UniqueFd& socket, std::string_view bytes) {
    EXPECT_EQ(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  static void reset(UniqueFd& socket) {
    linger abort{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    socket.reset();
  }

  HostEnd host_{SANDBOXINGRESS};
  Server server_;
};

TEST_F(SandboxIngress, EarlyBytesReachTheServerAndItsAnswerComesBack) {
  auto stream = host_.open(target(server_.port()), "request");
  host_.step();
  auto socket = server_.accept();
  EXPECT_EQ(read(socket, 7), "request");
  send(socket, "response");
  socket.reset();
  EXPECT_TRUE(host_.wait_end(stream));
  EXPECT_EQ(host_[stream].opened, 0U);
  EXPECT_EQ(host_[stream].received, "response");
  EXPECT_TRUE(host_[stream].ended);
}

TEST_F(SandboxIngress, TellsThatNothingListens) {
  std::uint16_t port = server_.port();
  server_.stop();
  auto stream = host_.open(target(port), "request");
  EXPECT_TRUE(host_.wait_end(stream));
  EXPECT_EQ(host_[stream].opened, static_cast<std::uint32_t>(ECONNREFUSED));
}

TEST_F(SandboxIngress, FindsAServerOnTheIpv6LoopbackOnly) {
  Server v6(AF_INET6);
  if (!v6.bound()) GTEST_SKIP() << "this machine has no IPv6 loopback";
  auto stream = host_.open(target(v6.port()), "hello");
  EXPECT_TRUE(host_.wait([&] { return host_[stream].opened.has_value(); }));
  EXPECT_EQ(host_[stream].opened, 0U);
  auto socket = v6.accept();
  EXPECT_EQ(read(socket, 5), "hello");
}

TEST_F(SandboxIngress, RefusesTargetsThatAreNoPort) {
  auto zero = host_.open(target(0));
  auto longer = host_.open(as_bytes("abc"));
  EXPECT_TRUE(host_.wait_end(zero) && host_.wait_end(longer));
  EXPECT_EQ(host_[zero].opened, static_cast<std::uint32_t>(EINVAL));
  EXPECT_EQ(host_[longer].opened, static_cast<std::uint32_t>(EINVAL));
}

TEST_F(SandboxIngress, AServerMaySpeakFirst) {
  auto stream = host_.open(target(server_.port()));
  EXPECT_TRUE(host_.wait([&] { return host_[stream].opened.has_value(); }));
  auto socket = server_.accept();
  send(socket, "220 hello");
  EXPECT_TRUE(host_.wait([&] { return host_[stream].received == "220 hello"; }));
}

TEST_F(SandboxIngress, HalfClosesPassBothWays) {
  auto stream = host_.open(target(server_.port()), "last words");
  host_.finish(stream);
  host_.step();
  auto socket = server_.accept();
  EXPECT_EQ(read(socket, 100), "last words<end>");
  send(socket, "still here");
  ::shutdown(socket.get(), SHUT_WR);
  EXPECT_TRUE(host_.wait([&] { return host_[stream].ended; }));
  EXPECT_EQ(host_[stream].received, "still here");
  EXPECT_FALSE(host_[stream].reset);
  host_.close(stream);
  EXPECT_EQ(host_.mux().stream_count(), 0U);
}

TEST_F(SandboxIngress, TheServersHalfCloseLeavesTheOtherDirectionOpen) {
  auto stream = host_.open(target(server_.port()));
  host_.step();
  auto socket = server_.accept();
  ::shutdown(socket.get(), SHUT_WR);
  EXPECT_TRUE(host_.wait([&] { return host_[stream].ended; }));
  host_.write(stream, "afterwards");
  host_.finish(stream);
  EXPECT_EQ(read(socket, 100), "afterwards<end>");
}

TEST_F(SandboxIngress, AServersResetArrivesBehindItsBytes) {
  auto stream = host_.open(target(server_.port()), "x");
  host_.step();
  auto socket = server_.accept();
  host_[stream].paused = true;
  send(socket, std::string(30000, 'a'));
  ASSERT_TRUE(host_.wait([&] { return host_.mux().read(stream).size() == 30000; }));
  reset(socket);
  host_[stream].paused = false;
  EXPECT_TRUE(host_.wait([&] { return host_[stream].reset.has_value(); }));
  EXPECT_EQ(host_[stream].received.size(), 30000U);
  EXPECT_FALSE(host_[stream].ended);
}

TEST_F(SandboxIngress, AnAnswerToAnUnreadUploadIsReadToItsEnd) {
  auto stream = host_.open(target(server_.port()), std::string(3000000, 'u'));
  host_.step();
  auto socket = server_.accept();
  EXPECT_EQ(read(socket, 10), "uuuuuuuuuu");
  // Closing with the upload unread makes the kernel reset the connection.
  send(socket, "413 too large");
  socket.reset();
  EXPECT_TRUE(host_.wait([&] { return host_[stream].reset.has_value(); }));
  EXPECT_EQ(host_[stream].received, "413 too large");
}

TEST_F(SandboxIngress, TheHostsResetResetsTheConnection) {
  auto stream = host_.open(target(server_.port()), "x");
  host_.step();
  auto socket = server_.accept();
  EXPECT_EQ(read(socket, 1), "x");
  host_.close(stream);
  EXPECT_EQ(read(socket, 10), "<reset>");
}

TEST_F(SandboxIngress, LargeTransfersArriveWholeInBothDirections) {
  std::string upload(8 << 20, '\0');
  for (std::size_t i = 0; i < upload.size(); ++i)
    upload[i] = static_cast<char>(i * 31 + i / 4099);
  auto stream = host_.open(target(server_.port()), upload);
  host_.finish(stream);
  host_.step();
  auto socket = server_.accept();
  std::thread echo([&] {
    std::array<char, 100000> buffer;
    while (true) {
      ssize_t count = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
      if (count <= 0) break;
      ::send(socket.get(), buffer.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL);
    }
    socket.reset();
  });
  EXPECT_TRUE(host_.wait_end(stream));
  echo.join();
  EXPECT_TRUE(host_[stream].received == upload);
}

TEST_F(SandboxIngress, AStalledClientHoldsAWindowAndStallsNobodyElse) {
  auto slow = host_.open(target(server_.port()));
  host_[slow].paused = true;
  host_.step();
  auto socket = server_.accept();
  std::thread writer([&] {
    std::string block(1 << 20, 'z');
    for (int i = 0; i < 16; ++i) {
      if (::send(socket.get(), block.data(), block.size(), MSG_NOSIGNAL) <= 0) break;
    }
    socket.reset();
  });
  ASSERT_TRUE(host_.wait([&] { return host_.mux().read(slow).size() == 64 * 1024; }));
  for (int i = 0; i < 20; ++i) {
    auto quick = host_.open(target(server_.port()), "q");
    host_.step();
    auto other = server_.accept();
    EXPECT_EQ(read(other, 1), "q");
    send(other, "a");
    other.reset();
    EXPECT_TRUE(host_.wait_end(quick));
    EXPECT_EQ(host_[quick].received, "a");
  }
  EXPECT_EQ(host_.mux().read(slow).size(), 64U * 1024);
  host_[slow].paused = false;
  EXPECT_TRUE(host_.wait_end(slow));
  writer.join();
  EXPECT_EQ(host_[slow].received.size(), 16U << 20);
}

TEST_F(SandboxIngress, AServerThatDoesNotReadStallsOnlyItsUpload) {
  auto stuck = host_.open(target(server_.port()), std::string(32 << 20, 's'));
  host_.step();
  auto socket = server_.accept();
  auto quick = host_.open(target(server_.port()), "q");
  ASSERT_TRUE(host_.wait([&] { return host_[quick].opened.has_value(); }));
  auto other = server_.accept();
  EXPECT_EQ(read(other, 1), "q");
  EXPECT_FALSE(host_[stuck].unsent.empty());
  host_.close(stuck);
  EXPECT_FALSE(host_[quick].reset);
}

TEST_F(SandboxIngress, ThousandsOfStreamsAtOnce) {
  constexpr int kCount = 2000;
  raise_file_limit();  // the server's sockets are this process's
  std::thread serve([&] {
    std::vector<UniqueFd> sockets;
    for (int i = 0; i < kCount; ++i)
      sockets.push_back(server_.accept());
    for (auto& socket : sockets) {
      char byte = 0;
      if (::recv(socket.get(), &byte, 1, 0) == 1) ::send(socket.get(), &byte, 1, MSG_NOSIGNAL);
      socket.reset();
    }
  });
  std::vector<StreamId> streams;
  for (int i = 0; i < kCount; ++i) {
    streams.push_back(
        host_.open(target(server_.port()), std::string(1, static_cast<char>('a' + i % 26))));
  }
  for (int i = 0; i < kCount; ++i) {
    auto id = streams[static_cast<std::size_t>(i)];
    ASSERT_TRUE(host_.wait_end(id));
    ASSERT_EQ(host_[id].received, std::string(1, static_cast<char>('a' + i % 26)));
  }
  serve.join();
}

TEST_F(SandboxIngress, ADaemonThatIsKilledIsFoundAgainAndItsStreamsAreGone) {
  auto before = host_.open(target(server_.port()), std::string(200000, 'x'));
  ASSERT_TRUE(host_.wait([&] { return host_[before].opened.has_value(); }));
  auto socket = server_.accept();
  EXPECT_EQ(read(socket, 1), "x");
  host_.restart_daemon();
  ASSERT_TRUE(host_.wait([&] { return host_.restarts() == 1; }));
  EXPECT_EQ(host_.mux().stream_count(), 0U);
  auto after = host_.open(target(server_.port()), "again");
  ASSERT_TRUE(host_.wait([&] { return host_[after].opened.has_value(); }));
  auto fresh = server_.accept();
  EXPECT_EQ(read(fresh, 5), "again");
}

}  // namespace
}  // namespace gondolin::guest
