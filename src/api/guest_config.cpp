#include "api/guest_config.hpp"

#include <chrono>
#include <string>

#include "ingress/listeners_file.hpp"

namespace gondolin::api {
namespace {

// An editor that saves by renaming takes the file away for a moment.
constexpr std::chrono::milliseconds kMissingGrace{30};

}  // namespace

GuestConfig::GuestConfig(const asio::any_io_executor& executor, const DebugLog& log)
    : log_(log), files_(std::string(ingress::kInitialListeners)), routes_(log), missing_(executor) {
  files_.set_status_source([this] { return routes_.status_text(); });
  files_.on_listeners_change(
      [this](const vfs::ListenersSnapshot& snapshot) { on_change(snapshot); });
  apply(files_.read());
}

Status GuestConfig::set_routes(const std::vector<ingress::Route>& routes) {
  auto version = files_.replace_if(files_.read().version, ingress::render_listeners(routes));
  if (!version) return tl::unexpected(version.error());
  missing_->cancel();
  routes_.update(*files_.read().content);
  return {};
}

void GuestConfig::on_change(const vfs::ListenersSnapshot& snapshot) {
  missing_->cancel();
  if (snapshot.content) {
    apply(snapshot);
    return;
  }
  missing_->expires_after(kMissingGrace);
  missing_->async_wait([this](const boost::system::error_code& error) {
    if (!error && !files_.read().content) apply(files_.read());
  });
}

void GuestConfig::apply(const vfs::ListenersSnapshot& snapshot) {
  if (!snapshot.content) {
    routes_.remove();
    return;
  }
  ingress::RouteTable::Outcome outcome = routes_.update(*snapshot.content);
  // An editor would warn of a file that changed under it; the next save is soon enough.
  if (!outcome.canonical || files_.has_other_files()) return;
  auto written = files_.replace_if(snapshot.version, *outcome.canonical);
  if (!written) {
    log_.line(DebugTopic::kVfs, "listeners left as it is: " + written.error().message);
    return;
  }
  routes_.update(*outcome.canonical);
}

}  // namespace gondolin::api
