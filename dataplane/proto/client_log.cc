#include "dataplane/proto/client_log.h"

#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "dataplane/proto/byte_lock.h"
#include "servo/units/assert.h"

namespace gnomon {

namespace {

constexpr std::size_t kSlotSize = 8;
/// Memory that one client costs at most, with its timestamp pair.
constexpr std::uint64_t kBytesPerClient = 120;

std::size_t index(Service service) noexcept { return static_cast<std::size_t>(service); }

/// 64 bits in which every bit depends on every bit of the input (the finalizer of MurmurHash3).
std::uint64_t mix(std::uint64_t x) noexcept {
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

}  // namespace

std::size_t ClientLogConfig::capacity() const noexcept {
    const std::uint64_t affordable = memory_limit / kBytesPerClient;
    if (affordable < kSlotSize) return kSlotSize;
    return static_cast<std::size_t>(std::bit_floor(std::min<std::uint64_t>(affordable, 1U << 24)));
}

struct ClientLog::Record {
    std::array<std::uint8_t, 16> address{};
    IpAddress::Family family = IpAddress::Family::Unspecified;
    bool limited = false;  ///< the last NTP request got no response
    RequestRate limited_rate;
    std::array<RequestRate, kServiceCount> rates{};
    std::array<std::uint32_t, kServiceCount> last_hit{};  ///< ticks; 0: never
    std::array<std::uint32_t, kServiceCount> hits{};
    std::array<std::uint16_t, kServiceCount> drops{};
    std::array<std::uint16_t, kServiceCount> tokens{};

