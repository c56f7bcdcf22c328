#pragma once

/// `HttpServer`: HTTP in front of a handler, driven by somebody else's poll loop; no threads. The
/// protocol is libmicrohttpd's; what hostile peers may cost is decided here:
///  * so many connections in all and per address; more wait in the kernel's queue, or are closed;
///  * a header is complete within kHeaderTime and fits kConnectionMemory; an answer is taken within
///    kAnswerTime, however slowly bytes trickle meanwhile; an idle connection ends after kIdleTime;
///  * GET and HEAD only, no bodies.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/wire/address.h"
#include "mgmt/mgmtd/http.h"
#include "mgmt/mgmtd/stream_hub.h"
#include "servo/units/result.h"

struct MHD_Daemon;

namespace gnomon::mgmtd {

class HttpServer {
public:
    using Clock = std::chrono::steady_clock;
    using Handler = std::function<Response(const Request&)>;

    static constexpr std::chrono::seconds kHeaderTime{10};
    static constexpr std::chrono::seconds kAnswerTime{60};
    static constexpr std::chrono::seconds kIdleTime{75};  ///< scrapers come once a minute
    static constexpr std::size_t kConnectionMemory = 16 * 1024;

    struct Limits {
        unsigned connections = 256;
        unsigned per_address = 64;
    };
    struct Figures {
        std::uint64_t requests = 0;
        std::uint64_t refused = 0;
        std::uint64_t connections = 0;  ///< open now
    };

    /// `greeting` is what a client of the event stream gets first.
    HttpServer(StreamHub& hub, Handler handler, std::function<std::string()> greeting,
               const Limits& limits);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// May need rights that are dropped later.
    SysResult<void> listen(const SocketAddress& address);
    /// Begins to serve all that listens.
    SysResult<void> start();

    /// To be polled for reading.
    std::vector<int> fds() const;
    /// At most so long may be waited, ms; -1: for ever.
    int timeout_ms() const;
    /// After every wait, and after something was published.
    void run();
    /// About once a second.
    void sweep(Clock::time_point now);

    Figures figures() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gnomon::mgmtd
