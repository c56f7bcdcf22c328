#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "mgmt/config/directives.h"
#include "mgmt/config/source_options.h"

namespace gnomon {
namespace {

std::string man_page() {
    std::ostringstream text;
    text << std::ifstream(std::string(GNOMON_SOURCE_DIR) + "/docs/man/gnomon.conf.5").rdbuf();
    return text.str();
}

/// An entry of its own: `.B name`, or `.BI "name" " ARGUMENTS"`.
bool has_entry(const std::string& page, std::string_view name, std::string_view arguments) {
    const std::string entry = arguments.empty() ? fmt::format("\n.TP\n.B {}\n", name)
                                                : fmt::format("\n.TP\n.BI \"{}\" \" ", name);
    return page.find(entry) != std::string::npos;
}

/// A word in bold, in a list: `.BR name ,`.
bool is_mentioned(const std::string& page, std::string_view name) {
    for (const char* form : {"\n.BR {} ", "\n.BR {}\n", "\n.B {}\n", " {} \", \"", ", {},"}) {
        if (page.find(fmt::format(fmt::runtime(form), name)) != std::string::npos) return true;
    }
    return false;
}

TEST(ManPage, EverySupportedDirectiveHasAnEntry) {
    const std::string page = man_page();
    ASSERT_FALSE(page.empty());
    for (const DirectiveGroup& group : directive_groups()) {
        for (const Directive& row : group.rows) {
            if (row.support == Support::Supported) {
                EXPECT_TRUE(has_entry(page, row.name, row.syntax)) << row.name;
            } else {
                EXPECT_TRUE(is_mentioned(page, row.name)) << row.name;
                EXPECT_FALSE(has_entry(page, row.name, row.syntax)) << row.name << " has no effect";
            }
        }
    }
}

TEST(ManPage, EverySourceOptionHasAnEntry) {
    const std::string page = man_page();
    for (const OptionInfo& option : describe(source_option_table())) {
        if (option.support == Support::Supported) {
            EXPECT_TRUE(has_entry(page, option.name, option.value)) << option.name;
        } else {
            EXPECT_TRUE(is_mentioned(page, option.name)) << option.name;
        }
    }
}

TEST(ManPage, EveryOptionOfAPolledPortHasAnEntry) {
    const std::string page = man_page();
    for (const OptionInfo& option : describe(dataplane_option_table())) {
        EXPECT_TRUE(has_entry(page, option.name, option.value)) << option.name;
    }
}

TEST(ManPage, OptionsOfLinesAndCommandsAreNamed) {
    const std::string page = man_page();
    for (const OptionInfo& option : describe(local_option_table())) {
        EXPECT_TRUE(is_mentioned(page, option.name)) << option.name;
    }
    for (const OptionInfo& option : describe(ratelimit_option_table(true))) {
        EXPECT_TRUE(is_mentioned(page, option.name)) << option.name;
    }
    for (const std::string_view name : open_command_names()) {
        EXPECT_NE(page.find(name), std::string::npos) << name;
    }
}

}  // namespace
}  // namespace gnomon
