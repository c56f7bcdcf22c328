#pragma once

/// `Packer` writes and `Unpacker` reads the primitives of the command protocol in order, with the
/// same member names: one function template per structure describes both directions.
///
/// Both are bounds-checked and never stop in the middle of nowhere: after running out of space a
/// Packer writes nothing, an Unpacker yields zeros, and `ok()` is false.

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "dataplane/wire/address.h"
#include "mgmt/command/wire.h"
#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon::command {

class Packer {
public:
    /// How a field list takes the structure it describes.
    template <typename T>
    using Ref = const T&;
    static constexpr bool kReads = false;

    explicit Packer(std::span<std::uint8_t> out) noexcept : out_(out) {}

    bool ok() const noexcept { return ok_; }
    std::size_t size() const noexcept { return at_; }

    template <typename T>
    void number(T value) noexcept {
        for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
            byte(static_cast<std::uint8_t>(static_cast<std::make_unsigned_t<T>>(value) >> shift));
        }
    }
    template <typename T>
    void code(T value) noexcept {
        number(static_cast<std::underlying_type_t<T>>(value));
    }
    void flag(bool value) noexcept { number(std::uint32_t{value}); }
    void real(double value) noexcept { number(encode_float(value)); }
    void negated(double value) noexcept { real(-value); }
    void ref_id(RefId value) noexcept { number(value.value); }
    void character(char value) noexcept { byte(static_cast<std::uint8_t>(value)); }
    void leap8(Leap value) noexcept { code(value); }
    void leap16(Leap value) noexcept { number(static_cast<std::uint16_t>(value)); }
    void time(UtcTime value) noexcept {
        const timespec ts = value.to_timespec();
        number(static_cast<std::uint64_t>(ts.tv_sec));
        number(static_cast<std::uint32_t>(ts.tv_nsec));
    }
    void address(const IpAddress& value) noexcept {
        const bool v6 = value.family() == IpAddress::Family::V6;
        const bool none = value.family() == IpAddress::Family::Unspecified;
        const int used = v6 ? 16 : none ? 0 : 4;
        for (int i = 0; i < 16; ++i)
            byte(i < used ? value.bytes()[static_cast<std::size_t>(i)] : 0);
        number(static_cast<std::uint16_t>(value.family()));
        number(std::uint16_t{0});
    }
    /// A NUL-padded field; what does not fit is cut.
    void name(const std::string& value, std::size_t field_size = kNameSize) noexcept {
        for (std::size_t i = 0; i < field_size; ++i) {
            byte(i < value.size() && i + 1 < field_size ? static_cast<std::uint8_t>(value[i]) : 0);
        }
    }
    void fill(std::size_t count, std::uint8_t value = 0) noexcept {
        for (std::size_t i = 0; i < count; ++i) byte(value);
    }

private:
    void byte(std::uint8_t value) noexcept {
        if (at_ < out_.size()) {
            out_[at_++] = value;
        } else {
            ok_ = false;
        }
    }

    std::span<std::uint8_t> out_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

class Unpacker {
public:
    template <typename T>
    using Ref = T&;
    static constexpr bool kReads = true;

    explicit Unpacker(std::span<const std::uint8_t> in) noexcept : in_(in) {}

    bool ok() const noexcept { return ok_; }
    /// A name filled its field without a NUL.
    bool unterminated_name() const noexcept { return unterminated_name_; }

    template <typename T>
    void number(T& value) noexcept {
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i) bits = bits << 8 | byte();
        value = static_cast<T>(bits);
    }
    template <typename T>
    void code(T& value) noexcept {
        std::underlying_type_t<T> bits{};
        number(bits);
        value = static_cast<T>(bits);
    }
    void flag(bool& value) noexcept { value = take<std::uint32_t>() != 0; }
    void real(double& value) noexcept { value = decode_float(take<std::uint32_t>()); }
    void negated(double& value) noexcept { value = 0.0 - decode_float(take<std::uint32_t>()); }
    void ref_id(RefId& value) noexcept { number(value.value); }
    void character(char& value) noexcept { value = static_cast<char>(byte()); }
    void leap8(Leap& value) noexcept { code(value); }
    void leap16(Leap& value) noexcept {
        const auto bits = take<std::uint16_t>();
        value = static_cast<Leap>(std::min<std::uint16_t>(bits, 0xff));
    }
    void time(UtcTime& value) noexcept {
        constexpr std::uint32_t kNoHighWord = 0x7fff'ffff;
        auto high = take<std::uint32_t>();
        const auto low = take<std::uint32_t>();
        const auto ns = std::min<std::uint32_t>(take<std::uint32_t>(), 999'999'999);
        if (high == kNoHighWord) high = 0;
        const auto seconds = static_cast<std::int64_t>(std::uint64_t{high} << 32 | low);
        value = UtcTime::from_ns((Duration::from_s(seconds) + Duration::from_ns(ns)).ns());
    }
    void address(IpAddress& value) noexcept {
        std::array<std::uint8_t, 16> bytes{};
        for (std::uint8_t& b : bytes) b = byte();
        const auto family = take<std::uint16_t>();
        take<std::uint16_t>();
        const std::uint32_t word = std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
                                   std::uint32_t{bytes[2]} << 8 | bytes[3];
        value = family == 1   ? IpAddress::v4(word)
                : family == 2 ? IpAddress::v6(bytes)
                : family == 3 ? IpAddress::id(word)
                              : IpAddress();
    }
    void name(std::string& value, std::size_t field_size = kNameSize) {
        value.resize(field_size);
        for (char& c : value) c = static_cast<char>(byte());
        // Only the last byte counts for the verdict: it is what the protocol asks for.
        if (value.back() != '\0') unterminated_name_ = true;
        value.resize(std::min(value.find('\0'), value.size()));
    }
    void fill(std::size_t count, std::uint8_t = 0) noexcept {
        for (std::size_t i = 0; i < count; ++i) byte();
    }
    template <typename T>
    T take() noexcept {
        T value{};
        number(value);
        return value;
    }

private:
    std::uint8_t byte() noexcept {
        if (at_ < in_.size()) return in_[at_++];
        ok_ = false;
        return 0;
    }

    std::span<const std::uint8_t> in_;
    std::size_t at_ = 0;
    bool ok_ = true;
    bool unterminated_name_ = false;
};

}  // namespace gnomon::command
