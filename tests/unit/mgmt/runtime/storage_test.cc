#include "mgmt/runtime/storage.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mgmt/runtime/pidfile.h"
#include "tests/unit/mgmt/runtime/temporary_directory.h"

namespace gnomon {
namespace {

TEST(Storage, Write_ReplacesTheFileAndLeavesNothingElse) {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/drift";
    ASSERT_TRUE(write_file(path, "old", 0640));
    ASSERT_TRUE(write_file(path, "new\n", 0600));
    EXPECT_EQ(*read_file(path), "new\n");
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    EXPECT_NE(stat((path + ".tmp").c_str(), &status), 0);
}

TEST(Storage, Write_ReplacesALinkInsteadOfFollowingIt) {
    const TemporaryDirectory directory;
    const std::string victim = directory.path() + "/victim";
    const std::string path = directory.path() + "/drift";
    ASSERT_TRUE(write_file(victim, "precious", 0644));
    ASSERT_EQ(symlink(victim.c_str(), path.c_str()), 0);
    ASSERT_EQ(symlink(victim.c_str(), (path + ".tmp").c_str()), 0);
    ASSERT_TRUE(write_file(path, "x", 0644));
    EXPECT_EQ(*read_file(victim), "precious");
    EXPECT_EQ(*read_file(path), "x");
}

TEST(Storage, Write_NamesThePathThatFailed) {
    const auto result = write_file("/nonexistent/drift", "x", 0644);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ENOENT);
    EXPECT_NE(result.error().message().find("/nonexistent/drift"), std::string::npos);
}

TEST(Storage, ParentDirectory_HandlesSlashes) {
    EXPECT_EQ(parent_directory("/run/gnomon/gnomon.sock"), "/run/gnomon");
    EXPECT_EQ(parent_directory("/x"), "/");
    EXPECT_EQ(parent_directory("x"), ".");
    EXPECT_EQ(parent_directory("a//b/"), "a");
    EXPECT_EQ(parent_directory("/"), "/");
}

TEST(Storage, CreateDirectories_MakesParentsAndKeepsWhatExists) {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/a/b";
    ASSERT_TRUE(create_directories(path, 0750, geteuid(), getegid()));
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0750u);
    ASSERT_TRUE(create_directories(path, 0700, geteuid(), getegid()));
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0750u);
    ASSERT_TRUE(write_file(directory.path() + "/file", "", 0644));
    EXPECT_EQ(create_directories(directory.path() + "/file", 0700, 0, 0).error().code, ENOTDIR);
}

TEST(Storage, CheckWritableDirectory_NamesWhatIsMissing) {
    const TemporaryDirectory directory;
    EXPECT_TRUE(check_writable_directory(""));
    EXPECT_TRUE(check_writable_directory(directory.path()));
    const auto missing = check_writable_directory(directory.path() + "/missing");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ENOENT);
    EXPECT_NE(missing.error().message().find("/missing"), std::string::npos);
}

TEST(Storage, DirectoryIsPrivate_RefusesOtherModesOwnersAndLinks) {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/run";
    ASSERT_TRUE(create_directories(path, 0770, geteuid(), getegid()));
    EXPECT_TRUE(directory_is_private(path, 0770, geteuid(), getegid()));
    EXPECT_FALSE(directory_is_private(path, 0770, geteuid() + 1, getegid()));
    ASSERT_EQ(chmod(path.c_str(), 0771), 0);
    EXPECT_FALSE(directory_is_private(path, 0770, geteuid(), getegid()));
    EXPECT_FALSE(directory_is_private(directory.path() + "/missing", 0770, geteuid(), getegid()));
}

TEST(Storage, ConfigFiles_ListBySuffixWithoutHiddenOnes) {
    const TemporaryDirectory directory;
    for (const char* name : {"/a.conf", "/b.conf", "/.hidden.conf", "/c.sources"}) {
        ASSERT_TRUE(write_file(directory.path() + name, "", 0644));
    }
    SystemConfigFiles files;
    EXPECT_EQ(files.list_dir(directory.path(), ".conf").size(), 2u);
    EXPECT_EQ(files.glob(directory.path() + "/*.conf").size(), 2u);
    EXPECT_TRUE(files.list_dir(directory.path() + "/missing", ".conf").empty());
    EXPECT_FALSE(files.read(directory.path() + "/missing"));
}

TEST(PidFile, OtherInstance_IsOneThatLives) {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/pid";
    EXPECT_FALSE(PidFile(path).other_instance());
    ASSERT_TRUE(write_file(path, "1\n", 0644));
    EXPECT_EQ(PidFile(path).other_instance(), 1);
    ASSERT_TRUE(write_file(path, "rubbish\n", 0644));
    EXPECT_FALSE(PidFile(path).other_instance());
    // Above the kernel's limit of process numbers.
    ASSERT_TRUE(write_file(path, "4194305\n", 0644));
    EXPECT_FALSE(PidFile(path).other_instance());
}

TEST(PidFile, Write_ReplacesAStaleFileAndIsRemovedAtTheEnd) {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/pid";
    ASSERT_TRUE(write_file(path, "4194305\n", 0644));
    {
        PidFile file(path);
        ASSERT_TRUE(file.write());
        EXPECT_EQ(*read_file(path), std::to_string(getpid()) + "\n");
    }
    EXPECT_FALSE(read_file(path));
    EXPECT_TRUE(PidFile("").write());
}

}  // namespace
}  // namespace gnomon
