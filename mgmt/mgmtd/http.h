#pragma once

/// A request and its answer, apart from any server.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace gnomon::mgmtd {

struct Request {
    std::string path;                          ///< decoded, without the query
    std::map<std::string, std::string> query;  ///< decoded
    std::string accept;
    std::string accept_encoding;
    std::string authorization;
    std::string host;
    std::string if_none_match;
    bool is_local = false;  ///< from this machine

    std::optional<std::string> argument(const std::string& name) const {
        const auto found = query.find(name);
        if (found == query.end()) return std::nullopt;
        return found->second;
    }
};

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    /// Instead of `body`: bytes that live as long as the program.
    std::string_view fixed_body;
    std::string content_encoding;
    std::string etag;
    bool cacheable = false;
    /// The answer is the event stream; there is no body.
    bool is_stream = false;
};

}  // namespace gnomon::mgmtd
