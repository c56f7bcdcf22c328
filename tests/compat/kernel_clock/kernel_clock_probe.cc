/// Runs under clknetsim, a simulator of clocks: steers the simulated kernel clock through slews and
/// steps of known size and says what it believes to have done. `run` compares that with the simulator's
/// own log of the true offset. Refuses to run anywhere else.

#include <sys/select.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "servo/actuator/clock_executor.h"
#include "servo/actuator/clock_reader.h"
#include "servo/actuator/linux_kernel_clock.h"
#include "servo/discipline/discipline.h"

namespace {

using namespace gnomon;

int failures = 0;

void expect(bool holds, const char* what) {
    std::printf("%s: %s\n", holds ? "ok" : "FAILED", what);
    if (!holds) ++failures;
}

class Probe {
public:
    explicit Probe(LinuxKernelClock clock)
        : clock_(std::move(clock)),
          discipline_(DisciplineConfig{},
                      {clock_.frequency().value(), clock_.max_frequency(), clock_.can_leap()},
                      instant()) {
        discipline_.begin_wakeup(instant());
        discipline_.start(instant(), std::nullopt);
        run_commands();
    }

    Discipline& discipline() { return discipline_; }
    LinuxKernelClock& clock() { return clock_; }
    Instant instant() const { return {read_system_clock(), read_mono_clock()}; }
    double remaining_s() const { return discipline_.clock().remaining_s(read_system_clock()); }

    void run_commands() {
        execute(discipline_, clock_, read_mono_clock(), [](const SysError& error) {
            std::printf("FAILED: %s\n", error.message().c_str());
            ++failures;
        });
    }

    void sleep(double seconds) {
        const MonoTime end = read_mono_clock() + Duration::from_seconds(seconds);
        for (;;) {
            const Duration left = end - read_mono_clock();
            if (left <= Duration::zero()) return;
            const Duration wait = std::min(left, discipline_.next_timeout(instant()));
            timeval timeout{};
            timeout.tv_sec = wait.ns() / 1'000'000'000;
            timeout.tv_usec = wait.ns() % 1'000'000'000 / 1000 + 1;
            select(0, nullptr, nullptr, nullptr, &timeout);
            if (discipline_.begin_wakeup(instant())) expect(false, "no foreign step");
            discipline_.handle_timeout(instant());
            run_commands();
        }
    }

private:
    LinuxKernelClock clock_;
    Discipline discipline_;
};

void run(Probe& probe) {
    // True offset afterwards: +0.1 s.
    probe.discipline().add_offset(probe.instant(), 0.1);
    probe.run_commands();
    expect(std::fabs(probe.remaining_s() - 0.1) < 1e-6, "0.1 s to be slewed");
    probe.sleep(20.0);
    expect(std::fabs(probe.remaining_s()) < 1e-8, "0.1 s slewed");

    // +10.1 s, at the limit of the slew rate.
    probe.discipline().add_offset(probe.instant(), 10.0);
    probe.run_commands();
    probe.sleep(150.0);
    expect(std::fabs(probe.remaining_s()) < 1e-8, "10 s slewed");

    // −0.3 s: stepped back by 10.4 s.
    probe.discipline().add_offset(probe.instant(), -10.4);
    expect(probe.discipline().make_step(probe.instant()), "step accepted");
    probe.run_commands();
    expect(std::fabs(probe.remaining_s()) < 1e-8, "nothing left after the step");
    probe.sleep(20.0);

    expect(!probe.clock().take_interference(), "no interference by ourselves");
    timex foreign{};
    foreign.modes = ADJ_FREQUENCY;
    foreign.freq = 100 << 16;
    adjtimex(&foreign);
    probe.discipline().add_offset(probe.instant(), 0.0);
    const bool read = probe.clock().frequency().has_value();
    expect(read && probe.clock().take_interference(), "foreign frequency noticed");
    probe.run_commands();
    probe.sleep(20.0);

    probe.discipline().prepare_exit(probe.instant());
    probe.run_commands();
    const auto frequency = probe.clock().frequency();
    expect(frequency && frequency->ppm() == 0.0, "base frequency at exit");
}

}  // namespace

int main() {
    if (std::getenv("CLKNETSIM_NODE") == nullptr) {
        std::fprintf(stderr, "not under clknetsim: refusing to touch the clock\n");
        return 77;
    }
    const ClockPrecision precision = measure_clock_precision();
    std::printf("precision %d\n", precision.log2);
    expect(precision.log2 == -23, "precision is the simulator's");
    // The simulator's readings have an artificial increment until the first waits.
    timeval moment{0, 200'000};
    select(0, nullptr, nullptr, nullptr, &moment);
    auto clock = LinuxKernelClock::take_over({});
    if (!clock) {
        std::printf("FAILED: %s\n", clock.error().message().c_str());
        return 1;
    }
    Probe probe(std::move(clock).value());
    run(probe);
    std::printf("finished with %d failures\n", failures);
    std::fflush(stdout);
    // The simulation goes on until its limit; the clock must stay where it is.
    for (;;) probe.sleep(100.0);
}
