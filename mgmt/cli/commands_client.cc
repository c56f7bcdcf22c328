#include <sys/random.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "mgmt/cli/commands.h"

namespace gnomon::cli {

namespace {

bool fail(Session& session, std::string_view message) {
    session.error(message);
    return false;
}

bool run_dns(Session& session, const Arguments& arguments) {
    using Family = IpAddress::Family;
    const std::string& option = arguments.line();
    if (option == "-46") {
        session.resolver().set_family(Family::Unspecified);
    } else if (option == "-4") {
        session.resolver().set_family(Family::V4);
    } else if (option == "-6") {
        session.resolver().set_family(Family::V6);
    } else if (option == "-n" || option == "+n") {
        session.settings().no_dns = option == "-n";
    } else {
        return fail(session, "Unrecognized dns command");
    }
    return true;
}

bool run_timeout(Session& session, const Arguments& arguments) {
    constexpr int kShortest_ms = 100;
    const int timeout_ms = leading_integer(arguments.line()).value_or(0);
    if (timeout_ms < kShortest_ms) {
        return fail(session, fmt::format("Timeout {} is too short", timeout_ms));
    }
    session.channel().set_timeout(std::chrono::milliseconds(timeout_ms));
    return true;
}

bool run_retries(Session& session, const Arguments& arguments) {
    constexpr int kMost = 30;
    const int retries = leading_integer(arguments.line()).value_or(0);
    if (retries < 0 || retries > kMost) return fail(session, "Invalid maximum number of retries");
    session.channel().set_retries(retries);
    return true;
}

/// Key length by type: ciphers have theirs, hashes take any.
struct KeyType {
    std::string_view name;
    std::size_t cipher_bytes;
};
constexpr KeyType kKeyTypes[] = {
    {"MD5", 0},      {"SHA1", 0},     {"SHA256", 0},   {"SHA384", 0},
    {"SHA512", 0},   {"SHA3-224", 0}, {"SHA3-256", 0}, {"SHA3-384", 0},
    {"SHA3-512", 0}, {"AES128", 16},  {"AES256", 32},
};

bool run_keygen(Session& session, const Arguments& arguments) {
    constexpr std::size_t kShortestBytes = 10;
    constexpr std::uint32_t kDefaultBits = 160;
    std::array<std::uint8_t, 512> key{};

    const auto id = arguments.size() >= 1 ? leading_unsigned(arguments.word(0))
                                          : std::optional<std::uint32_t>(1);
    const auto bits = arguments.size() >= 3 ? leading_unsigned(arguments.word(2))
                                            : std::optional<std::uint32_t>(kDefaultBits);
    if (arguments.size() > 3 || !id || !bits) {
        return fail(session, "Invalid syntax for keygen command");
    }
    const std::string type(arguments.size() >= 2 ? arguments.word(1) : "SHA1");
    const auto* known = std::find_if(std::begin(kKeyTypes), std::end(kKeyTypes),
                                     [&type](const KeyType& k) { return k.name == type; });
    if (known == std::end(kKeyTypes)) {
        return fail(session, "Unknown hash function or cipher " + type);
    }
    const std::size_t wanted =
        known->cipher_bytes > 0 ? known->cipher_bytes : (std::size_t{*bits} + 7) / 8;
    const std::size_t length = std::clamp(wanted, kShortestBytes, key.size());
    for (std::size_t i = 0; i < length; ++i) {
        if (getrandom(&key[i], 1, 0) != 1) return fail(session, "Could not get random bytes");
    }
    std::string line = fmt::format("{} {} HEX:", *id, type);
    for (std::size_t i = 0; i < length; ++i) line += fmt::format("{:02X}", key[i]);
    session.terminal().out(line + "\n");
    return true;
}

bool run_quit(Session& session, const Arguments&) {
    session.quit();
    return true;
}

bool run_help(Session& session, const Arguments&) {
    session.terminal().out(help_text());
    return true;
}

/// Of a protocol long gone: scripts that still use them go on working.
bool run_authentication(Session& session, const Arguments&) {
    session.error("Authentication is no longer supported");
    return true;
}

}  // namespace

std::vector<CommandEntry> client_commands() {
    return {
        {"authhash", run_authentication, ""},
        {"dns", run_dns, "-n +n -4 -6 -46"},
        {"exit", run_quit, ""},
        {"help", run_help, ""},
        {"keygen", run_keygen, ""},
        {"password", run_authentication, ""},
        {"quit", run_quit, ""},
        {"retries", run_retries, ""},
        {"timeout", run_timeout, ""},
    };
}

}  // namespace gnomon::cli
