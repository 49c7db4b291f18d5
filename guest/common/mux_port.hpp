// The guest end of a port that carries streams: a Mux, the Port below it and the
// turn that moves bytes between the two.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.hpp"
#include "guest/common/port.hpp"
#include "wire/mux.hpp"

namespace gondolin::guest {

class MuxPort {
 public:
  // Gets every event but kUp and kRenew; may use the mux as it likes.
  using Handler = std::function<void(const wire::MuxEvent&)>;
  // Every stream is gone, without an event for each.
  using DropAll = std::function<void()>;

  MuxPort(UniqueFd port, std::uint32_t window, Handler handler, DropAll drop_all);

  [[nodiscard]] wire::Mux& mux() { return mux_; }
  [[nodiscard]] Port& port() { return port_; }

  enum class Turn : std::uint8_t {
    kBlocked,  // nothing to do before the port has an event
    kMore,     // call again after a look at the other descriptors
  };

  // Reads and writes the port until both would block, or for some rounds, so that a
  // busy port starves nobody, handing out what happens on the way. To be called
  // after all other work of the loop's turn, so that its frames leave in as few
  // writes as possible. An error ends the program: the host end broke the
  // protocol or the port is gone.
  [[nodiscard]] Result<Turn> turn();

 private:
  [[nodiscard]] Result<Turn> wait();
  // Reads what is there, up to a bound; how much that was.
  [[nodiscard]] Result<std::size_t> read_ahead();
  [[nodiscard]] Status hand_out_events();
  [[nodiscard]] Status flush();

  Port port_;
  wire::Mux mux_;
  Handler handler_;
  DropAll drop_all_;
};

}  // namespace gondolin::guest
