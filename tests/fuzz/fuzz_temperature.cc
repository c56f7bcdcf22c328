/// A temperature sensor's file and a file of compensation points.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "servo/discipline/temperature.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gnomon;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto temperature = parse_temperature(text)) {
        if (!std::isfinite(*temperature)) __builtin_trap();
        LearnedTemperature learned;
        learned.add(MonoTime(), *temperature, 1e-6);
        if (!std::isfinite(learned.add(MonoTime(), *temperature, 1e-6))) __builtin_trap();
    }
    if (const auto curve = TemperatureCurve::parse_points(text)) (void)curve->compensation(25.0);
    return 0;
}
