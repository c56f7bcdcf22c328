#pragma once

/// `ThreadResolver`: getaddrinfo(3) in a helper thread, so that a dead name server never stalls the
/// control loop.
///
/// One query at a time; others wait in line. Numeric addresses need no thread, but are answered from
/// the loop as well. The pipe that wakes the loop is watched only while a thread is bound to write
/// into it (see event_loop.h).

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "mgmt/engine/services.h"
#include "mgmt/runtime/event_loop.h"

namespace gnomon {

/// Blocks. At most 32 addresses, in the system's order; only those of `family` unless Unspecified.
ResolvedName resolve_now(const std::string& name, IpAddress::Family family);

class ThreadResolver final : public NameResolver {
public:
    using Answer = std::function<void(QueryId, const ResolvedName&)>;

    /// `answer` runs on the loop's thread.
    ThreadResolver(EventLoop& loop, Answer answer);
    /// Leaves a query that is under way to itself: it may hang for minutes.
    ~ThreadResolver() override;
    ThreadResolver(const ThreadResolver&) = delete;
    ThreadResolver& operator=(const ThreadResolver&) = delete;

    void request(QueryId query, const std::string& name, IpAddress::Family family) override;

    /// Answers the queries that needed no thread. Call once per turn of the loop, after its handlers.
    void deliver();
    /// Whether `deliver` has something to do: the loop should not sleep.
    bool has_answers() const noexcept { return !answers_.empty(); }

private:
    struct Query {
        QueryId id = 0;
        std::string name;
        IpAddress::Family family = IpAddress::Family::Unspecified;
    };
    struct Shared;

    void start_next();
    void on_finished();

    EventLoop& loop_;
    Answer answer_;
    std::deque<Query> waiting_;
    std::deque<std::pair<QueryId, ResolvedName>> answers_;
    /// What the running thread and this object share; null when none runs.
    std::shared_ptr<Shared> running_;
    std::thread thread_;
    int pipe_read_ = -1;
};

}  // namespace gnomon
