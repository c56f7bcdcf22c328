#include "mgmt/config/lexer.h"

#include <gtest/gtest.h>

namespace gnomon {
namespace {

TEST(Lexer, WordsCarryTheirColumns) {
    const LexedLine line = lex_line("  server\t ntp.example   iburst \r");
    ASSERT_EQ(line.words.size(), 3u);
    EXPECT_EQ(line.words[0].text, "server");
    EXPECT_EQ(line.words[0].column, 3);
    EXPECT_EQ(line.words[1].column, 11);
    EXPECT_EQ(line.words[2].text, "iburst");
    EXPECT_EQ(line.words[2].column, 25);
}

TEST(Lexer, CommentsAndBlankLinesHaveNoWords) {
    for (const char* text : {"", "   \t", "# x", "  ! x", ";x", "%x", "#\x01"}) {
        const LexedLine line = lex_line(text);
        EXPECT_TRUE(line.words.empty()) << text;
        EXPECT_TRUE(line.error.empty()) << text;
    }
}

TEST(Lexer, ACommentSignBehindADirectiveIsAWord) {
    EXPECT_EQ(lex_line("port 123 # x").words.size(), 4u);
}

TEST(Lexer, ALineOf2047BytesIsTheLongest) {
    EXPECT_TRUE(lex_line(std::string(2047, 'a')).error.empty());
    const LexedLine line = lex_line(std::string(2048, 'a'));
    EXPECT_FALSE(line.error.empty());
    EXPECT_TRUE(line.words.empty());
    EXPECT_FALSE(lex_line("#" + std::string(2048, 'a')).error.empty());
}

TEST(Lexer, ControlCharactersAreErrorsWithTheirColumn) {
    const LexedLine nul = lex_line(std::string_view("port 1\0002", 8));
    EXPECT_EQ(nul.error, "control character 0x00 in the line");
    EXPECT_EQ(nul.error_column, 7);
    EXPECT_TRUE(nul.words.empty());
    EXPECT_FALSE(lex_line("user a\x7f").error.empty());
    EXPECT_TRUE(lex_line("user \xc3\xa9").error.empty());
}

TEST(Lexer, LinesAreSplitAtEachNewline) {
    EXPECT_EQ(split_lines("a\n\nb").size(), 3u);
    EXPECT_EQ(split_lines("a\n").size(), 1u);
    EXPECT_TRUE(split_lines("").empty());
}

}  // namespace
}  // namespace gnomon
