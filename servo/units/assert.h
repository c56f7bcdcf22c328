#pragma once

/// GNOMON_ASSERT guards against our own mistakes and stays on in release builds.
///
/// Never put anything in it that a byte from a network, a file or shared memory can decide:
/// bad input is refused or counted, it does not stop the daemon.

namespace gnomon {

/// Prints `file:line: assertion failed: expression` to standard error and aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace gnomon

#define GNOMON_ASSERT(expression)        \
    ((expression) ? static_cast<void>(0) \
                  : ::gnomon::assertion_failed(#expression, __FILE__, __LINE__))
