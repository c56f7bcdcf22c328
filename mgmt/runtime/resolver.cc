#include "mgmt/runtime/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

namespace gnomon {

namespace {

constexpr std::size_t kMaxAddresses = 32;

std::optional<IpAddress> to_ip(const sockaddr* address) {
    if (address->sa_family == AF_INET) {
        sockaddr_in v4{};
        memcpy(&v4, address, sizeof v4);
        return IpAddress::v4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        sockaddr_in6 v6{};
        memcpy(&v6, address, sizeof v6);
        // Our addresses have no zones: without it a link-local one leads nowhere.
        if (v6.sin6_scope_id != 0) return std::nullopt;
        std::array<std::uint8_t, 16> bytes{};
        memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
        return IpAddress::v6(bytes);
    }
    return std::nullopt;
}

ResolvedName numeric_answer(const IpAddress& ip, IpAddress::Family family) {
    ResolvedName answer;
    if (family != IpAddress::Family::Unspecified && ip.family() != family) {
        answer.status = ResolvedName::Status::NotAName;
        return answer;
    }
    answer.status = ResolvedName::Status::Found;
    answer.addresses.push_back(ip);
    return answer;
}

}  // namespace

ResolvedName resolve_now(const std::string& name, IpAddress::Family family) {
    if (const auto ip = IpAddress::parse(name); ip && ip->is_ip()) {
        return numeric_answer(*ip, family);
    }
    addrinfo hints{};
    hints.ai_family = family == IpAddress::Family::V4   ? AF_INET
                      : family == IpAddress::Family::V6 ? AF_INET6
                                                        : AF_UNSPEC;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* list = nullptr;
    ResolvedName answer;
    if (getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0) {
        // Whatever the reason: a name that does not exist today may exist tomorrow, and the resolver
        // reports a host without a network in many ways.
        answer.status = ResolvedName::Status::TryAgain;
        return answer;
    }
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
        const auto ip = to_ip(entry->ai_addr);
        if (!ip || answer.addresses.size() >= kMaxAddresses) continue;
        if (std::find(answer.addresses.begin(), answer.addresses.end(), *ip) ==
            answer.addresses.end()) {
            answer.addresses.push_back(*ip);
        }
    }
    freeaddrinfo(list);
    answer.status =
        answer.addresses.empty() ? ResolvedName::Status::TryAgain : ResolvedName::Status::Found;
    return answer;
}

struct ThreadResolver::Shared {
    Query query;
    ResolvedName result;
    int pipe_write = -1;

    ~Shared() {
        if (pipe_write >= 0) close(pipe_write);
    }
};

ThreadResolver::ThreadResolver(EventLoop& loop, Answer answer)
    : loop_(loop), answer_(std::move(answer)) {}

ThreadResolver::~ThreadResolver() {
    if (!running_) return;
    loop_.unwatch(pipe_read_);
    close(pipe_read_);
    thread_.detach();
}

void ThreadResolver::request(QueryId query, const std::string& name, IpAddress::Family family) {
    if (const auto ip = IpAddress::parse(name); ip && ip->is_ip()) {
        answers_.emplace_back(query, numeric_answer(*ip, family));
        return;
    }
    waiting_.push_back(Query{query, name, family});
    if (!running_) start_next();
}

void ThreadResolver::start_next() {
    if (waiting_.empty()) return;
    int fds[2];
    if (pipe(fds) != 0) {
        // Out of descriptors: as good as a name server that does not answer.
        answers_.emplace_back(waiting_.front().id, ResolvedName{});
        waiting_.pop_front();
        return;
    }
    running_ = std::make_shared<Shared>();
    running_->query = std::move(waiting_.front());
    waiting_.pop_front();
    running_->pipe_write = fds[1];
    pipe_read_ = fds[0];
    loop_.watch(pipe_read_, EventLoop::kReadable, [this](EventLoop::Events) { on_finished(); });

    // Signals are the control thread's: a helper that took one would leave the loop asleep.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([shared = running_] {
        shared->result = resolve_now(shared->query.name, shared->query.family);
        // The pipe breaks when the daemon has left meanwhile; SIGPIPE is blocked here.
        [[maybe_unused]] const ssize_t written = write(shared->pipe_write, "", 1);
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ThreadResolver::on_finished() {
    char byte = 0;
    // Blocks only where a simulator reports the pipe ready before the thread is done.
    while (read(pipe_read_, &byte, 1) < 0 && errno == EINTR) {
    }
    thread_.join();
    loop_.unwatch(pipe_read_);
    close(pipe_read_);
    pipe_read_ = -1;
    const std::shared_ptr<Shared> finished = std::move(running_);
    running_.reset();
    // A new resolv.conf (the network came up) is looked at by the next query.
    if (finished->result.status == ResolvedName::Status::TryAgain) res_init();
    start_next();
    answer_(finished->query.id, finished->result);
}

void ThreadResolver::deliver() {
    // Answers may make new requests, which wait for the next turn.
    std::deque<std::pair<QueryId, ResolvedName>> answers;
    answers.swap(answers_);
    for (const auto& [query, result] : answers) answer_(query, result);
}

}  // namespace gnomon
