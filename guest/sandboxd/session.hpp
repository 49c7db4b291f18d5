// The processes of a session, found in /proc.
#pragma once

#include <sys/types.h>

namespace gondolin::guest {

// Sends `number` to every process of the session `session`; those that are forked
// meanwhile are found too, as it looks again until a look finds nobody new.
void signal_session(pid_t session, int number);

}  // namespace gondolin::guest
