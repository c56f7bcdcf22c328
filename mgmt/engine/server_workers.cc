#include "mgmt/engine/server_workers.h"

#include <algorithm>
#include <utility>

namespace gnomon {

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
