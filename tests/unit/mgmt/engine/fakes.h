#pragma once

/// Engines in one process: a clock with a frequency error each, a network with a fixed delay, names,
/// files and events in memory, all in true time that only `TestWorld::run` moves.

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mgmt/config/config.h"
#include "mgmt/engine/engine.h"

namespace gnomon::test_engine {

inline constexpr std::int64_t kStartNs = 1'262'304'000LL * 1'000'000'000LL;

/// splitmix64: repeatable.
class TestRandom final : public RandomSource {
public:
    explicit TestRandom(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() noexcept override {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }

private:
    std::uint64_t state_;
};

/// Runs fast by `frequency_error`, less what the correction takes off.
class TestClock final : public ClockDriver {
public:
    TestClock(double frequency_error, double offset_s)
        : frequency_error_(frequency_error), error_s_(offset_s) {}

    void advance(double true_s) {
        true_s_ += true_s;
        const double gain_s = true_s * ((1.0 + frequency_error_) * (1.0 + correction_) - 1.0);
        error_s_ += gain_s;
        mono_error_s_ += gain_s;
    }
    /// The oscillator changes its mind.
    void set_frequency_error(double frequency_error) { frequency_error_ = frequency_error; }
    /// Somebody else's hand.
    void jump(double by_s) { error_s_ += by_s; }

    /// System clock minus true time, s.
    double error_s() const { return error_s_; }
    int steps() const { return steps_; }
    SystemTime now() const override {
        return SystemTime::from_ns(kStartNs) + Duration::from_seconds(true_s_) +
               Duration::from_seconds(error_s_);
    }
    MonoTime mono() const {
        return MonoTime::from_ns(1'000'000'000) + Duration::from_seconds(true_s_) +
               Duration::from_seconds(mono_error_s_);
    }
    /// True seconds until the monotonic clock shows `t`.
    double until(MonoTime t) const {
        const double rate = (1.0 + frequency_error_) * (1.0 + correction_);
        return std::max(0.0, (t - mono()).to_seconds() / rate) + 2e-9;
    }

    Frequency max_frequency() const override { return Frequency::from_ratio(0.1); }
    SysResult<Frequency> frequency() override { return Frequency::from_ratio(correction_); }
    SysResult<Frequency> set_frequency(Frequency correction) override {
        correction_ = correction.ratio();
        return correction;
    }
    SysResult<void> step(Duration by) override {
        error_s_ += by.to_seconds();
        ++steps_;
        return {};
    }
    SysResult<void> set_leap(Leap, int) override { return {}; }
    bool can_leap() const override { return true; }
    SysResult<void> set_sync_status(bool, Duration, Duration) override { return {}; }

private:
    double frequency_error_;
    double correction_ = 0.0;
    double true_s_ = 0.0;
    double error_s_;
    double mono_error_s_ = 0.0;
    int steps_ = 0;
};

using FileMap = std::map<std::string, std::string>;

class MemoryStorage final : public Storage {
public:
    explicit MemoryStorage(FileMap& files) : files_(files) {}
    SysResult<std::string> read(const std::string& path) override {
        const auto found = files_.find(path);
        if (found == files_.end()) return Unexpected(SysError{"open " + path, ENOENT});
        return found->second;
    }
    SysResult<void> write(const std::string& path, std::string_view text, std::uint32_t) override {
        files_[path] = std::string(text);
        return {};
    }
    SysResult<void> remove(const std::string& path) override {
        files_.erase(path);
        return {};
    }

private:
    FileMap& files_;
};

class MemoryConfigFiles final : public ConfigFiles {
public:
    explicit MemoryConfigFiles(FileMap& files) : files_(files) {}
    std::optional<std::string> read(const std::string& path) override {
        const auto found = files_.find(path);
        if (found == files_.end()) return std::nullopt;
        return found->second;
    }
    std::vector<std::string> glob(const std::string&) override { return {}; }
    std::vector<std::string> list_dir(const std::string& dir, const std::string& suffix) override {
        std::vector<std::string> names;
        for (const auto& [path, text] : files_) {
            if (path.rfind(dir + "/", 0) != 0) continue;
            const std::string name = path.substr(dir.size() + 1);
            if (name.size() > suffix.size() &&
                name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) {
                names.push_back(name);
            }
        }
        return names;
    }

private:
    FileMap& files_;
};

class TestWorld;

/// One appliance.
class TestNode final : private Network, private NameResolver, private EventSink {
public:
    struct Model {
        std::string config;
        double frequency_error = 0.0;
        double offset_s = 0.0;
        EngineOptions options;
        FileMap files;
        RefclockReaders* refclocks = nullptr;
    };

