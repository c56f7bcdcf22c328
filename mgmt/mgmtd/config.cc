#include "mgmt/mgmtd/config.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>

#include <fmt/format.h>

namespace gnomon::mgmtd {
namespace {

constexpr std::size_t kShortestToken = 16;
constexpr std::string_view kBearer = "Bearer ";

std::vector<std::string> words_of(std::string_view line) {
    std::vector<std::string> words;
    std::size_t at = 0;
    while (at < line.size()) {
        const std::size_t begin = line.find_first_not_of(" \t\r", at);
        if (begin == std::string_view::npos) break;
        at = std::min(line.find_first_of(" \t\r", begin), line.size());
        words.emplace_back(line.substr(begin, at - begin));
    }
    return words;
}

template <typename Use>
void for_each_line(std::string_view text, Use use) {
    int number = 0;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        ++number;
        const std::vector<std::string> words = words_of(line);
        // As in gnomon.conf.
        if (words.empty() || std::string_view("!;#%").find(words[0][0]) != std::string_view::npos) {
            continue;
        }
        use(number, words);
    }
}

template <typename T>
bool read_number(std::string_view text, T& value, T least, T most) {
    T parsed{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error != std::errc() || end != text.data() + text.size()) return false;
    if (parsed < least || parsed > most) return false;
    value = parsed;
    return true;
}

/// "127.0.0.1", "127.0.0.1:9123", "[::1]:9123", "::1"
bool read_address(std::string_view text, SocketAddress& out) {
    std::string_view host = text;
    std::string_view port;
    if (!text.empty() && text[0] == '[') {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return false;
        host = text.substr(1, end - 1);
        port = text.substr(end + 1);
        if (!port.empty()) {
            if (port[0] != ':') return false;
            port.remove_prefix(1);
        }
    } else if (std::count(text.begin(), text.end(), ':') == 1) {
        host = text.substr(0, text.find(':'));
        port = text.substr(text.find(':') + 1);
    }
    const auto ip = IpAddress::parse(host);
    if (!ip || !ip->is_ip()) return false;
    out.ip = *ip;
    out.port = Config::kDefaultPort;
    return port.empty() || read_number<std::uint16_t>(port, out.port, 1, 65535);
}

struct Directive {
    std::string_view name;
    std::string_view usage;
    std::size_t least;
    std::size_t most;
    std::function<bool(Config&, const std::vector<std::string>&)> apply;
};

const std::vector<Directive>& directives() {
    using C = Config&;
    using W = const std::vector<std::string>&;
    static const std::vector<Directive> kTable{
        {"listen", "ADDRESS[:PORT]", 1, 1,
         [](C c, W w) {
             SocketAddress address;
             if (!read_address(w[1], address)) return false;
             c.listen.push_back(address);
             return true;
         }},
        {"telemetry", "PATH", 1, 1,
         [](C c, W w) {
             c.telemetry = w[1];
             return w[1][0] == '/';
         }},
        {"history", "PATH [MEGABYTES]", 1, 2,
         [](C c, W w) {
             c.history_path = w[1] == "/" ? "" : w[1];
             std::uint64_t megabytes = c.history_bytes >> 20;
             const bool good =
                 w.size() < 3 || read_number<std::uint64_t>(w[2], megabytes, 4, 65536);
             c.history_bytes = megabytes << 20;
             return good && w[1][0] == '/';
         }},
        {"tokenfile", "PATH", 1, 1,
         [](C c, W w) {
             c.token_file = w[1];
             return true;
         }},
        {"allowremote", "", 0, 0,
         [](C c, W) {
             c.allow_remote = true;
             return true;
         }},
        {"hostname", "NAME...", 1, 64,
         [](C c, W w) {
             c.hosts.insert(c.hosts.end(), w.begin() + 1, w.end());
             return true;
         }},
        {"user", "NAME", 1, 1,
         [](C c, W w) {
             c.user = w[1];
             return true;
         }},
        {"maxconnections", "N [PER-ADDRESS]", 1, 2,
         [](C c, W w) {
             return read_number<unsigned>(w[1], c.max_connections, 4, 900) &&
                    (w.size() < 3 ||
                     read_number<unsigned>(w[2], c.max_connections_per_address, 2, 900));
         }},
    };
    return kTable;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return std::tolower(static_cast<unsigned char>(x)) ==
               std::tolower(static_cast<unsigned char>(y));
    });
}

}  // namespace

std::string config_help() {
    std::string text;
    for (const Directive& directive : directives()) {
        text += fmt::format("  {} {}\n", directive.name, directive.usage);
    }
    return text;
}

std::vector<ConfigError> parse_config(std::string_view text, Config& config) {
    std::vector<ConfigError> errors;
    for_each_line(text, [&](int line, const std::vector<std::string>& words) {
        for (const Directive& directive : directives()) {
            if (!equal_ignoring_case(directive.name, words[0])) continue;
            const std::size_t count = words.size() - 1;
            if (count < directive.least || count > directive.most ||
                !directive.apply(config, words)) {
                errors.push_back(
                    {line, fmt::format("usage: {} {}", directive.name, directive.usage)});
            }
            return;
        }
        errors.push_back({line, fmt::format("unknown directive '{}'", words[0])});
    });
    return errors;
}

std::vector<ConfigError> parse_tokens(std::string_view text, std::vector<std::string>& tokens) {
    std::vector<ConfigError> errors;
    for_each_line(text, [&](int line, const std::vector<std::string>& words) {
        // The text of a token is told to nobody, not even when it is refused.
        if (words.size() != 1 || words[0].size() < kShortestToken) {
            errors.push_back({line, fmt::format("a token is one word of at least {} characters",
                                                kShortestToken)});
            return;
        }
        tokens.push_back(words[0]);
    });
    return errors;
}

bool is_authorized(std::string_view authorization, const std::vector<std::string>& tokens) {
    if (authorization.substr(0, kBearer.size()) != kBearer) return false;
    const std::string_view given = authorization.substr(kBearer.size());
    bool found = false;
    for (const std::string& token : tokens) {
        unsigned different = token.size() == given.size() ? 0 : 1;
        for (std::size_t i = 0; i < token.size(); ++i) {
            const char c = i < given.size() ? given[i] : '\0';
            different |= static_cast<unsigned char>(token[i] ^ c);
        }
        found = found || different == 0;
    }
    return found;
}

}  // namespace gnomon::mgmtd
