#include "mgmt/mgmtd/config.h"

#include <gtest/gtest.h>

namespace gnomon::mgmtd {
namespace {

TEST(MgmtdConfig, EveryDirectiveIsTaken) {
    Config config;
    const auto errors = parse_config(
        "# comment\n"
        "listen 127.0.0.1\n"
        "LISTEN [::1]:9000\n"
        "listen ::1\r\n"
        "telemetry /t.sock\n"
        "history /h.db 64\n"
        "tokenfile /tokens\n"
        "allowremote\n"
        "hostname a.example b.example\n"
        "user nobody\n"
        "maxconnections 100 10",
        config);
    EXPECT_TRUE(errors.empty()) << errors[0].line << errors[0].text;
    ASSERT_EQ(config.listen.size(), 3U);
    EXPECT_EQ(config.listen[0].to_string(), "127.0.0.1:9123");
    EXPECT_EQ(config.listen[1].to_string(), "[::1]:9000");
    EXPECT_EQ(config.listen[2].to_string(), "[::1]:9123");
    EXPECT_EQ(config.telemetry, "/t.sock");
    EXPECT_EQ(config.history_path, "/h.db");
    EXPECT_EQ(config.history_bytes, 64U << 20);
    EXPECT_EQ(config.token_file, "/tokens");
    EXPECT_TRUE(config.allow_remote);
    EXPECT_EQ(config.hosts, (std::vector<std::string>{"a.example", "b.example"}));
    EXPECT_EQ(config.user, "nobody");
    EXPECT_EQ(config.max_connections, 100U);
    EXPECT_EQ(config.max_connections_per_address, 10U);
}

TEST(MgmtdConfig, EveryMistakeIsReportedWithItsLine) {
    Config config;
    const auto errors = parse_config(
        "listen localhost\nlisten 127.0.0.1:0\nlisten 127.0.0.1:70000\nlisten [::1\nhistory h.db\n"
        "history /h 1\ntelemetry t\nallowremote yes\nfrobnicate\nmaxconnections many\nuser\n",
        config);
    ASSERT_EQ(errors.size(), 11U);
    for (std::size_t i = 0; i < errors.size(); ++i) {
        EXPECT_EQ(errors[i].line, static_cast<int>(i) + 1);
    }
    EXPECT_TRUE(config.listen.empty());
}

TEST(MgmtdConfig, HistoryMayBeOff) {
    Config config;
    EXPECT_TRUE(parse_config("history /\n", config).empty());
    EXPECT_TRUE(config.history_path.empty());
}

TEST(Tokens, ShortOnesAreRefusedAndNeverShown) {
    std::vector<std::string> tokens;
    const auto errors =
        parse_tokens("# mine\n0123456789abcdef\nhunter2\ntwo words-of-many-letters\n", tokens);
    EXPECT_EQ(tokens, std::vector<std::string>{"0123456789abcdef"});
    ASSERT_EQ(errors.size(), 2U);
    for (const ConfigError& error : errors)
        EXPECT_EQ(error.text.find("hunter2"), std::string::npos);
}

TEST(Tokens, OnlyTheWholeTokenAuthorizes) {
    const std::vector<std::string> tokens{"0123456789abcdef", "fedcba9876543210"};
    EXPECT_TRUE(is_authorized("Bearer 0123456789abcdef", tokens));
    EXPECT_TRUE(is_authorized("Bearer fedcba9876543210", tokens));
    for (const char* wrong :
         {"", "Bearer ", "0123456789abcdef", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0",
          "Basic 0123456789abcdef", "Bearer 0123456789abcdeF"}) {
        EXPECT_FALSE(is_authorized(wrong, tokens)) << wrong;
    }
    EXPECT_FALSE(is_authorized("Bearer ", {}));
}

}  // namespace
}  // namespace gnomon::mgmtd