    TestNode(TestWorld& world, IpAddress address, Model model, std::uint64_t seed);

    void start() { engine->start(now()); }
    void stop() { engine->shutdown(now()); }
    Now now() const { return Now{clock.mono(), clock.now()}; }
    /// NTP clock minus true time, s.
    double ntp_error_s() const;

    template <typename T>
    std::vector<T> events_of() const {
        std::vector<T> found;
        for (const Event& event : events) {
            if (const T* match = std::get_if<T>(&event)) found.push_back(*match);
        }
        return found;
    }

    IpAddress address;
    FileMap files;
    TestClock clock;
    std::unique_ptr<Engine> engine;
    std::vector<Event> events;
    std::uint64_t sent = 0;
    std::vector<double> sent_at_s;  ///< true time of each request
    bool has_network = true;

    // For the world.
    void deliver(const SocketAddress& from, std::uint16_t to_port,
                 const std::vector<std::uint8_t>& payload);

private:
    SysResult<SocketHandle> open_client(const SocketAddress& remote) override;
    void close(SocketHandle handle) override { client_ports_.erase(handle); }
    bool send(SocketHandle handle, const TxDatagram& datagram) override;
    bool send_from_server(const TxDatagram& datagram) override;
    SysResult<void> open_server(IpAddress::Family family) override;
    void close_server(IpAddress::Family family) override;
    bool is_connectable(const SocketAddress&) override { return has_network; }
    void request(QueryId query, const std::string& name, IpAddress::Family family) override;
    void on_event(const Event& event) override { events.push_back(event); }
    bool transmit(SocketHandle handle, std::uint16_t port, const TxDatagram& datagram);

    TestWorld& world_;
    TestRandom random_;
    MemoryStorage storage_;
    MemoryConfigFiles config_files_;
    std::map<SocketHandle, std::uint16_t> client_ports_;
    SocketHandle next_handle_ = 1;
    bool server_open_ = false;
};

class TestWorld {
public:
    double one_way_delay_s = 1e-4;
    /// Added to each packet's delay, uniformly distributed up to this.
    double jitter_s = 1e-5;
    std::map<std::string, std::vector<IpAddress>> names;
    std::function<bool(const IpAddress& from, const IpAddress& to)> lost;

    /// 10.0.0.1, 10.0.0.2, … in order; not started.
    TestNode& add(TestNode::Model model);
    void at(double true_s, std::function<void()> action) {
        actions_.emplace(true_s, std::move(action));
    }
    void run_until(double true_s);
    double now_s() const { return true_s_; }

    // For nodes.
    void transmit(const IpAddress& from, std::uint16_t from_port, const SocketAddress& to,
                  std::vector<std::uint8_t> payload);
    TestRandom& random() { return random_; }

    static IpAddress address_of(int index) {
        return IpAddress::v4(0x0A000001U + static_cast<std::uint32_t>(index));
    }

private:
    void advance_to(double true_s);

    TestRandom random_{42};
    double true_s_ = 0.0;
    std::multimap<double, std::function<void()>> actions_;
    std::vector<std::unique_ptr<TestNode>> nodes_;
};

/// chrony.conf text; throws when it is not right.
Config parse_text(const std::string& text);

}  // namespace gnomon::test_engine
