#pragma once

/// mgmtd.conf: one directive per line, in the grammar of gnomon.conf (comments, words, no case).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/wire/address.h"

namespace gnomon::mgmtd {

struct Config {
    /// `listen ADDRESS[:PORT]`, several times. Default: loopback, port 9123.
    std::vector<SocketAddress> listen;
    std::string telemetry = "/run/gnomon-telemetry/telemetry.sock";
    /// `history PATH [MEGABYTES]`; "/": none.
    std::string history_path = "/var/lib/gnomon-mgmtd/history.db";
    std::uint64_t history_bytes = 128ULL << 20;
    /// `tokenfile PATH`: lines of secrets; a request from another machine must carry one of them.
    std::string token_file;
    std::vector<std::string> tokens;
    /// `allowremote`: without tokens, requests from other machines are refused unless this is given.
    bool allow_remote = false;
    /// `hostname NAME...`: names by which browsers may call this machine.
    std::vector<std::string> hosts;
    std::string user = "gnomon-mgmtd";
    unsigned max_connections = 256;
    unsigned max_connections_per_address = 64;

    static constexpr std::uint16_t kDefaultPort = 9123;
};

struct ConfigError {
    int line = 0;
    std::string text;
};

/// What `gnomon-mgmtd -h` shows.
std::string config_help();

/// Applies the lines of `text` to `config`; collects every error.
std::vector<ConfigError> parse_config(std::string_view text, Config& config);

/// Words of at least 16 characters, one per line; the rest is refused.
std::vector<ConfigError> parse_tokens(std::string_view text, std::vector<std::string>& tokens);

/// Whether `authorization` ("Bearer …") carries one of the tokens; takes as long whatever it carries.
bool is_authorized(std::string_view authorization, const std::vector<std::string>& tokens);

}  // namespace gnomon::mgmtd
