#include "mgmt/engine/server_workers.h"

#include <algorithm>
#include <utility>

namespace gnomon {

WorkerGroup::WorkerGroup(std::vector<ServerWorkers*> members) : members_(std::move(members)) {
    members_.erase(std::remove(members_.begin(), members_.end(), nullptr), members_.end());
}

void WorkerGroup::begin(ClientLog& log, TimestampStore& store) {
    for (ServerWorkers* member : members_) member->begin(log, store);
}

void WorkerGroup::publish(const ServerState& state) {
    for (ServerWorkers* member : members_) member->publish(state);
}

void WorkerGroup::publish(std::shared_ptr<const ServerTables> tables) {
    for (ServerWorkers* member : members_) member->publish(tables);
}

void WorkerGroup::add_to(ServerStats& stats) const {
    for (const ServerWorkers* member : members_) member->add_to(stats);
}

void WorkerGroup::add_to(AnalyticsSnapshot& snapshot, SystemTime now) const {
    for (const ServerWorkers* member : members_) member->add_to(snapshot, now);
}

void TablesPublisher::publish(ServerWorkers& workers, const Version& version,
                              const AccessTable& access, const KeyTable& keys,
                              std::vector<IpAddress> sources) {
    std::sort(sources.begin(), sources.end());
    const bool same_keys = last_ != nullptr && version_.keys == version.keys;
    if (last_ != nullptr && version_ == version && last_->forwarded == sources) return;

    auto tables = std::make_shared<ServerTables>();
    tables->access = AccessIndex(access);
    tables->keys = same_keys ? last_->keys : std::make_shared<const KeyTable>(keys);
    tables->forwarded = std::move(sources);
    last_ = std::move(tables);
    version_ = version;
    workers.publish(last_);
}

}  // namespace gnomon
