#include "mgmt/mgmtd/http_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

namespace gnomon::mgmtd {

namespace {

constexpr int kBacklog = 128;
constexpr std::size_t kStreamBlock = 32 * 1024;

// Nothing from elsewhere, nothing inline, no framing: the page shows figures and starts nothing.
constexpr std::pair<const char*, const char*> kSecurityHeaders[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
     "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
     "form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
};

std::string header_of(MHD_Connection* connection, const char* name) {
    const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    return value != nullptr ? value : "";
}

bool is_local_peer(MHD_Connection* connection) {
    const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == nullptr || info->client_addr == nullptr) return false;
    const sockaddr* address = info->client_addr;
    if (address->sa_family == AF_INET) {
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) != 0;
    }
    return false;
}

void no_log(void*, const char*, va_list) {}

}  // namespace

struct HttpServer::Impl {
    /// One TCP connection, whatever MHD makes of it.
    struct Connection {
        int fd = -1;
        Clock::time_point since;
        bool has_request = false;
        bool was_answered = false;
        bool is_stream = false;
    };
    /// What the callback of a stream needs; lives as long as its response.
    struct Stream {
        Impl& impl;
        StreamHub::Client* client;
        MHD_Connection* connection;
        bool suspended = false;
    };

    Impl(StreamHub& stream_hub, Handler request_handler,
         std::function<std::string()> stream_greeting, const Limits& given)
        : hub(stream_hub),
          handler(std::move(request_handler)),
          greeting(std::move(stream_greeting)),
          limits(given) {}

