#include "tests/sim/scenario.h"

#include <algorithm>

#include <fmt/format.h>

#include "tests/sim/sim_node.h"

namespace gnomon::sim {
namespace {

constexpr TrueTime kSecond = 1'000'000'000;

/// Makes another stream of a seed.
constexpr std::uint64_t kLaterFaults = 0x6c61746572;

TrueTime seconds(double s) { return static_cast<TrueTime>(s * 1e9); }

OscillatorModel random_oscillator(SimRandom& random, TrueTime end) {
    OscillatorModel model;
    model.frequency = random.uniform(-100e-6, 100e-6);
    model.wander = random.log_uniform(1e-10, 1e-8);
    model.white = random.log_uniform(1e-11, 1e-9);
    if (random.chance(0.3)) {
        model.temperature_amplitude = random.log_uniform(1e-8, 5e-7);
        model.temperature_period_s = random.log_uniform(1800.0, 86400.0);
    }
    if (random.chance(0.2)) {
        const double when = random.uniform(0.3, 0.9);
        model.jumps.push_back(
            {kStart + static_cast<TrueTime>(static_cast<double>(end - kStart) * when),
             random.uniform(-3e-7, 3e-7)});
    }
    return model;
}

PathModel random_path(SimRandom& random, TrueTime end) {
    PathModel path;
    path.base_s = random.log_uniform(2e-5, 2e-2);
    const PathModel::Jitter kinds[] = {PathModel::Jitter::Exponential, PathModel::Jitter::Gamma,
                                       PathModel::Jitter::Bursty};
    path.jitter = kinds[random.below(3)];
    path.jitter_s = random.log_uniform(1e-6, 1e-3);
    if (random.chance(0.3)) path.loss = random.uniform(0.01, 0.5);
    if (random.chance(0.2)) path.duplication = random.uniform(0.01, 0.2);
    const auto any_time = [&] {
        return kStart +
               static_cast<TrueTime>(static_cast<double>(end - kStart) * random.uniform(0.2, 0.9));
    };
    if (random.chance(0.3)) {
        const TrueTime from = any_time();
        path.partitions.push_back({from, from + seconds(random.log_uniform(60.0, 7200.0))});
    }
    if (random.chance(0.3)) path.changes.push_back({any_time(), random.uniform(-1e-3, 3e-3)});
    return path;
}

/// Each direction on its own: paths are asymmetric in every respect.
void link_randomly(World& world, SimRandom& random, int a, int b, TrueTime end) {
    world.set_path(a, b, random_path(random, end));
    world.set_path(b, a, random_path(random, end));
}

std::string random_source_options(SimRandom& random) {
    const int minpoll = 3 + random.below(4);
    std::string options = fmt::format("minpoll {} maxpoll {}", minpoll, minpoll + random.below(5));
    if (random.chance(0.7)) options += " iburst";
    if (random.chance(0.4)) options += " xleave";
    return options;
}

/// The configuration with this estimator for every source in it.
std::string with_servo(const std::string& config, const std::string& servo) {
    return servo.empty() ? config : "servo " + servo + "\n" + config;
}

/// A symmetric peer of the appliance, which follows the same servers over paths of its own.
void add_peer(Scenario& scenario, SimRandom& random, const std::string& servo) {
    World& world = *scenario.world;
    NodeModel peer;
    peer.name = "peer";
    peer.config = "makestep 1 3\nlog tracking measurements\npeer appliance minpoll 4\n";
    for (int i = 0; i < scenario.servers; ++i) {
        peer.config += fmt::format("server server{} {}\n", i + 1, random_source_options(random));
    }
    peer.config = with_servo(peer.config, servo);
    peer.oscillator = random_oscillator(random, scenario.end);
    peer.initial_offset_s = random.uniform(-2.0, 2.0);
    peer.kernel_stamp_noise_s = random.log_uniform(1e-8, 1e-6);
    const int index = world.add_node(peer).index();
    for (int i = 0; i < scenario.servers; ++i) {
        link_randomly(world, random, index, i, scenario.end);
    }
    link_randomly(world, random, index, scenario.appliance, scenario.end);
    scenario.description += ", a peer";
}

/// Faults that come on top, from a stream of their own: what a seed meant before stays what it means.
void add_mishaps(Scenario& scenario, SimRandom random) {
    World& world = *scenario.world;
    const auto any_time = [&] {
        return kStart + static_cast<TrueTime>(static_cast<double>(scenario.end - kStart) *
                                              random.uniform(0.1, 0.9));
    };
    if (random.chance(0.3)) {
        // Any daemon but a falseticker's, which nobody misses: servers, the appliance, the client.
        const int honest = world.node_count() - scenario.falsetickers;
        const TrueTime from = any_time();
        world.restart(scenario.falsetickers + random.below(honest), from,
                      from + seconds(random.log_uniform(1.0, 1800.0)));
        scenario.description += ", a restart";
    }
    if (random.chance(0.3)) {
        // Somebody sets the clock while the first samples come in. Less than the threshold of ten
        // seconds would be taken for a measured offset, as it should.
        const int victim = random.chance(0.5) ? scenario.appliance : scenario.client;
        const double sign = random.chance(0.5) ? 1.0 : -1.0;
        const double by_s = sign * random.log_uniform(15.0, 1e5);
        world.at(world.node(victim).model().boot + seconds(random.uniform(0.1, 3.0)),
                 [&world, victim, by_s] { world.node(victim).clock().foreign_step(by_s); });
        scenario.description += ", a foreign step";
    }
}

/// Wander that comes and goes (an oscillator whose surroundings change).
void switch_wander(OscillatorModel& oscillator, SimRandom& random) {
    if (!random.chance(0.15)) return;
    oscillator.wander_period_s = random.log_uniform(600.0, 10000.0);
    oscillator.other_wander = random.log_uniform(1e-10, 2e-8);
}

/// Half a day without any source. `maxclockerror` is the promise that the bound rests on then, and this
/// oscillator keeps it: with the sine and the jump it may have it stays below 1 ppm.
void calm_for_holdover(OscillatorModel& oscillator) {
    oscillator.wander = std::min(oscillator.wander, 1e-9);
    oscillator.other_wander = std::min(oscillator.other_wander, 1e-9);
}

/// Two servers that both follow the first honest one: three sources that are wrong together.
void add_relays(Scenario& scenario, SimRandom& random, const std::string& servo) {
    World& world = *scenario.world;
    const int upstream = scenario.falsetickers;
    for (int i = 1; i <= 2; ++i) {
        NodeModel relay;
        relay.name = fmt::format("relay{}", i);
        relay.config = with_servo(
            fmt::format("allow\nmakestep 1 3\nserver server{} iburst\n", upstream + 1), servo);
        relay.oscillator = random_oscillator(random, scenario.end);
        relay.initial_offset_s = random.uniform(-2.0, 2.0);
        const int index = world.add_node(relay).index();
        link_randomly(world, random, index, upstream, scenario.end);
        link_randomly(world, random, index, scenario.appliance, scenario.end);
    }
    scenario.description += ", relays";
}

/// Later kinds of faults, again from a stream of their own.
void add_more_mishaps(Scenario& scenario, SimRandom random) {
    World& world = *scenario.world;
    const auto any_time = [&](double from, double to) {
        return kStart + static_cast<TrueTime>(static_cast<double>(scenario.end - kStart) *
                                              random.uniform(from, to));
    };
    if (random.chance(0.25)) {
        // A route changes, and perhaps back: both ways alike, or one way only.
        const int server = random.below(scenario.servers);
        const double by_s = random.log_uniform(5e-5, 5e-3);
        const double backward_s = random.chance(0.5) ? by_s : 0.0;
        const TrueTime at = any_time(0.2, 0.7);
        world.reroute(scenario.appliance, server, at, by_s, backward_s);
        if (random.chance(0.5)) {
            world.reroute(scenario.appliance, server, any_time(0.7, 0.9), -by_s, -backward_s);
        }
        scenario.description += ", a new route";
    }
    if (random.chance(0.15)) {
        const int victim = random.chance(0.5) ? scenario.appliance : scenario.client;
        const TrueTime from = any_time(0.2, 0.8);
        const double error_s = random.uniform(-0.5, 0.5);
        world.suspend(victim, from, from + seconds(random.log_uniform(30.0, 3600.0)), error_s);
        scenario.description += ", a suspend";
    }
    const int honest = scenario.servers - scenario.falsetickers;
    if (random.chance(0.15) && honest - 1 > scenario.falsetickers + 1) {
        // A server goes wrong in mid-flight; it does not notice itself.
        const int victim = scenario.servers - 1;
        const double sign = random.chance(0.5) ? 1.0 : -1.0;
        const double by_s = sign * random.log_uniform(0.5, 9.0);
        world.at(any_time(0.3, 0.8), [&world, victim, by_s] {
            world.node(victim).become_false();
            world.node(victim).clock().foreign_step(by_s);
        });
        scenario.description += ", a server steps";
    }
}

}  // namespace

Scenario make_scenario(std::uint64_t seed, double hours, const std::string& servo) {
    SimRandom random(seed);
    SimRandom extra(~seed);
    Scenario scenario;
    scenario.world = std::make_unique<World>(random.next());
    scenario.end = kStart + static_cast<TrueTime>(hours * 3600.0) * kSecond;
    World& world = *scenario.world;

    scenario.servers = 3 + random.below(3);
    if (random.chance(0.5)) scenario.falsetickers = 1 + random.below((scenario.servers - 1) / 2);

    std::string appliance_config =
        "driftfile drift\nmakestep 1 3\nallow\nlog measurements tracking\n";
    for (int i = 0; i < scenario.servers; ++i) {
        NodeModel server;
        server.name = fmt::format("server{}", i + 1);
        server.config = "local stratum 1\nallow\n";
        server.oscillator.wander = 0.0;
        server.honest = i >= scenario.falsetickers;
        if (!server.honest) {
            const double sign = random.chance(0.5) ? 1.0 : -1.0;
            server.initial_offset_s = sign * random.log_uniform(0.5, 1000.0);
        }
        server.kernel_stamp_noise_s = random.log_uniform(1e-8, 1e-6);
        world.add_node(server);
        appliance_config +=
            fmt::format("server server{} {}\n", i + 1, random_source_options(random));
    }

    const bool with_peer = extra.chance(0.25);
    if (with_peer) {
        appliance_config += extra.chance(0.5) ? "peer peer xleave\n" : "peer peer minpoll 4\n";
    }

    SimRandom later(seed ^ kLaterFaults);
    const bool with_relays = later.chance(0.1);
    const bool holdover = later.chance(0.05);
    if (with_relays) appliance_config += "server relay1\nserver relay2\n";

    NodeModel appliance;
    appliance.name = "appliance";
    appliance.config = with_servo(appliance_config, servo);
    appliance.oscillator = random_oscillator(random, scenario.end);
    switch_wander(appliance.oscillator, later);
    if (holdover) calm_for_holdover(appliance.oscillator);
    appliance.initial_offset_s = random.uniform(-1.0, 1.0) * random.log_uniform(1e-6, 1e4);
    appliance.kernel_stamp_noise_s = random.log_uniform(1e-8, 1e-6);
    scenario.appliance = world.add_node(appliance).index();

    NodeModel client;
    client.name = "client";
    client.config =
        "makestep 1 3\nlog tracking\nserver appliance " + random_source_options(random) + "\n";
    client.config = with_servo(client.config, servo);
    client.oscillator = random_oscillator(random, scenario.end);
    switch_wander(client.oscillator, later);
    if (holdover) calm_for_holdover(client.oscillator);
    client.initial_offset_s = random.uniform(-2.0, 2.0);
    client.boot = kStart + 600 * kSecond;
    scenario.client = world.add_node(client).index();

    for (int i = 0; i < scenario.servers; ++i) {
        link_randomly(world, random, scenario.appliance, i, scenario.end);
    }
    link_randomly(world, random, scenario.appliance, scenario.client, scenario.end);
    if (extra.chance(0.2)) world.hold_back(scenario.appliance, extra.uniform(0.001, 0.05));

    scenario.description =
        fmt::format("{} servers, {} of them false", scenario.servers, scenario.falsetickers);

    if (with_peer) add_peer(scenario, extra, servo);
    add_mishaps(scenario, SimRandom(extra.next()));
    if (with_relays) add_relays(scenario, later, servo);
    add_more_mishaps(scenario, SimRandom(later.next()));
    if (holdover) {
        scenario.end += 12 * 3600 * kSecond;
        const TrueTime from = scenario.end - 12 * 3600 * kSecond;
        for (int i = 0; i < world.node_count(); ++i) {
            if (i != scenario.client && i != scenario.appliance)
                world.cut_off(i, from, scenario.end);
        }
        scenario.description += ", holdover";
    }
    return scenario;
}

Scenario make_quiet_scenario(std::uint64_t seed, double hours, const std::string& servo) {
    SimRandom random(seed);
    Scenario scenario;
    scenario.world = std::make_unique<World>(random.next());
    scenario.end = kStart + static_cast<TrueTime>(hours * 3600.0) * kSecond;
    scenario.servers = 3;
    World& world = *scenario.world;
    const auto quiet_link = [&](int a, int b) {
        PathModel path;
        path.base_s = random.log_uniform(5e-5, 2e-2);
        path.jitter_s = 0.02 * path.base_s;
        world.set_link(a, b, path);
    };
    OscillatorModel oscillator;
    oscillator.frequency = random.uniform(-50e-6, 50e-6);
    oscillator.wander = 1e-9;

    NodeModel appliance;
    appliance.name = "appliance";
    appliance.config = "makestep 1 3\nallow\nlog measurements tracking\n";
    for (int i = 0; i < scenario.servers; ++i) {
        NodeModel server;
        server.name = fmt::format("server{}", i + 1);
        server.config = "local stratum 1\nallow\n";
        server.oscillator.wander = 0.0;
        world.add_node(server);
        appliance.config += fmt::format("server server{} iburst\n", i + 1);
    }
    appliance.config = with_servo(appliance.config, servo);
    appliance.oscillator = oscillator;
    scenario.appliance = world.add_node(appliance).index();
    NodeModel client;
    client.name = "client";
    client.config = "makestep 1 3\nlog tracking\nserver appliance iburst\n";
    client.config = with_servo(client.config, servo);
    client.oscillator = oscillator;
    client.boot = kStart + 600 * kSecond;
    scenario.client = world.add_node(client).index();
    for (int i = 0; i < scenario.servers; ++i) quiet_link(scenario.appliance, i);
    quiet_link(scenario.appliance, scenario.client);
    scenario.description = "3 servers, all quiet";
    return scenario;
}

}  // namespace gnomon::sim
