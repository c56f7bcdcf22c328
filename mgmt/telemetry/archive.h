#pragma once

/// Field lists written once, for both directions (see codec.h for the format). A writer never fails; a
/// reader past the end of its record leaves values as they are.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "dataplane/wire/address.h"
#include "mgmt/telemetry/codec.h"
#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon::telemetry {

class Writer {
public:
    template <typename T>
    using Ref = const T&;

    explicit Writer(Frame& out) noexcept : out_(out) {}

    template <typename T>
    void number(T value) {
        const auto bits = static_cast<std::make_unsigned_t<T>>(value);
        std::array<std::uint8_t, sizeof(T)> bytes;
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            bytes[i] = static_cast<std::uint8_t>(bits >> (8 * i));
        }
        out_.insert(out_.end(), bytes.begin(), bytes.end());
    }
    template <typename T>
    void code(T value) {
        number(static_cast<std::underlying_type_t<T>>(value));
    }
    void flag(bool value) { number(std::uint8_t{value}); }
    void character(char value) { number(static_cast<std::uint8_t>(value)); }
    void real(double value) { number(std::bit_cast<std::uint64_t>(value)); }
    void ref_id(RefId value) { number(value.value); }
    template <Scale S>
    void time(TimePoint<S> value) {
        number(value.ns());
    }
    void text(const std::string& value) {
        const std::size_t size = std::min(value.size(), kMaxText);
        number(static_cast<std::uint16_t>(size));
        out_.insert(out_.end(), value.begin(), value.begin() + static_cast<std::ptrdiff_t>(size));
    }
    void address(const IpAddress& value) {
        number(static_cast<std::uint8_t>(value.family()));
        out_.insert(out_.end(), value.bytes().begin(), value.bytes().end());
    }

    /// A record: its length, then what `write` writes.
    template <typename Write>
    void record(Write write) {
        const std::size_t at = out_.size();
        number(std::uint16_t{0});
        write();
        const std::size_t size = out_.size() - at - 2;
        out_[at] = static_cast<std::uint8_t>(size);
        out_[at + 1] = static_cast<std::uint8_t>(size >> 8);
    }

private:
    Frame& out_;
};

class Reader {
public:
    template <typename T>
    using Ref = T&;

    explicit Reader(std::span<const std::uint8_t> in) noexcept : in_(in) {}

    std::size_t left() const noexcept { return in_.size() - at_; }
    /// Takes everything that is left out of reach, when a field was cut.
    template <typename T>
    void number(T& value) noexcept {
        if (left() < sizeof(T)) {
            at_ = in_.size();
            return;
        }
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i) bits |= std::uint64_t{in_[at_++]} << (8 * i);
        value = static_cast<T>(bits);
    }
    template <typename T>
    void code(T& value) noexcept {
        auto bits = static_cast<std::underlying_type_t<T>>(value);
        number(bits);
        value = static_cast<T>(bits);
    }
    void flag(bool& value) noexcept {
        std::uint8_t bits = value ? 1 : 0;
        number(bits);
        value = bits != 0;
    }
    void character(char& value) noexcept {
        auto bits = static_cast<std::uint8_t>(value);
        number(bits);
        value = static_cast<char>(bits);
    }
    void real(double& value) noexcept {
        auto bits = std::bit_cast<std::uint64_t>(value);
        number(bits);
        value = std::bit_cast<double>(bits);
    }
    void ref_id(RefId& value) noexcept { number(value.value); }
    template <Scale S>
    void time(TimePoint<S>& value) noexcept {
        std::int64_t ns = value.ns();
        number(ns);
        value = TimePoint<S>::from_ns(ns);
    }
    void text(std::string& value) {
        std::uint16_t size = 0;
        if (left() < 2) {
            at_ = in_.size();
            return;
        }
        number(size);
        const std::size_t take = std::min<std::size_t>({size, left(), kMaxText});
        value.assign(in_.begin() + static_cast<std::ptrdiff_t>(at_),
                     in_.begin() + static_cast<std::ptrdiff_t>(at_ + take));
        at_ += std::min<std::size_t>(size, left());
    }
    void address(IpAddress& value) noexcept {
        if (left() < 17) {
            at_ = in_.size();
            return;
        }
        std::uint8_t family = 0;
        number(family);
        std::array<std::uint8_t, 16> bytes{};
        for (std::uint8_t& b : bytes) number(b);
        const std::uint32_t word = std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
                                   std::uint32_t{bytes[2]} << 8 | bytes[3];
        value = family == 1   ? IpAddress::v4(word)
                : family == 2 ? IpAddress::v6(bytes)
                : family == 3 ? IpAddress::id(word)
                              : IpAddress();
    }

    /// The next record; empty at the end, cut where the bytes end.
    std::span<const std::uint8_t> record() noexcept {
        std::uint16_t size = 0;
        number(size);
        const std::size_t take = std::min<std::size_t>(size, left());
        const auto result = in_.subspan(at_, take);
        at_ += take;
        return result;
    }

private:
    std::span<const std::uint8_t> in_;
    std::size_t at_ = 0;
};

}  // namespace gnomon::telemetry
