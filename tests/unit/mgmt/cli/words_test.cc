#include "mgmt/cli/words.h"

#include <gtest/gtest.h>

namespace gnomon::cli {
namespace {

TEST(Words, NormalisingLeavesSingleBlanks) {
    EXPECT_EQ(normalise_line("  sources \t -v\r\n"), "sources -v");
    EXPECT_EQ(normalise_line("\n"), "");
}

TEST(Words, CommentsAreEmptyLinesOnlyAtTheStart) {
    for (const char* comment : {"# x", "! x", "  ; x", "%x"})
        EXPECT_EQ(normalise_line(comment), "");
    EXPECT_EQ(normalise_line("online # x"), "online # x");
}

TEST(Words, NumbersMayBeFollowedByAnything) {
    EXPECT_EQ(leading_integer("-12x"), -12);
    EXPECT_EQ(leading_integer("x"), std::nullopt);
    EXPECT_EQ(leading_integer("99999999999"), std::nullopt);
    EXPECT_EQ(leading_unsigned("F323", 16), 0xF323U);
    EXPECT_EQ(leading_unsigned("-1"), std::nullopt);
    EXPECT_EQ(leading_number("1.5e-3 s"), 1.5e-3);
    EXPECT_EQ(leading_number(""), std::nullopt);
}

}  // namespace
}  // namespace gnomon::cli
