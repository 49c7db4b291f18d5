// Serves one request about files (wire/files.hpp), read from one descriptor and answered
// on another, which both block. It runs in a process of its own: a file that makes its
// reader wait, on a slow or dead file system, holds up nobody else.
//
// Whoever asked may leave at any moment: the request's pipe then ends, or nobody reads
// the answer. A write that is not whole then is left as it is, an atomic one is undone.
#pragma once

namespace gondolin::guest {

// Returns when the request was answered or given up. SIGPIPE must be ignored and the
// umask be 0.
void serve_file_request(int input, int output);

}  // namespace gondolin::guest
