#include "mgmt/engine/server_workers.h"

#include <gtest/gtest.h>

namespace gnomon::test_engine {
namespace {

class RecordingWorkers final : public ServerWorkers {
public:
    void begin(ClientLog&, TimestampStore&) override {}
    void publish(const ServerState&) override {}
    void publish(std::shared_ptr<const ServerTables> published) override {
        tables = std::move(published);
        ++table_count;
    }
    void add_to(ServerStats&) const override {}

    int table_count = 0;
    std::shared_ptr<const ServerTables> tables;
};

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

TEST(TablesPublisher, PublishesOnlyWhatHasChanged) {
    RecordingWorkers workers;
    TablesPublisher publisher;
    AccessTable access;
    const KeyTable keys;
    publisher.publish(workers, {1, 1}, access, keys, {ip("10.0.0.2"), ip("10.0.0.1")});
    ASSERT_EQ(workers.table_count, 1);
    const auto first = workers.tables;
    EXPECT_EQ(first->forwarded, (std::vector<IpAddress>{ip("10.0.0.1"), ip("10.0.0.2")}));

    publisher.publish(workers, {1, 1}, access, keys, {ip("10.0.0.1"), ip("10.0.0.2")});
    EXPECT_EQ(workers.table_count, 1) << "the order of the sources is no change";

    access.allow({ip("10.0.0.0"), 8});
    publisher.publish(workers, {2, 1}, access, keys, {ip("10.0.0.1")});
    EXPECT_EQ(workers.table_count, 2);
    EXPECT_TRUE(workers.tables->access.is_allowed(ip("10.1.2.3")));
    EXPECT_FALSE(first->access.is_allowed(ip("10.1.2.3"))) << "old tables stay what they were";
    EXPECT_EQ(workers.tables->keys, first->keys) << "the keys have not changed";

    publisher.publish(workers, {2, 2}, access, keys, {ip("10.0.0.1")});
    EXPECT_EQ(workers.table_count, 3);
    EXPECT_NE(workers.tables->keys, first->keys);
}

}  // namespace
}  // namespace gnomon::test_engine
