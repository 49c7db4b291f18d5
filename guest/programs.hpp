// What the guest's program can be; each is in the folder of its name, in main.cpp. They are
// given the arguments of main() and return the exit status.
#pragma once

namespace gondolin::guest {

// The first process of the guest. Returns only when it is not that.
[[nodiscard]] int init(int argc, char** argv);

// The daemons. `--port-fd N` gives them an open descriptor instead of their port's name;
// they return when the other end closes it.
[[nodiscard]] int sandboxd(int argc, char** argv);
[[nodiscard]] int sandboxfs(int argc, char** argv);
[[nodiscard]] int sandboxingress(int argc, char** argv);
[[nodiscard]] int sandboxmounts(int argc, char** argv);

}  // namespace gondolin::guest
