#include "servo/actuator/clock_executor.h"

#include <variant>

namespace gnomon {
namespace {

/// One overload per command.
class Runner {
public:
    Runner(Discipline& discipline, ClockDriver& driver, MonoTime mono,
           const CommandErrorHandler& on_error)
        : discipline_(discipline), driver_(driver), mono_(mono), on_error_(on_error) {}

    void operator()(const StepClock& command) {
        const SystemTime before = driver_.now();
        const auto done = driver_.step(command.by);
        discipline_.step_done(Instant{before, mono_}, command.by, done.has_value());
        report(done);
    }
    void operator()(const SetFrequency& command) {
        const SystemTime before = driver_.now();
        const auto applied = driver_.set_frequency(command.correction);
        // It took effect somewhere in between; the middle halves the uncertainty.
        const SystemTime after = driver_.now();
        const SystemTime at = before + (after - before) / 2;
        discipline_.frequency_done(at, applied.value_or(discipline_.clock().applied()));
        report(applied);
    }
    void operator()(const SetLeap& command) {
        report(driver_.set_leap(command.leap, command.tai_offset_s));
    }
    void operator()(const SetSyncStatus& command) {
        report(driver_.set_sync_status(command.synchronised, command.estimated_error,
                                       command.maximum_error));
    }

private:
    template <typename T>
    void report(const SysResult<T>& result) {
        if (!result && on_error_) on_error_(result.error());
    }

    Discipline& discipline_;
    ClockDriver& driver_;
    MonoTime mono_;
    const CommandErrorHandler& on_error_;
};

}  // namespace

void execute(Discipline& discipline, ClockDriver& driver, MonoTime mono,
             const CommandErrorHandler& on_error) {
    Runner runner(discipline, driver, mono, on_error);
    while (const auto command = discipline.next_command(driver.now())) std::visit(runner, *command);
}

}  // namespace gnomon
