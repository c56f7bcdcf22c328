#include "dataplane/proto/client_analytics.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace gnomon {

namespace {

constexpr std::uint16_t kServerPort = 123;
constexpr std::uint16_t kNone = 0xffff;
constexpr std::size_t kIndexSize = 2048;
constexpr std::uint32_t kMostShift = 16;
/// Samples between looks at how fast they come.
constexpr std::uint32_t kAdaptEvery = 512;
constexpr Duration kTooFast = Duration::from_ms(40);
constexpr Duration kTooSlow = Duration::from_ms(200);
/// A gap between two samples that says that the load has gone.
constexpr Duration kQuiet = Duration::from_ms(20);
constexpr double kLeastRefused = 4.0;
constexpr int kMostHalvings = 64;
constexpr Duration kDisorder = Duration::from_s(1);

std::uint64_t scramble(std::uint64_t value) noexcept {
    value ^= value >> 32;
    value *= 0xd6e8feb86659fd93ULL;
    value ^= value >> 32;
    return value;
}

std::size_t poll_bucket(std::int8_t poll) noexcept {
    constexpr int kLast = RequestProfile::kFirstPoll + static_cast<int>(RequestProfile::kPolls) - 1;
    return static_cast<std::size_t>(std::clamp<int>(poll, RequestProfile::kFirstPoll, kLast) -
                                    RequestProfile::kFirstPoll);
}

std::size_t size_bucket(std::uint16_t size) noexcept {
    const auto& sizes = RequestProfile::kSizes;
    return static_cast<std::size_t>(std::lower_bound(sizes.begin(), sizes.end(), size) -
                                    sizes.begin());
}

void count(RequestProfile& profile, const ObservedRequest& request, double weight) noexcept {
    profile.total += weight;
    profile.version[request.version & 7U] += weight;
    profile.mode[static_cast<std::size_t>(request.mode) & 7U] += weight;
    if (request.mode == Mode::Client) profile.poll[poll_bucket(request.poll)] += weight;
    profile.size[size_bucket(request.size)] += weight;
    profile.outcome[static_cast<std::size_t>(request.outcome) & 3U] += weight;
    if (request.remote.ip.family() == IpAddress::Family::V6) profile.ipv6 += weight;
    if (request.remote.port == kServerPort) profile.ntp_port += weight;
    if (request.has_mac) profile.mac += weight;
    if (request.has_nts) profile.nts += weight;
    if (request.interleaved) profile.interleaved += weight;
}

template <std::size_t N>
void add_all(std::array<double, N>& to, const std::array<double, N>& from, double factor) noexcept {
    for (std::size_t i = 0; i < N; ++i) to[i] += factor * from[i];
}

void rate_abuse(HeavyClient& client, double refused_count) noexcept {
    const double refused = client.kissed + client.limited;
    const double requests = std::max(client.rate - client.error, refused);
    client.abuse =
        refused_count < kLeastRefused || requests <= 0.0 ? 0.0 : 100.0 * refused / requests;
}

}  // namespace

void RequestProfile::add(const RequestProfile& other, double factor) noexcept {
    total += factor * other.total;
    add_all(version, other.version, factor);
    add_all(mode, other.mode, factor);
    add_all(poll, other.poll, factor);
    add_all(size, other.size, factor);
    add_all(outcome, other.outcome, factor);
    ipv6 += factor * other.ipv6;
    ntp_port += factor * other.ntp_port;
    mac += factor * other.mac;
    nts += factor * other.nts;
    interleaved += factor * other.interleaved;
}

/// The sketch: counters in a heap with the smallest on top, found by an index with linear probing.
struct ClientAnalytics::State {
    struct Counter {
        IpAddress client;
        std::uint8_t version = 0;
        Mode mode = Mode::Reserved;
        std::int8_t poll = 0;
        bool has_mac = false;
        bool has_nts = false;
        bool interleaved = false;
        std::uint16_t port = 0;
        std::uint16_t place = 0;  ///< in the heap
        float kissed = 0.0F;
        float limited = 0.0F;
        float dropped = 0.0F;
        double weight = 0.0;
        double error = 0.0;
    };

    explicit State(std::uint64_t seed) noexcept : key(seed) { index.fill(kNone); }