    static void on_connection(void* cls, MHD_Connection* connection, void** context,
                              MHD_ConnectionNotificationCode code) {
        auto& self = *static_cast<Impl*>(cls);
        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
            auto* made = new Connection;
            const auto* info =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
            if (info != nullptr) made->fd = info->connect_fd;
            made->since = Clock::now();
            self.connections.insert(made);
            *context = made;
        } else {
            auto* gone = static_cast<Connection*>(*context);
            self.connections.erase(gone);
            delete gone;
            *context = nullptr;
        }
    }

    static Connection* context_of(MHD_Connection* connection) {
        const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        return info != nullptr ? static_cast<Connection*>(info->socket_context) : nullptr;
    }

    /// A text that would end early, and so be another one, stays as it is and is found nowhere.
    static std::size_t unescape(void*, MHD_Connection*, char* text) {
        return std::strstr(text, "%00") != nullptr ? std::strlen(text) : MHD_http_unescape(text);
    }

    static void on_completed(void*, MHD_Connection* connection, void**,
                             MHD_RequestTerminationCode) {
        if (Connection* context = context_of(connection)) {
            context->since = Clock::now();
            context->has_request = false;
            context->was_answered = true;
            context->is_stream = false;
        }
    }

    static MHD_Result on_request(void* cls, MHD_Connection* connection, const char* url,
                                 const char* method, const char*, const char*,
                                 std::size_t* upload_size, void** state) {
        auto& self = *static_cast<Impl*>(cls);
        const bool is_get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
        if (*state == nullptr && is_get) {
            *state = &self;
            if (Connection* context = context_of(connection)) {
                context->since = Clock::now();
                context->has_request = true;
            }
            return MHD_YES;
        }
        if (*upload_size != 0 && is_get) {
            *upload_size = 0;
            return MHD_NO;
        }
        ++self.figures.requests;
        if (!is_get) {
            ++self.figures.refused;
            Response refusal;
            refusal.status = 405;
            refusal.content_type = "text/plain; charset=utf-8";
            refusal.body = "This server only shows: GET and HEAD.\n";
            return self.answer(connection, refusal);
        }
        return self.answer(connection, self.handler(read_request(connection, url)));
    }

    static Request read_request(MHD_Connection* connection, const char* url) {
        Request request;
        request.path = url;
        request.accept = header_of(connection, "Accept");
        request.accept_encoding = header_of(connection, "Accept-Encoding");
        request.authorization = header_of(connection, "Authorization");
        request.if_none_match = header_of(connection, "If-None-Match");
        request.host = header_of(connection, "Host");
        request.is_local = is_local_peer(connection);
        MHD_get_connection_values(
            connection, MHD_GET_ARGUMENT_KIND,
            [](void* cls, MHD_ValueKind, const char* key, const char* value) {
                auto& query = static_cast<Request*>(cls)->query;
                if (query.size() < 32) query.emplace(key, value != nullptr ? value : "");
                return MHD_YES;
            },
            &request);
        return request;
    }

    MHD_Result answer(MHD_Connection* connection, const Response& response) {
        if (response.status >= 400 && response.status != 503 && response.status != 404) {
            ++figures.refused;
        }
        MHD_Response* out = nullptr;
        if (response.is_stream) {
            out = make_stream(connection);
            if (out == nullptr) {
                Response full;
                full.status = 503;
                full.content_type = "text/plain; charset=utf-8";
                full.body = "All places of the event stream are taken.\n";
                ++figures.refused;
                return answer(connection, full);
            }
        } else if (!response.fixed_body.empty()) {
            out = MHD_create_response_from_buffer(response.fixed_body.size(),
                                                  const_cast<char*>(response.fixed_body.data()),
                                                  MHD_RESPMEM_PERSISTENT);
        } else {
            out = MHD_create_response_from_buffer(response.body.size(),
                                                  const_cast<char*>(response.body.data()),
                                                  MHD_RESPMEM_MUST_COPY);
        }
        if (out == nullptr) return MHD_NO;
        add_headers(out, response);
        const MHD_Result queued =
            MHD_queue_response(connection, static_cast<unsigned>(response.status), out);
        MHD_destroy_response(out);
        return queued;
    }

    static void add_headers(MHD_Response* out, const Response& response) {
        for (const auto& [name, value] : kSecurityHeaders) {
            MHD_add_response_header(out, name, value);
        }
        MHD_add_response_header(out, "Content-Type", response.content_type.c_str());
        MHD_add_response_header(out, "Cache-Control", response.cacheable ? "no-cache" : "no-store");
        if (!response.etag.empty()) MHD_add_response_header(out, "ETag", response.etag.c_str());
        if (!response.content_encoding.empty()) {
            MHD_add_response_header(out, "Content-Encoding", response.content_encoding.c_str());
            MHD_add_response_header(out, "Vary", "Accept-Encoding");
        }
        if (response.status == 401) {
            MHD_add_response_header(out, "WWW-Authenticate", "Bearer realm=\"gnomon\"");
        }
        if (response.status == 405) MHD_add_response_header(out, "Allow", "GET, HEAD");
        // Proxies that gather would hold back events.
        if (response.is_stream) MHD_add_response_header(out, "X-Accel-Buffering", "no");
    }

    MHD_Response* make_stream(MHD_Connection* connection) {
        StreamHub::Client* client = hub.add(greeting());
        if (client == nullptr) return nullptr;
        auto* stream = new Stream{*this, client, connection};
        client->wake = [stream] {
            if (!stream->suspended) return;
            stream->suspended = false;
            MHD_resume_connection(stream->connection);
        };
        if (Connection* context = context_of(connection)) context->is_stream = true;
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kStreamBlock, &read_stream,
                                                 stream, &free_stream);
    }

    static ssize_t read_stream(void* cls, std::uint64_t, char* buffer, std::size_t size) {
        auto& stream = *static_cast<Stream*>(cls);
        if (stream.client->is_over) return MHD_CONTENT_READER_END_OF_STREAM;
        const std::size_t count = stream.client->take(buffer, size);
        if (count == 0) {
            stream.suspended = true;
            MHD_suspend_connection(stream.connection);
        }
        return static_cast<ssize_t>(count);
    }

    static void free_stream(void* cls) {
        auto* stream = static_cast<Stream*>(cls);
        stream->impl.hub.remove(stream->client);
        delete stream;
    }

    StreamHub& hub;
    Handler handler;
    std::function<std::string()> greeting;
    Limits limits;
    std::vector<int> listeners;
    std::vector<MHD_Daemon*> daemons;
    std::set<Connection*> connections;
    Figures figures;
};

HttpServer::HttpServer(StreamHub& hub, Handler handler, std::function<std::string()> greeting,
                       const Limits& limits)
    : impl_(std::make_unique<Impl>(hub, std::move(handler), std::move(greeting), limits)) {}

