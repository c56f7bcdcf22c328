#include "mgmt/cli/session.h"

#include "mgmt/cli/text_units.h"

namespace gnomon::cli {

namespace {

using command::Status;

bool is_success(Status status) noexcept {
    return status == Status::Success || status == Status::AccessAllowed ||
           status == Status::AccessDenied;
}

bool is_printable(std::string_view name) noexcept {
    for (const char c : name) {
        if (c <= ' ' || c > '~') return false;
    }
    return true;
}

}  // namespace

std::string_view status_line(Status status) noexcept {
    switch (status) {
        case Status::Success: return "200 OK";
        case Status::AccessAllowed: return "208 Access allowed";
        case Status::AccessDenied: return "209 Access denied";
        case Status::Failed: return "500 Failure";
        case Status::Unauthorised: return "501 Not authorised";
        case Status::Invalid: return "502 Invalid command";
        case Status::NoSuchSource: return "503 No such source";
        case Status::InvalidTimestamp: return "504 Duplicate or stale logon detected";
        case Status::NotEnabled: return "505 Facility not enabled in daemon";
        case Status::BadSubnet: return "507 Bad subnet";
        case Status::NoHostAccess: return "510 No command access from this host";
        case Status::SourceAlreadyKnown: return "511 Source already present";
        case Status::TooManySources: return "512 Too many sources present";
        case Status::NoRtc: return "513 RTC driver not running";
        case Status::BadRtcFile: return "514 Can't write RTC parameters";
        case Status::InvalidAddressFamily: return "515 Invalid address family";
        case Status::BadSample: return "516 Sample index out of range";
        case Status::BadPacketVersion: return "517 Protocol version mismatch";
        case Status::BadPacketLength: return "518 Packet length mismatch";
        case Status::Inactive: return "519 Client logging is not active in the daemon";
        case Status::InvalidName: return "521 Invalid name";
    }
    return "520 Got unexpected error from daemon";
}

std::optional<Reply> Session::request(command::Command command, const command::RequestBody& body,
                                      bool verbose) {
    auto reply = channel_.exchange(command, body);
    if (!reply.has_value()) {
        print_status(kNoDaemon, "506 Cannot talk to daemon");
        return std::nullopt;
    }
    if (verbose || reply->status != Status::Success) {
        print_status(static_cast<int>(reply->status), status_line(reply->status));
    }
    if (!is_success(reply->status)) return std::nullopt;
    return reply;
}

bool Session::submit(command::Command command, const command::RequestBody& body) {
    return query<command::NoArguments>(command, body, true).has_value();
}

std::optional<std::string> Session::source_name(const IpAddress& address) {
    auto report = query<command::SourceNameReport>(command::Command::NtpSourceName,
                                                   command::AddressArgument{address});
    if (!report.has_value() || !is_printable(report->name)) return std::nullopt;
    return std::move(report->name);
}

std::string Session::display_name(const Name& name) {
    if (name.is_reference) return ref_id_text(name.ref_id);
    if (name.is_source && settings_.source_names) return source_name(name.address).value_or("?");
    if (settings_.no_dns || settings_.format != Format::Text) return name.address.to_string();
    std::string host = resolver_.name(name.address);
    if (name.truncate_to > 0 && host.size() > name.truncate_to) {
        host.resize(name.truncate_to);
        host.back() = '>';
    }
    return host;
}

void Session::print_text(std::string_view text) {
    if (settings_.format == Format::Text) terminal_.out(text);
}

void Session::print_header(std::string_view header) {
    print_text(std::string(header) + "\n" + std::string(header.size(), '=') + "\n");
}

void Session::print(const Record& record) {
    switch (settings_.format) {
        case Format::Text: terminal_.out(record.text()); break;
        case Format::Csv: terminal_.out(record.csv() + "\n"); break;
        case Format::Json:
            if (list_.has_value()) {
                list_->push_back(record.json());
            } else {
                print_json(record.json());
            }
            break;
    }
}

void Session::begin_list() { list_ = nlohmann::ordered_json::array(); }

void Session::end_list() {
    if (settings_.format == Format::Json && list_.has_value()) print_json(*list_);
    list_.reset();
}

void Session::print_status(int status, std::string_view line) {
    if (settings_.format != Format::Json) {
        terminal_.out(std::string(line) + "\n");
        return;
    }
    nlohmann::ordered_json json;
    json["status"] = status;
    json["message"] = line;
    print_json(json);
}

void Session::print_json(const nlohmann::ordered_json& json) {
    // Names come from the network: what is no UTF-8 is replaced, not thrown about.
    terminal_.out(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
                  "\n");
}

}  // namespace gnomon::cli
