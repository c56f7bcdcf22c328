#include "tests/unit/mgmt/engine/fakes.h"

#include <stdexcept>

#include "mgmt/config/parser.h"

namespace gnomon::test_engine {
namespace {

constexpr std::uint16_t kNtpPort = 123;
constexpr double kStampDelayS = 2e-5;
constexpr double kResolveS = 0.01;

}  // namespace

Config parse_text(const std::string& text) {
    FileMap files{{"test.conf", text}};
    MemoryConfigFiles config_files(files);
    const auto parsed =
        parse_config_file("test.conf", config_files, {default_config(Personality::Gnomon), false});
    if (has_errors(parsed.diagnostics)) {
        throw std::invalid_argument(parsed.diagnostics.front().to_string());
    }
    return parsed.config;
}

TestNode::TestNode(TestWorld& world, IpAddress node_address, Model model, std::uint64_t seed)
    : address(node_address),
      files(std::move(model.files)),
      clock(model.frequency_error, model.offset_s),
      world_(world),
      random_(seed),
      storage_(files),
      config_files_(files) {
    engine = std::make_unique<Engine>(parse_text(model.config),
                                      Services{clock, random_, *this, *this, storage_,
                                               config_files_, *this, nullptr, model.refclocks},
                                      model.options);
}

double TestNode::ntp_error_s() const {
    const UtcTime truth = UtcTime::from_ns(kStartNs) + Duration::from_seconds(world_.now_s());
    return (engine->utc(clock.now()) - truth).to_seconds();
}

SysResult<SocketHandle> TestNode::open_client(const SocketAddress& remote) {
    if (!has_network) return Unexpected(SysError{"connect " + remote.to_string(), ENETUNREACH});
    const SocketHandle handle = next_handle_++;
    client_ports_[handle] = static_cast<std::uint16_t>(20000 + random_.next() % 30000);
    return handle;
}

bool TestNode::transmit(SocketHandle handle, std::uint16_t port, const TxDatagram& datagram) {
    if (!has_network) return false;
    if (datagram.finisher != nullptr) datagram.finisher->finish(clock.now(), 0);
    ++sent;
    if ((datagram.payload[0] & 7) == 3) sent_at_s.push_back(world_.now_s());
    if (datagram.want_stamp) {
        TxStampReport report;
        report.cookie = datagram.cookie;
        report.stamp = Stamp{clock.now(), TimestampSource::Kernel, 0.0};
        report.remote = datagram.remote;
        world_.at(world_.now_s() + kStampDelayS,
                  [this, handle, report] { engine->handle_transmit_stamp(handle, report, now()); });
    }
    world_.transmit(address, port, datagram.remote,
                    {datagram.payload.begin(), datagram.payload.end()});
    return true;
}

bool TestNode::send(SocketHandle handle, const TxDatagram& datagram) {
    const auto port = client_ports_.find(handle);
    return port != client_ports_.end() && transmit(handle, port->second, datagram);
}

bool TestNode::send_from_server(const TxDatagram& datagram) {
    return server_open_ && transmit(kServerSocket, kNtpPort, datagram);
}

SysResult<void> TestNode::open_server(IpAddress::Family family) {
    if (family == IpAddress::Family::V4) server_open_ = true;
    return {};
}

void TestNode::close_server(IpAddress::Family family) {
    if (family == IpAddress::Family::V4) server_open_ = false;
}

void TestNode::request(QueryId query, const std::string& name, IpAddress::Family) {
    world_.at(world_.now_s() + kResolveS, [this, query, name] {
        ResolvedName answer;
        const auto found = world_.names.find(name);
        if (has_network && found != world_.names.end()) {
            answer.status = ResolvedName::Status::Found;
            answer.addresses = found->second;
        }
        engine->handle_resolved(query, answer, now());
    });
}

void TestNode::deliver(const SocketAddress& from, std::uint16_t to_port,
                       const std::vector<std::uint8_t>& payload) {
    SocketHandle handle = kNoSocket;
    if (to_port == kNtpPort && server_open_) handle = kServerSocket;
    for (const auto& [candidate, port] : client_ports_) {
        if (port == to_port) handle = candidate;
    }
    if (handle == kNoSocket || !has_network) return;
    RxDatagram datagram;
    datagram.payload = payload;
    datagram.remote = from;
    datagram.local = address;
    datagram.stamp = Stamp{clock.now(), TimestampSource::Kernel, 0.0};
    engine->handle_datagram(handle, datagram, now());
}

TestNode& TestWorld::add(TestNode::Model model) {
    const int index = static_cast<int>(nodes_.size());
    nodes_.push_back(std::make_unique<TestNode>(*this, address_of(index), std::move(model),
                                                1000 + static_cast<std::uint64_t>(index)));
    return *nodes_.back();
}

void TestWorld::transmit(const IpAddress& from, std::uint16_t from_port, const SocketAddress& to,
                         std::vector<std::uint8_t> payload) {
    if (lost && lost(from, to.ip)) return;
    const double share = static_cast<double>(random_.next() >> 11) * 0x1p-53;
    for (const auto& node : nodes_) {
        if (node->address != to.ip) continue;
        at(true_s_ + one_way_delay_s + share * jitter_s,
           [target = node.get(), source = SocketAddress{from, from_port}, port = to.port,
            bytes = std::move(payload)] { target->deliver(source, port, bytes); });
        return;
    }
}

void TestWorld::advance_to(double true_s) {
    const double elapsed_s = true_s - true_s_;
    true_s_ = true_s;
    for (const auto& node : nodes_) node->clock.advance(elapsed_s);
}

void TestWorld::run_until(double until_s) {
    while (true) {
        double next_s = until_s;
        if (!actions_.empty()) next_s = std::min(next_s, actions_.begin()->first);
        for (const auto& node : nodes_) {
            const MonoTime wake = node->engine->next_timeout();
            if (wake == MonoTime::max()) continue;
            next_s = std::min(next_s, true_s_ + node->clock.until(wake));
        }
        advance_to(std::max(next_s, true_s_));
        if (true_s_ >= until_s) return;
        while (!actions_.empty() && actions_.begin()->first <= true_s_) {
            const auto action = std::move(actions_.begin()->second);
            actions_.erase(actions_.begin());
            action();
        }
        for (const auto& node : nodes_) {
            if (node->engine->next_timeout() <= node->clock.mono()) {
                node->engine->handle_timeout(node->now());
            }
        }
    }
}

}  // namespace gnomon::test_engine
