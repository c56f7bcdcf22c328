#pragma once

/// What every command works with: the daemon, the resolver, the options, and the way to the user.

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "mgmt/cli/client.h"
#include "mgmt/cli/record.h"
#include "mgmt/cli/resolver.h"
#include "mgmt/command/wire.h"

namespace gnomon::cli {

enum class Format { Text, Csv, Json };

struct Settings {
    Format format = Format::Text;
    bool no_dns = false;
    bool source_names = false;  ///< names as configured instead of addresses
    bool end_dot = false;
    bool wide = false;

    /// Columns that a wide table has more.
    int extra_columns() const noexcept { return wide ? 14 : 0; }
};

/// Standard output and error, or strings in tests.
class Terminal {
public:
    virtual ~Terminal() = default;
    virtual void out(std::string_view text) = 0;
    virtual void error(std::string_view line) = 0;
    /// False when standard output failed since the start.
    virtual bool flush() = 0;
    /// Waits; false when a signal ended it.
    virtual bool sleep(double seconds) = 0;
    virtual bool stop_requested() = 0;
};

class Session {
public:
    Session(Settings& settings, Channel& channel, Resolver& resolver, Terminal& terminal)
        : settings_(settings), channel_(channel), resolver_(resolver), terminal_(terminal) {}

    Settings& settings() noexcept { return settings_; }
    Resolver& resolver() noexcept { return resolver_; }
    Channel& channel() noexcept { return channel_; }
    Terminal& terminal() noexcept { return terminal_; }

    bool quit_requested() const { return quit_ || terminal_.stop_requested(); }
    void quit() noexcept { quit_ = true; }

    /// A query: the report, or nothing after telling the user why not.
    template <typename Report>
    std::optional<Report> query(command::Command command,
                                const command::RequestBody& body = command::NoArguments{},
                                bool verbose = false) {
        auto reply = request(command, body, verbose);
        if (!reply.has_value()) return std::nullopt;
        Report* report = reply->body.has_value() ? std::get_if<Report>(&*reply->body) : nullptr;
        if (report == nullptr) {
            print_status(kBadReply, "508 Bad reply from daemon");
            return std::nullopt;
        }
        return std::move(*report);
    }

    /// An action: tells the user the status; true on success.
    bool submit(command::Command command,
                const command::RequestBody& body = command::NoArguments{});

    /// How a source or client is shown.
    struct Name {
        IpAddress address;
        RefId ref_id;
        bool is_reference = false;
        bool is_source = true;
        std::size_t truncate_to = 0;  ///< of host names; 0: not at all
    };
    std::string display_name(const Name& name);
    /// As configured. Nothing, after telling why, when the daemon has none or it is unprintable.
    std::optional<std::string> source_name(const IpAddress& address);

    /// Text only.
    void print_text(std::string_view text);
    /// Text only: a line underlined with '='.
    void print_header(std::string_view header);
    void print(const Record& record);
    /// Between these, JSON records are collected into an array. A list that failed is dropped.
    void begin_list();
    void end_list();
    void drop_list() { list_.reset(); }

    void error(std::string_view line) { terminal_.error(line); }

private:
    static constexpr int kBadReply = -1;
    static constexpr int kNoDaemon = -2;

    std::optional<Reply> request(command::Command command, const command::RequestBody& body,
                                 bool verbose);
    void print_status(int status, std::string_view line);
    void print_json(const nlohmann::ordered_json& json);

    Settings& settings_;
    Channel& channel_;
    Resolver& resolver_;
    Terminal& terminal_;
    bool quit_ = false;
    std::optional<nlohmann::ordered_json> list_;
};

/// "200 OK", "501 Not authorised", …
std::string_view status_line(command::Status status) noexcept;

}  // namespace gnomon::cli