    std::size_t home(const IpAddress& client) const noexcept {
        std::uint64_t hash = key;
        const auto& bytes = client.bytes();
        for (std::size_t i = 0; i < bytes.size(); i += 8) {
            std::uint64_t word = 0;
            for (std::size_t j = 0; j < 8; ++j) word = word << 8 | bytes[i + j];
            hash = scramble(hash ^ word);
        }
        return hash % kIndexSize;
    }
    std::size_t find_slot(const IpAddress& client) const noexcept {
        std::size_t slot = home(client);
        while (index[slot] != kNone && counters[index[slot]].client != client) {
            slot = (slot + 1) % kIndexSize;
        }
        return slot;
    }
    /// Closes the hole: whoever would no longer be found moves into it.
    void erase_slot(std::size_t hole) noexcept {
        for (std::size_t next = (hole + 1) % kIndexSize; index[next] != kNone;
             next = (next + 1) % kIndexSize) {
            const std::size_t wanted = home(counters[index[next]].client);
            const std::size_t from_wanted = (next - wanted) % kIndexSize;
            if (from_wanted < (next - hole) % kIndexSize) continue;
            index[hole] = index[next];
            hole = next;
        }
        index[hole] = kNone;
    }
    void put(std::size_t place, std::uint16_t id) noexcept {
        heap[place] = id;
        counters[id].place = static_cast<std::uint16_t>(place);
    }
    void sink(std::size_t place) noexcept {
        const std::uint16_t id = heap[place];
        while (true) {
            std::size_t child = 2 * place + 1;
            if (child >= used) break;
            if (child + 1 < used &&
                counters[heap[child + 1]].weight < counters[heap[child]].weight) {
                ++child;
            }
            if (counters[heap[child]].weight >= counters[id].weight) break;
            put(place, heap[child]);
            place = child;
        }
        put(place, id);
    }
    void rise(std::size_t place) noexcept {
        const std::uint16_t id = heap[place];
        while (place > 0) {
            const std::size_t parent = (place - 1) / 2;
            if (counters[heap[parent]].weight <= counters[id].weight) break;
            put(place, heap[parent]);
            place = parent;
        }
        put(place, id);
    }

    Counter& counter_of(const IpAddress& client, double added) noexcept {
        const std::size_t slot = find_slot(client);
        if (index[slot] != kNone) {
            Counter& counter = counters[index[slot]];
            counter.weight += added;
            sink(counter.place);
            return counter;
        }
        if (used < kCounters) {
            const auto id = static_cast<std::uint16_t>(used++);
            index[slot] = id;
            counters[id] = Counter{};
            counters[id].client = client;
            counters[id].weight = added;
            put(id, id);
            rise(id);
            return counters[id];
        }
        // The smallest makes room and bequeaths its weight, which may have been the newcomer's.
        const std::uint16_t id = heap[0];
        erase_slot(find_slot(counters[id].client));
        const double inherited = counters[id].weight;
        const std::uint16_t place = counters[id].place;
        counters[id] = Counter{};
        counters[id].client = client;
        counters[id].place = place;
        counters[id].error = inherited;
        counters[id].weight = inherited + added;
        index[find_slot(client)] = id;
        sink(0);
        return counters[id];
    }

    void advance(SystemTime now) noexcept {
        if (last.is_zero()) last = now;
        Duration passed = now - last;
        // Requests are a little out of order; more than that is a clock that was set back.
        if (passed < Duration::zero() && passed > -kDisorder) return;
        passed = std::max(passed, Duration::zero());
        last = now;
        for (int i = 0; passed >= kHalving - since_halving; ++i) {
            if (i == kMostHalvings) passed = Duration::zero();
            const Duration step = kHalving - since_halving;
            window_s += step.to_seconds();
            halve();
            passed = std::max(passed - step, Duration::zero());
            since_halving = Duration::zero();
        }
        window_s += passed.to_seconds();
        since_halving += passed;
    }
    void halve() noexcept {
        RequestProfile half;
        half.add(profile, 0.5);
        profile = half;
        window_s *= 0.5;
        for (std::size_t i = 0; i < used; ++i) {
            Counter& counter = counters[i];
            counter.weight *= 0.5;
            counter.error *= 0.5;
            counter.kissed *= 0.5F;
            counter.limited *= 0.5F;
            counter.dropped *= 0.5F;
        }
    }

    std::uint64_t key;
    std::size_t used = 0;
    std::array<Counter, kCounters> counters;
    std::array<std::uint16_t, kCounters> heap{};
    std::array<std::uint16_t, kIndexSize> index;
    RequestProfile profile;  ///< weights, not rates
    double window_s = 0.0;
    Duration since_halving;
    SystemTime last;
    std::uint64_t observed = 0;
    std::uint64_t skipped = 0;
    std::uint32_t shift = 0;
};

ClientAnalytics::ClientAnalytics(std::uint64_t seed)
    : random_(seed | 1), state_(std::make_unique<State>(scramble(seed))) {
    static_assert(sizeof(State) <= 64 * 1024);
}

ClientAnalytics::~ClientAnalytics() = default;

void ClientAnalytics::draw_gap() noexcept {
    // xorshift64 (Marsaglia, 2003). Uniform from 0 to 2^(k+1) − 2: one in 2^k on average.
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    const std::uint64_t range = (std::uint64_t{2} << shift_) - 1;
    gap_ = static_cast<std::uint32_t>(((random_ >> 32) * range) >> 32);
}

void ClientAnalytics::adapt(SystemTime now) noexcept {
    if (now - last_ > kQuiet && shift_ > 0) --shift_;
    last_ = now;
    if (++samples_ < kAdaptEvery) return;
    const Duration took = now - adapted_at_;
    if (took >= Duration::zero() && took < kTooFast && shift_ < kMostShift) ++shift_;
    if (took > kTooSlow && shift_ > 0) --shift_;
    samples_ = 0;
    adapted_at_ = now;
}

