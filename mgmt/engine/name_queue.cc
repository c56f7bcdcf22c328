#include "mgmt/engine/name_queue.h"

#include <algorithm>
#include <iterator>

namespace gnomon {
namespace {

constexpr std::int64_t kIntervalUnitS = 7;
constexpr int kMinIntervalLog2 = 2;
constexpr int kMaxIntervalLog2 = 9;
constexpr std::size_t kMaxAddresses = 32;

}  // namespace

void NameQueue::resolve() {
    if (busy_) {
        again_ = true;
        return;
    }
    // The interval stays: a command that asks for a try now does not start the back-off anew.
    begin_round();
}

void NameQueue::handle_timeout(const Now& now) {
    if (retry_at_ && now.mono >= *retry_at_) begin_round();
}

void NameQueue::begin_round() {
    retry_at_.reset();
    lookups_.remove_if([this](const NameLookup& lookup) { return !client_.is_wanted(lookup); });
    if (lookups_.empty()) return;
    query(lookups_.begin());
}

void NameQueue::query(std::list<NameLookup>::iterator lookup) {
    busy_ = true;
    current_ = lookup;
    resolver_.request(++last_query_, lookup->name, lookup->family);
}

void NameQueue::handle_resolved(NameResolver::QueryId query_id, const ResolvedName& answer,
                                const Now& now) {
    if (!busy_ || query_id != last_query_) return;
    const auto lookup = current_;
    const bool replaces_address = lookup->current.ip.is_ip();

    if (answer.status == ResolvedName::Status::Found) {
        std::vector<IpAddress> addresses = answer.addresses;
        if (addresses.size() > kMaxAddresses) addresses.resize(kMaxAddresses);
        client_.use_addresses(*lookup, addresses, now);
    } else if (answer.status == ResolvedName::Status::NotAName) {
        client_.name_not_found(*lookup);
    }

    auto next = std::next(lookup);
    // A replacement or refreshment is tried once: the source still has an address meanwhile.
    if (answer.status == ResolvedName::Status::NotAName || replaces_address || lookup->refresh ||
        !client_.is_wanted(*lookup)) {
        lookups_.erase(lookup);
    }
    if (next == lookups_.end() && again_) {
        again_ = false;
        next = lookups_.begin();
    }
    if (next != lookups_.end()) {
        query(next);
    } else {
        end_round(now);
    }
}

void NameQueue::end_round(const Now& now) {
    busy_ = false;
    if (lookups_.empty()) {
        interval_log2_ = 0;
        return;
    }
    interval_log2_ = std::clamp(interval_log2_ + 1, kMinIntervalLog2, kMaxIntervalLog2);
    retry_at_ = now.mono + Duration::from_s(kIntervalUnitS << interval_log2_);
}

}  // namespace gnomon
