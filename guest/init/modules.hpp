// Loads the kernel modules that the initramfs carries.
#pragma once

#include "guest/init/console.hpp"

namespace gondolin::init {

// Loads /gondolin/modules/NAME.ko for each NAME of /gondolin/modules.order, in that
// order, and deletes the files to give their memory back. A module whose file
// is missing is taken to be built into the kernel; one that does not load is
// reported and left out; PCI drivers are passed over on a machine without PCI. An
// initramfs without the list is that of a kernel without modules.
void load_modules(const Console& console);

}  // namespace gondolin::init