void ClientAnalytics::observe(const ObservedRequest& request, SystemTime now) noexcept {
    const double weight = std::ldexp(1.0, static_cast<int>(shift_));
    adapt(now);
    const ByteLockGuard guard(lock_);
    if (!guard) {
        ++skipped_;
        return;
    }
    State& state = *state_;
    state.advance(now);
    state.shift = shift_;
    state.skipped = skipped_;
    ++state.observed;
    count(state.profile, request, weight);
    State::Counter& counter = state.counter_of(request.remote.ip, weight);
    counter.version = request.version;
    counter.mode = request.mode;
    counter.poll = request.poll;
    counter.port = request.remote.port;
    counter.has_mac = request.has_mac;
    counter.has_nts = request.has_nts;
    counter.interleaved = request.interleaved;
    const auto added = static_cast<float>(weight);
    if (request.outcome == Outcome::Kissed) counter.kissed += added;
    if (request.outcome == Outcome::Limited) counter.limited += added;
    if (request.outcome == Outcome::Dropped) counter.dropped += added;
}

AnalyticsSnapshot ClientAnalytics::snapshot(SystemTime now) const {
    const auto copy = std::make_unique<State>(0);
    {
        const ByteLockGuard guard(lock_);
        if (!guard) return {};
        *copy = *state_;
    }
    AnalyticsSnapshot snapshot;
    snapshot.observed = copy->observed;
    snapshot.skipped = copy->skipped;
    snapshot.sampling_log2 = copy->shift;
    if (copy->observed == 0) return snapshot;
    copy->advance(now);
    // Rates over less than a second would be anything.
    snapshot.window_s = std::max(copy->window_s, 1.0);
    const double per_s = 1.0 / snapshot.window_s;
    snapshot.profile.add(copy->profile, per_s);
    if (copy->used == kCounters) {
        snapshot.others_rate = copy->counters[copy->heap[0]].weight * per_s;
    }
    const double sample = std::ldexp(1.0, static_cast<int>(copy->shift));
    for (std::size_t i = 0; i < copy->used; ++i) {
        const State::Counter& counter = copy->counters[i];
        HeavyClient client;
        client.address = counter.client;
        client.rate = counter.weight * per_s;
        client.error = counter.error * per_s;
        if (copy->shift > 0) client.noise_sd = std::sqrt(counter.weight * sample) * per_s;
        client.kissed = static_cast<double>(counter.kissed) * per_s;
        client.limited = static_cast<double>(counter.limited) * per_s;
        client.dropped = static_cast<double>(counter.dropped) * per_s;
        client.version = counter.version;
        client.mode = counter.mode;
        client.poll = counter.poll;
        client.port = counter.port;
        client.has_mac = counter.has_mac;
        client.has_nts = counter.has_nts;
        client.interleaved = counter.interleaved;
        rate_abuse(client, static_cast<double>(counter.kissed + counter.limited));
        snapshot.clients.push_back(client);
    }
    std::sort(snapshot.clients.begin(), snapshot.clients.end(),
              [](const HeavyClient& a, const HeavyClient& b) {
                  return a.rate != b.rate ? a.rate > b.rate : a.address < b.address;
              });
    return snapshot;
}

void AnalyticsSnapshot::merge(const AnalyticsSnapshot& other) {
    struct Hash {
        std::size_t operator()(const IpAddress& address) const noexcept {
            std::uint64_t hash = 0;
            for (const std::uint8_t byte : address.bytes()) hash = scramble(hash + byte + 1);
            return hash;
        }
    };
    std::unordered_map<IpAddress, const HeavyClient*, Hash> theirs;
    for (const HeavyClient& client : other.clients) theirs.emplace(client.address, &client);
    for (HeavyClient& client : clients) {
        const auto found = theirs.find(client.address);
        if (found == theirs.end()) {
            // The other one may have seen it as often as it could without noticing.
            client.rate += other.others_rate;
            client.error += other.others_rate;
            continue;
        }
        const HeavyClient& same = *found->second;
        const double before = client.kissed + client.limited;
        client.rate += same.rate;
        client.error += same.error;
        client.noise_sd = std::hypot(client.noise_sd, same.noise_sd);
        client.kissed += same.kissed;
        client.limited += same.limited;
        client.dropped += same.dropped;
        // The more refusals, the better the score is known.
        if (same.kissed + same.limited > before) client.abuse = same.abuse;
        theirs.erase(found);
    }
    for (const HeavyClient& client : other.clients) {
        if (theirs.count(client.address) == 0) continue;
        clients.push_back(client);
        clients.back().rate += others_rate;
        clients.back().error += others_rate;
    }
    std::sort(clients.begin(), clients.end(), [](const HeavyClient& a, const HeavyClient& b) {
        return a.rate != b.rate ? a.rate > b.rate : a.address < b.address;
    });
    profile.add(other.profile, 1.0);
    others_rate += other.others_rate;
    window_s = std::max(window_s, other.window_s);
    observed += other.observed;
    skipped += other.skipped;
    sampling_log2 = std::max(sampling_log2, other.sampling_log2);
}

}  // namespace gnomon