    bool is(const IpAddress& ip) const noexcept {
        return family == ip.family() && address == ip.bytes();
    }
    IpAddress ip() const noexcept {
        if (family == IpAddress::Family::V6) return IpAddress::v6(address);
        return IpAddress::v4(std::uint32_t{address[0]} << 24 | std::uint32_t{address[1]} << 16 |
                             std::uint32_t{address[2]} << 8 | address[3]);
    }
    /// Ticks since any service was asked for.
    std::uint32_t idle(std::uint32_t now) const noexcept {
        std::uint32_t least = 0xffff'ffffU;
        for (const std::uint32_t hit : last_hit) {
            if (hit != 0) least = std::min(least, now - hit);
        }
        return least;
    }
    std::uint64_t all_hits() const noexcept {
        std::uint64_t sum = 0;
        for (const std::uint32_t n : hits) sum += n;
        return sum;
    }
};

struct ClientLog::Slot {
    ByteLock lock;
    std::array<Record, kSlotSize> records;
};

ClientLog::ClientLog(const ClientLogConfig& config, std::uint64_t phase)
    : config_(config), phase_ns_(phase % 62'500'000), hash_key_(mix(phase + 1)) {
    for (std::size_t i = 0; i < kServiceCount; ++i) scales_[i] = TokenBucketScale(config.limits[i]);
    if (!config_.enabled) return;
    record_count_ = config_.capacity();
    slot_count_ = record_count_ / kSlotSize;
    // All-zero bytes are an empty slot, and memory fresh from the system is zero without being
    // touched: a limit of gigabytes costs nothing until clients come.
    static_assert(std::is_trivially_destructible_v<Slot>);
    slots_ = static_cast<Slot*>(std::calloc(slot_count_, sizeof(Slot)));
    if (slots_ == nullptr) throw std::bad_alloc();
}

ClientLog::~ClientLog() { std::free(slots_); }

std::uint32_t ClientLog::to_ticks(SystemTime t) const noexcept {
    const auto shifted = static_cast<std::uint64_t>(t.ns()) + phase_ns_;
    const auto ticks = static_cast<std::uint32_t>(shifted / 62'500'000);
    return ticks == 0 ? 1 : ticks;  // 0 stands for "never"
}

ClientLog::Record& ClientLog::find_or_replace(Slot& slot, const IpAddress& client) noexcept {
    Record* chosen = nullptr;
    std::uint32_t newest = 0;
    for (Record& record : slot.records) {
        if (record.is(client)) return record;
        if (record.family == IpAddress::Family::Unspecified) {
            chosen = &record;  // records fill from the front: nothing follows an empty one
            break;
        }
        for (const std::uint32_t hit : record.last_hit) {
            if (hit != 0 && (newest == 0 || static_cast<std::int32_t>(hit - newest) > 0)) {
                newest = hit;
            }
        }
    }
    if (chosen == nullptr) {
        chosen = &slot.records[0];
        for (Record& record : slot.records) {
            const std::uint32_t idle = record.idle(newest);
            const std::uint32_t longest = chosen->idle(newest);
            if (idle > longest || (idle == longest && record.all_hits() < chosen->all_hits())) {
                chosen = &record;
            }
        }
        record_drops_.fetch_add(1, std::memory_order_relaxed);
    }
    *chosen = Record{};
    chosen->address = client.bytes();
    chosen->family = client.family();
    for (std::size_t i = 0; i < kServiceCount; ++i) chosen->tokens[i] = scales_[i].capacity();
    return *chosen;
}

Verdict ClientLog::account(Service service, const IpAddress& client, SystemTime now,
                           RandomSource& random) noexcept {
    const std::size_t s = index(service);
    hits_[s].fetch_add(1, std::memory_order_relaxed);
    if (slots_ == nullptr || !client.is_ip()) return Verdict::Pass;

    std::array<std::uint64_t, 2> words{};
    std::memcpy(words.data(), client.bytes().data(), sizeof(words));
    const std::uint64_t hash = mix(mix(words[0] ^ hash_key_) ^ words[1]);
    Slot& slot = slots_[hash & (slot_count_ - 1)];
    ByteLockGuard guard(slot.lock);
    if (!guard) return Verdict::Pass;

    Record& record = find_or_replace(slot, client);
    const std::uint32_t ticks = to_ticks(now);
    const std::uint32_t previous = record.last_hit[s];
    record.last_hit[s] = ticks;
    ++record.hits[s];
    // A clock that was stepped back gives a negative interval: it says nothing.
    if (previous != 0 && static_cast<std::int32_t>(ticks - previous) >= 0) {
        record.tokens[s] = scales_[s].refill(record.tokens[s], previous, ticks);
        RequestRate& rate =
            service == Service::Ntp && record.limited ? record.limited_rate : record.rates[s];
        rate.update(ticks - previous);
    }
    return limit(record, service, random);
}

Verdict ClientLog::limit(Record& record, Service service, RandomSource& random) noexcept {
    const std::size_t s = index(service);
    const TokenBucketScale& scale = scales_[s];
    if (!scale.enabled()) return Verdict::Pass;
    if (service == Service::Ntp) record.limited = false;
    if (record.tokens[s] >= scale.per_response()) {
        record.tokens[s] = static_cast<std::uint16_t>(record.tokens[s] - scale.per_response());
        return Verdict::Pass;
    }

    const std::uint64_t bits = random.next();
    bool dropped = (bits & ((1U << scale.leak()) - 1)) != 0;
    // Some clients ask faster when they get no answer. If this one does so at more than twice the
    // rate, limiting only makes things worse: mostly answer then, which slows it down.
    if (service == Service::Ntp && record.limited_rate.exceeds_twice(record.rates[s])) {
        dropped = !dropped;
    }
    if (!dropped) {
        record.tokens[s] = 0;
        return Verdict::Pass;
    }
    if (scale.kod() > 0 && ((bits >> 32) & ((1U << scale.kod()) - 1)) == 0) return Verdict::Kod;

    if (service == Service::Ntp) record.limited = true;
    if (record.drops[s] < 0xffff) ++record.drops[s];
    drops_[s].fetch_add(1, std::memory_order_relaxed);
    return Verdict::Drop;
}

int ClientLog::shortest_ntp_interval() const noexcept {
    const RateLimit& limit = config_.limits[index(Service::Ntp)];
    if (!limit.enabled) return RateLimit::kMinInterval;
    return std::clamp(limit.interval, RateLimit::kMinInterval, RateLimit::kMaxInterval);
}

std::optional<ClientRecordView> ClientLog::report(std::size_t position, std::uint32_t min_hits,
                                                  bool reset, SystemTime now) noexcept {
    if (position >= record_count_) return std::nullopt;
    Slot& slot = slots_[position / kSlotSize];
    ByteLockGuard guard(slot.lock);
    if (!guard) return std::nullopt;
    Record& record = slot.records[position % kSlotSize];
    if (record.family == IpAddress::Family::Unspecified) return std::nullopt;

    bool enough = min_hits == 0;
    ClientRecordView view;
    view.address = record.ip();
    const std::uint32_t now_ticks = to_ticks(now);
    for (std::size_t i = 0; i < kServiceCount; ++i) {
        enough = enough || record.hits[i] >= min_hits;
        view.hits[i] = record.hits[i];
        view.drops[i] = record.drops[i];
        view.interval[i] = record.rates[i].interval_log2();
        const std::uint32_t ago = now_ticks - record.last_hit[i];
        view.last_hit_ago_s[i] = record.last_hit[i] == 0 || static_cast<std::int32_t>(ago) < 0
                                     ? ClientRecordView::kNeverHit
                                     : ago >> TokenBucketScale::kTickBits;
    }
    view.ntp_limited_interval = record.limited_rate.interval_log2();
    if (reset) {
        record.hits.fill(0);
        record.drops.fill(0);
    }
    if (!enough) return std::nullopt;
    return view;
}

ClientLog::Totals ClientLog::totals() const noexcept {
    Totals totals;
    for (std::size_t i = 0; i < kServiceCount; ++i) {
        totals.hits[i] = hits_[i].load(std::memory_order_relaxed);
        totals.drops[i] = drops_[i].load(std::memory_order_relaxed);
    }
    totals.record_drops = record_drops_.load(std::memory_order_relaxed);
    return totals;
}

void ClientLog::reset_totals() noexcept {
    for (std::size_t i = 0; i < kServiceCount; ++i) {
        hits_[i].store(0, std::memory_order_relaxed);
        drops_[i].store(0, std::memory_order_relaxed);
    }
    record_drops_.store(0, std::memory_order_relaxed);
}

}  // namespace gnomon