HttpServer::~HttpServer() {
    // Suspended connections must not be left to the library.
    impl_->hub.close_all();
    run();
    for (MHD_Daemon* daemon : impl_->daemons) MHD_stop_daemon(daemon);
    if (!impl_->daemons.empty()) return;
    for (const int fd : impl_->listeners) close(fd);
}

SysResult<void> HttpServer::listen(const SocketAddress& address) {
    const bool v6 = address.ip.family() == IpAddress::Family::V6;
    sockaddr_storage storage{};
    socklen_t size = 0;
    if (v6) {
        auto* to = reinterpret_cast<sockaddr_in6*>(&storage);
        to->sin6_family = AF_INET6;
        to->sin6_port = htons(address.port);
        memcpy(&to->sin6_addr, address.ip.bytes().data(), 16);
        size = sizeof *to;
    } else {
        auto* to = reinterpret_cast<sockaddr_in*>(&storage);
        to->sin_family = AF_INET;
        to->sin_port = htons(address.port);
        to->sin_addr.s_addr = htonl(address.ip.to_u32());
        size = sizeof *to;
    }
    const std::string what = "listen on " + address.to_string();
    const int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return Unexpected(SysError::last(what));
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (v6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&storage), size) != 0 ||
        ::listen(fd, kBacklog) != 0) {
        const SysError error = SysError::last(what);
        close(fd);
        return Unexpected(error);
    }
    impl_->listeners.push_back(fd);
    return {};
}

SysResult<void> HttpServer::start() {
    for (const int fd : impl_->listeners) {
        // clang-format off
        MHD_Daemon* daemon = MHD_start_daemon(
            MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, nullptr, nullptr,
            &Impl::on_request, impl_.get(),
            MHD_OPTION_EXTERNAL_LOGGER, &no_log, nullptr,
            MHD_OPTION_LISTEN_SOCKET, fd,
            MHD_OPTION_CONNECTION_LIMIT, impl_->limits.connections,
            MHD_OPTION_PER_IP_CONNECTION_LIMIT, impl_->limits.per_address,
            MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(kIdleTime.count()),
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemory,
            MHD_OPTION_STRICT_FOR_CLIENT, 1,
            MHD_OPTION_NOTIFY_CONNECTION, &Impl::on_connection, impl_.get(),
            MHD_OPTION_NOTIFY_COMPLETED, &Impl::on_completed, impl_.get(),
            MHD_OPTION_UNESCAPE_CALLBACK, &Impl::unescape, nullptr,
            MHD_OPTION_END);
        // clang-format on
        if (daemon == nullptr) return Unexpected(SysError{"start the HTTP server", errno});
        impl_->daemons.push_back(daemon);
    }
    return {};
}

std::vector<int> HttpServer::fds() const {
    std::vector<int> fds;
    for (MHD_Daemon* daemon : impl_->daemons) {
        const auto* info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
        if (info != nullptr) fds.push_back(info->epoll_fd);
    }
    return fds;
}

int HttpServer::timeout_ms() const {
    unsigned long long least = 1000;
    for (MHD_Daemon* daemon : impl_->daemons) {
        MHD_UNSIGNED_LONG_LONG timeout = 0;
        if (MHD_get_timeout(daemon, &timeout) == MHD_YES) {
            least = std::min<unsigned long long>(least, timeout);
        }
    }
    return static_cast<int>(least);
}

void HttpServer::run() {
    for (MHD_Daemon* daemon : impl_->daemons) MHD_run(daemon);
}

void HttpServer::sweep(Clock::time_point now) {
    for (const Impl::Connection* connection : impl_->connections) {
        if (connection->is_stream || connection->fd < 0) continue;
        const auto limit = connection->has_request    ? kAnswerTime
                           : connection->was_answered ? kIdleTime
                                                      : kHeaderTime;
        if (now - connection->since < limit) continue;
        if (!connection->was_answered || connection->has_request) ++impl_->figures.refused;
        shutdown(connection->fd, SHUT_RDWR);
    }
}

HttpServer::Figures HttpServer::figures() const {
    Figures figures = impl_->figures;
    figures.connections = impl_->connections.size();
    return figures;
}

}  // namespace gnomon::mgmtd
