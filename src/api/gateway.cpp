// The gateway without a VM: an event loop on a thread of its own, the listeners file
// of this machine, plain TCP to this machine's loopback.

#include "gondolin/gateway.hpp"

#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "api/convert.hpp"
#include "api/hooks.hpp"
#include "api/ingress_impl.hpp"
#include "api/promise.hpp"
#include "api/routes_teller.hpp"
#include "gondolin/error.hpp"
#include "ingress/route_table.hpp"
#include "io/file_watch.hpp"
#include "io/run_loop.hpp"
#include "io/tcp.hpp"

namespace gondolin {

namespace {

// close() promises an end within 1 s; sessions usually need one turn of the loop.
constexpr std::chrono::milliseconds kCloseDeadline{500};

class FileGateway final : public Ingress::Impl {
 public:
  explicit FileGateway(GatewayOptions options)
      : Ingress::Impl(options.ingress.hooks),
        options_(std::move(options)),
        log_(api::make_debug_log(options_.debug)),
        opener_(loop_.get_executor()),
        table_(log_),
        routes_teller_(table_, options_.ingress.on_routes),
        deadline_(loop_) {
    if (options_.listeners.empty()) {
      throw ApiError(ApiErrorCode::kInvalidArgument,
                     "listeners must be the path of the listeners file, not empty");
    }
    gateway_.emplace(to_gateway_config(options_.ingress),
                     ingress::GatewayParts{
                         .executor = loop_.get_executor(),
                         .opener = opener_,
                         .routes = table_,
                         .log = log_,
                         .listening_ports = {},
                         .hooks = api::to_gateway_hooks(options_.ingress.hooks, hook_threads)});
    watch_.emplace(api::value_or_throw(
        FileWatch::start(loop_.get_executor(), options_.listeners, [this] { reload(); })));
    reload();
    api::value_or_throw(gateway_->start());
    routes_teller_.tell();
    table_.on_change([this] { routes_teller_.tell(); });
    bound = {.host = gateway_->host(), .port = gateway_->port()};
    thread_ = std::thread([this] { run_loop(loop_); });
  }

  ~FileGateway() override { close(); }

  std::vector<IngressRoute> routes() const override {
    return on_loop([this] { return from_routes(table_.router()->routes()); });
  }

  void set_routes(const std::vector<IngressRoute>& routes) override {
    std::string text = ingress::render_listeners(to_routes(routes));
    api::value_or_throw(on_loop([&]() -> Status {
      if (Status written = replace_file(options_.listeners, text); !written) return written;
      reload();
      return {};
    }));
  }

  void close() override {
    std::scoped_lock lock(closing_);
    if (!thread_.joinable()) return;
    asio::post(loop_, [this] {
      watch_.reset();
      table_.on_change({});
      gateway_->close([this] { loop_.stop(); });
      deadline_.expires_after(kCloseDeadline);
      deadline_.async_wait([this](boost::system::error_code) { loop_.stop(); });
    });
    thread_.join();
  }

 private:
  // Runs `work` on the loop's thread. Throws kCancelled once that has ended.
  template <typename Work>
  auto on_loop(Work work) const -> decltype(work()) {
    std::scoped_lock lock(closing_);
    if (!thread_.joinable()) throw api::closed_error();
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto result = task.get_future();
    asio::post(loop_, [&task] { task(); });
    return result.get();
  }

  void reload() {
    auto text = watch_->read(ingress::kMaxListenersBytes);
    if (text) {
      report(table_.update(*text));
    } else if (text.error().code == ErrorCode::kNotFound) {
      report(table_.remove());
    } else if (text.error().code != ErrorCode::kRefused) {  // being written: told when it is
      warn(text.error().message);
    }
  }

  void report(const ingress::RouteTable::Outcome& outcome) {
    const std::string file = options_.listeners.string();
    if (outcome.error) warn(file + ": " + *outcome.error + "; the routes before stay in force");
    for (const std::string& warning : outcome.warnings)
      warn(file + ": " + warning);
  }

  void warn(const std::string& message) const {
    if (options_.on_warning) options_.on_warning(message);
  }

  GatewayOptions options_;
  DebugLog log_;
  // Used by const functions too, which only post to it.
  mutable asio::io_context loop_{1};
  TcpOpener opener_;
  ingress::RouteTable table_;
  api::RoutesTeller routes_teller_;
  asio::steady_timer deadline_;
  std::optional<ingress::Gateway> gateway_;
  std::optional<FileWatch> watch_;
  mutable std::mutex closing_;
  std::thread thread_;
};

}  // namespace

Ingress open_gateway(GatewayOptions options) {
  return Ingress(std::make_unique<FileGateway>(std::move(options)));
}

}  // namespace gondolin
